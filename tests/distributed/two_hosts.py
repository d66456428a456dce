"""Two hosts on one machine whose link is cut in the middle: ``python two_hosts.py [ENGINE …]``.

Each host is a network namespace with a name of its own, which needs no rights but those of `unshare`. PyTorch's
processes are started by a torchrun on each host, MPI's by one mpiexec, the others by their variables. When the link is
cut, each process must name the other one within the timeout. Where namespaces are not allowed, a message says so.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

PLACES = ("10.77.0.1", "10.77.0.2")
ENGINES = ("torch", "tf", "jax", "mpi")
NOT_ALLOWED = 77
HERE = Path(__file__)


def cut_link(engine: str, timeout: float = 200) -> tuple[int, str]:
    """Cut the link of two hosts; return 0 if both report it, `NOT_ALLOWED` or another code, and the output."""
    # A namespace of processes leaves no process behind.
    alone = [
        "unshare",
        "--user",
        "--map-root-user",
        "--net",
        "--uts",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ]
    command = [*alone, sys.executable, str(HERE), "--inside", engine]
    try:
        if (tried := subprocess.run([*alone, "true"], capture_output=True, text=True)).returncode:
            return NOT_ALLOWED, f"namespaces are not allowed here: {tried.stderr.strip()}"
        if subprocess.run(["ip", "-V"], capture_output=True).returncode:
            return NOT_ALLOWED, "the command ip does not work here"
    except FileNotFoundError as error:
        return NOT_ALLOWED, f"there is no command {error.filename} here: install util-linux and iproute2"
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)
    return done.returncode, done.stdout


def _inside(engine: str) -> int:
    """Act as the first host: create the second one and the link, and start a process on each."""
    socket.sethostname(PLACES[0])  # engines resolve the host's name
    program = f"import socket, time; socket.sethostname({PLACES[1]!r}); print('there', flush=True); time.sleep(900)"
    command = ["unshare", "--net", "--uts", sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None and other.stdout.readline() == "there\n"
            on_other = ["nsenter", "--target", str(other.pid), "--net", "--uts"]
            _run("ip link add name link0 type veth peer name link1 netns", str(other.pid))
            for place, name, host in zip(PLACES, ("link0", "link1"), ([], on_other), strict=True):
                _run(*host, f"ip addr add {place}/24 dev {name}")
                _run(*host, f"ip link set {name} up")
                _run(*host, "ip link set lo up")
            if engine == "mpi":
                with tempfile.TemporaryDirectory() as folder:
                    return _cut_link(_start_by_mpiexec(on_other, Path(folder)))
            return _cut_link([_start(engine, rank, host) for rank, host in enumerate(([], on_other))])
        finally:
            other.kill()


def _run(*words: str) -> None:
    subprocess.run([part for word in words for part in word.split()], check=True)


_VARIABLES = {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def _start_by_mpiexec(on_other: Sequence[str], folder: Path) -> list[subprocess.Popen[str]]:
    """Start processes by one mpiexec; return readers of their output, which the link would carry otherwise."""
    there = folder / "there"
    there.write_text(
        f"""#!/bin/sh
while [ "${{1#-}}" != "$1" ]; do shift; done
[ "$1" = {PLACES[1]} ] && on="{" ".join(on_other)}"
shift
exec $on sh -c "$*"
"""
    )
    there.chmod(0o700)
    hearing = []
    for rank in range(len(PLACES)):
        os.mkfifo(folder / str(rank))
        hearing.append(subprocess.Popen(["cat", str(folder / str(rank))], stdout=subprocess.PIPE, text=True))
    options = ["-disable-auto-cleanup", "-launcher", "ssh", "-launcher-exec", str(there), "-hosts", ",".join(PLACES)]
    program = f"exec {sys.executable} {HERE.with_name('worker.py')} mpi lose_link 2 > {folder}/$PMI_RANK 2>&1"
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else "mpiexec"
    # Otherwise MPI would notice that both hosts are one machine, and use shared memory.
    environment = os.environ | _VARIABLES | {"MPIR_CVAR_CH4_NETMOD": "ofi", "FI_PROVIDER": "tcp"}
    subprocess.Popen([mpiexec, *options, "-ppn", "1", "-n", "2", "sh", "-c", program], env=environment)
    return hearing


def _start(engine: str, rank: int, host: Sequence[str]) -> subprocess.Popen[str]:
    program = [str(HERE.with_name("worker.py")), engine, "lose_link", "2"]
    variables = {**_VARIABLES, "MASTER_ADDR": PLACES[0], "MASTER_PORT": "29400"}
    command = [*host, sys.executable]
    if engine == "torch":
        place = ["--node-rank", str(rank), "--master-addr", PLACES[0], "--master-port", "29500"]
        command += ["-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1", *place]
    else:
        variables |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": "0"}
    return subprocess.Popen(
        [*command, *program], env=os.environ | variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _cut_link(processes: Sequence[subprocess.Popen[str]]) -> int:
    """Cut the link as soon as both processes take steps, and collect their output."""
    said: list[str] = []
    for word in ("steps", "done"):  # then torchrun would wait for the torchrun of the other host
        for one in processes:
            assert one.stdout is not None
            for line in one.stdout:
                said.append(line.strip())
                print(said[-1], flush=True)
                if said[-1] == word:
                    break
        if word == "steps":
            _run("ip link set link0 down")
    for one in processes:
        one.kill()
    return int(said.count("done") != len(processes))


def main() -> None:
    """Run each engine, and print the result."""
    failed = False
    for engine in sys.argv[1:] or ENGINES:
        code, said = cut_link(engine)
        if code == NOT_ALLOWED:
            raise SystemExit(said)
        failed |= bool(code)
        print(f"{engine}, two hosts whose link is cut: {'failed' if code else 'passed'}\n{said}", flush=True)
    raise SystemExit(failed)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        raise SystemExit(_inside(sys.argv[2]))
    main()
