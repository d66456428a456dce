"""`World`: a process's rank, read from the environment that torchrun, mpiexec, srun or TensorFlow set."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from luxport.distributed._arrivals import TOKEN
from luxport.text import show

__all__ = ["World", "read_world"]


@dataclass(frozen=True)
class World:
    """The rank of a process among those that were started together.

    Args:
        rank: its number among all, from 0
        local_rank: its number among those on its host
        size: the number of processes
        launcher: the launcher and its variables, for messages
        address: the address of rank 0, ``host:port``; "" if unknown
        hosts: the addresses of all processes, if known
        token: a secret by which processes of this run recognize each other, from LUXPORT_TOKEN and the launcher's name
            of the run
    """

    rank: int = 0
    local_rank: int = 0
    size: int = 1
    launcher: str = "nothing"
    address: str = ""
    hosts: tuple[str, ...] = ()
    token: bytes = field(default=bytes(TOKEN), repr=False, compare=False)


_LAUNCHERS = (
    ("torchrun (RANK, WORLD_SIZE)", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
    (
        "mpiexec (OMPI_COMM_WORLD_SIZE)",
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_LOCAL_SIZE",
    ),
    ("mpiexec (PMI_SIZE)", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
    # Not SLURM_NTASKS, which a batch script sees as well: only processes that srun starts belong to a step.
    (
        "srun (SLURM_STEP_NUM_TASKS)",
        "SLURM_PROCID",
        "SLURM_STEP_NUM_TASKS",
        "SLURM_LOCALID",
        "SLURM_STEP_TASKS_PER_NODE",
    ),
)
"""Launchers, each with its variables for rank, number of processes, local rank, and number of processes on the host."""


def read_world(environment: Mapping[str, str]) -> World:
    """Return the rank of this process from its environment; a single process if no launcher has set one.

    Raises: ValueError for values that are not numbers, or that contradict each other

    >>> read_world({"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "node7", "MASTER_PORT": "29500"})
    World(rank=1, local_rank=1, size=2, launcher='torchrun (RANK, WORLD_SIZE)', address='node7:29500', hosts=())
    """
    for launcher, rank_name, size_name, local_name, local_size_name in _LAUNCHERS:
        if rank_name not in environment or size_name not in environment:
            continue
        rank, size = _read_number(environment, rank_name), _read_number(environment, size_name)
        if not rank < size:
            raise ValueError(f"a rank below {size_name}={size} expected, got {rank_name}={rank}")
        if local_name not in environment and environment.get("SLURM_PROCID") == environment[rank_name]:
            local_name = "SLURM_LOCALID"  # srun's MPI plugin sets the variables of MPI for rank and size only
        local = _read_number(environment, local_name) if local_name in environment else rank
        on_one_host = environment.get(local_size_name) == str(size)
        address = _find_address(environment, on_one_host=on_one_host)
        return World(rank, local, size, launcher, address, token=_find_token(environment, launcher))
    return _read_tensorflow(environment["TF_CONFIG"]) if "TF_CONFIG" in environment else World()


def _read_tensorflow(text: str) -> World:
    """Read TF_CONFIG, as TensorFlow's strategies do: the addresses of all processes, and the index of this one."""
    try:
        config = json.loads(text)
        jobs = {name: tuple(config["cluster"].get(name, ())) for name in ("chief", "worker")}
        kind, index = config["task"]["type"], int(config["task"]["index"])
        own, hosts = jobs[kind][index], jobs["chief"] + jobs["worker"]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise ValueError(
            f"a cluster with chief and worker, and a task among them, expected in TF_CONFIG, got {show(text)}"
        ) from None
    rank = hosts.index(own)
    name = own.rpartition(":")[0]
    local = sum([address.rpartition(":")[0] == name for address in hosts[:rank]])
    return World(rank, local, len(hosts), "TF_CONFIG", hosts[0], hosts)


_RUNS = {"torchrun": ("TORCHELASTIC_RUN_ID",), "srun": ("SLURM_JOB_ID", "SLURM_STEP_ID")}
"""The variables in which launchers store the name of a run, the same in all of its processes."""


def _find_token(environment: Mapping[str, str], launcher: str) -> bytes:
    names = ("LUXPORT_TOKEN", *_RUNS.get(launcher.partition(" ")[0], ()))
    text = json.dumps([environment.get(name, "") for name in names])
    return hashlib.blake2b(text.encode(), digest_size=TOKEN).digest()


def _read_number(environment: Mapping[str, str], name: str) -> int:
    text = environment[name]
    if not text.isdecimal():
        raise ValueError(f"a whole number expected in the environment's {name}, got {text[:40]!r}")
    return int(text)


def _find_address(environment: Mapping[str, str], *, on_one_host: bool) -> str:
    if "MASTER_ADDR" in environment and "MASTER_PORT" in environment:
        return f"{environment['MASTER_ADDR']}:{_read_number(environment, 'MASTER_PORT')}"
    if "SLURM_STEP_NODELIST" in environment and "SLURM_JOB_ID" in environment:
        port = _choose_port(f"{environment['SLURM_JOB_ID']}.{environment.get('SLURM_STEP_ID', '')}")
        return f"{find_first_host(environment['SLURM_STEP_NODELIST'])}:{port}"
    # On one host all processes of a run have the same parent, and those of another run have another.
    return f"127.0.0.1:{_choose_port(str(os.getppid()))}" if on_one_host else ""


def _choose_port(run: str) -> int:
    return 20_000 + zlib.crc32(run.encode()) % 10_000


def find_first_host(hosts: str) -> str:
    """Return the first host of a list in SLURM's notation.

    >>> find_first_host("node[007-012,31],other"), find_first_host("one,two"), find_first_host("r1n[3,5]")
    ('node007', 'one', 'r1n3')
    """
    beginning, bracket, rest = hosts.partition("[")
    if not bracket or "," in beginning:
        return hosts.partition(",")[0]
    return beginning + rest.partition("]")[0].partition(",")[0].partition("-")[0]
