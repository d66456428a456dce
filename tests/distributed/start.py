"""Starts processes of `together.py`, as torchrun and mpiexec do; as a program: all rounds, with 2 and 4 processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ALL = "collectives+upstream+out_of_step"
STEPS = "training+stepping+resuming+stepping_out"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port"]
EXAMPLE = HERE.parents[1] / "examples" / "distributed.py"


def begin(engine: str, rounds: str, size: int) -> list[subprocess.Popen[str]]:
    """Start a process for each rank, or the one that starts them."""
    port = _free_port()
    arguments = [sys.executable, str(HERE / "together.py"), engine, rounds, str(size)]
    if engine == "mpi":
        return [_started([mpiexec(), "-n", str(size), *arguments], {})]
    place = {"WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [_started(arguments, {**place, "RANK": rank, "LOCAL_RANK": rank}) for rank in range(size)]


def finished(engine: str, processes: list[subprocess.Popen[str]], timeout: float = 100) -> str:
    """Wait for them; return "" if all went well, else what they said."""
    try:
        said = [one.communicate(timeout=timeout)[0] for one in processes]
    finally:
        for one in processes:
            one.kill()
    return "" if all(text.strip().endswith("done") for text in said) else "\n".join(said)


def restarted(backend: str, folder: str, fatal: int, *, timeout: float = 200) -> tuple[list[str], str]:
    """Let torchrun train, and start again what is killed before a step; return what was said at the end, and all."""
    command = [*TORCHRUN, str(_free_port()), "--max-restarts", "1", str(HERE / "restarting.py"), folder, backend]
    one = _started([*command, str(fatal)], {})
    try:
        said = one.communicate(timeout=timeout)[0]
    finally:
        one.terminate()  # torchrun ends those that it has started
    return [line for line in said.splitlines() if line.startswith(("goes on", "parameters"))], said


def mpiexec() -> str:
    """Return the mpiexec beside this Python, which is that of the MPI that pip installs, or else the system's."""
    beside = Path(sys.executable).with_name("mpiexec")
    return str(beside) if beside.exists() else "mpiexec"


def _started(command: list[str], variables: dict[str, object]) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **{name: str(value) for name, value in variables.items()}}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def main() -> None:
    """Run everything, one after the other, and the example on each engine."""
    failed = 0
    for size in (2, 4):
        for engine in ("torch", "jax", "tf", "mpi"):
            more = ("raising", "leaving", "compiled", "stopped_inside", "killed_inside")
            ends = ("sleeping", *(more if engine in ("torch", "tf") else more[-1:] if engine == "jax" else ()))
            steps = STEPS + "+wrapping" if engine == "torch" else STEPS
            for rounds in (ALL, steps, "hanging", *ends):
                said = finished(engine, begin(engine, rounds, size), 300)
                failed += bool(said)
                print(f"{engine}, {size} processes, {rounds}: {said or 'as it should be'}", flush=True)
    starts = {
        "torch": [*TORCHRUN, str(_free_port()), str(EXAMPLE), "--backend", "torch"],
        "jax": [*TORCHRUN, str(_free_port()), str(EXAMPLE), "--backend", "jax"],
        "tf": [*TORCHRUN, str(_free_port()), str(EXAMPLE), "--backend", "tf"],
        "mpi": [mpiexec(), "-n", "2", sys.executable, str(EXAMPLE), "--engine", "mpi"],
    }
    for backend in ("torch", "jax", "tf"):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            undisturbed, said = restarted(backend, one, -1)
            again, said_too = restarted(backend, other, 7)
        right = len(undisturbed) == 1 and again == ["goes on from step 6", *undisturbed]
        failed += not right
        print(f"{backend}, killed and started again by torchrun: {'the same bits' if right else said + said_too}")
    for command in starts.values():
        said = _started(command, {}).communicate(timeout=300)[0]
        failed += "from one process" not in said
        print(said.strip().splitlines()[-1] if "from one process" in said else said, flush=True)
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
