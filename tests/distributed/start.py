"""Start processes of `worker.py`, by torchrun, mpiexec or alone; as a program: all rounds with 2, 3 and 4 processes."""

from __future__ import annotations

import argparse
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import disturbed_checkpoints
import failures
import two_hosts

HERE = Path(__file__).parent
LONGEST = 900.0
"""Seconds a row may take: four processes of JAX take six minutes for all steps on a busy machine."""
ENGINES = ("torch", "jax", "tf", "mpi")
ALL = "collectives+upstream_cases+collective_mismatches+misuse"
STEPS = (
    "gradients+half_types+gradient_pieces+training+steps+accumulation+overflow+resumed_steps"
    "+step_mismatches+step_options"
)
FITS = ("uneven_batches+fit", "interruption+nonfinite_numbers", "integer_statistics+batch_norm+setup_mismatches")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port"]
_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []
"""A folder for each start, where processes note that they have imported their framework."""
EXAMPLE = HERE.parents[1] / "examples" / "distributed.py"


def start_round(engine: str, rounds: str, size: int, sizes: Sequence[int] = ()) -> list[subprocess.Popen[str]]:
    """Start a process for each rank, or mpiexec; `sizes` are the world sizes that the ranks are told, if not `size`."""
    port = _free_port()
    arguments = [sys.executable, str(HERE / "worker.py"), engine, rounds, str(size)]
    _FOLDERS.append(tempfile.TemporaryDirectory())
    there: dict[str, object] = {"THERE": _FOLDERS[-1].name}
    if engine == "mpi":
        # mpiexec would end all processes when one of them is killed, before they could report it. A process that ends
        # in the usual way waits in MPI's end, and is ended with the others.
        options = [] if rounds in failures.AS_PROGRAMS_END else ["-disable-auto-cleanup"]
        return [_start([mpiexec(), *options, "-n", str(size), *arguments], there)]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, **there}
    return [
        _start(arguments, {**place, "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": told})
        for rank, told in enumerate(sizes or [size] * size)
    ]


def finish(engine: str, processes: list[subprocess.Popen[str]], timeout: float = LONGEST) -> str:
    """Wait for the processes; return "" if all succeeded, else their output."""
    well, said = hear(engine, processes, timeout)
    return "" if well else said


def hear(engine: str, processes: list[subprocess.Popen[str]], timeout: float = LONGEST) -> tuple[bool, str]:
    """Wait for the processes; return whether all succeeded, and their output."""
    try:
        said = [one.communicate(timeout=timeout)[0] for one in processes]
    except subprocess.TimeoutExpired:
        for one in processes:
            one.kill()
        return False, "\n".join([f"not done after {timeout:g} s", *[one.communicate()[0] for one in processes]])
    finally:
        for one in processes:
            one.kill()
    text = "\n".join(said)
    done = text.splitlines().count("done")
    *_, rounds, size = list(processes[0].args)  # type: ignore[arg-type]
    if engine == "mpi" and rounds in failures.BY_A_SIGNAL and "(signal " in text:
        return "AssertionError" not in text, text  # MPICH's mpiexec ends all processes, and prints this
    if engine == "jax" and failures.lost_rank() == 0 and "JAX distributed service detected fatal errors" in text:
        # JAX ends the others when its service is lost, without naming a rank; a line of luxport's does.
        return all(["lost rank 0, which ended" in one or "done" in one.splitlines() for one in said]), text
    return done == int(str(size)), text


def disturb_writing(engine: str, kind: str) -> str:
    """Disturb two processes while rank 0 writes; return "" if the last complete checkpoint is found afterward."""
    lost = 1 if kind == "another_ends" else 0
    with tempfile.TemporaryDirectory() as root:
        folder = os.path.join(root, "run")
        os.environ.update({disturbed_checkpoints.FOLDER: folder, failures.LOST: str(lost)})
        well, said = hear(engine, start_round(engine, kind, 2))
        wrong = disturbed_checkpoints.check_folder(folder, said)
    return "" if well and not wrong else f"{wrong}\n{said}"


def train_with_restart(
    backend: str, folder: str, fatal: int, when: str = "before", *, timeout: float = LONGEST
) -> tuple[list[str], str]:
    """Let torchrun train, and restart after a kill at a step; return the last lines, and the whole output."""
    command = [
        *TORCHRUN,
        str(_free_port()),
        "--max-restarts",
        "1",
        str(HERE / "restartable_training.py"),
        folder,
        backend,
    ]
    one = _start([*command, str(fatal), when], {})
    try:
        said = one.communicate(timeout=timeout)[0]
    finally:
        one.terminate()  # torchrun ends the processes that it started
    return [line for line in said.splitlines() if line.startswith(("goes on", "parameters"))], said


def list_examples() -> dict[str, list[str]]:
    """Return the commands that start the example: by torchrun, mpiexec and alone, on each engine."""
    found = {}
    for backend in ("torch", "jax", "tf"):
        own = [str(EXAMPLE), "--backend", backend]
        mpi = [mpiexec(), "-n", "2", sys.executable, *own]
        found[f"torchrun, {backend}"] = [*TORCHRUN, str(_free_port()), *own]
        found[f"mpiexec, {backend}"] = [*mpi, "--engine", backend]
        found[f"mpiexec, mpi with arrays of {backend}"] = [*mpi, "--engine", "mpi"]
        found[f"python, {backend}"] = [sys.executable, *own]
    return found


def mpiexec() -> str:
    """Return the mpiexec next to this Python, from the MPI that pip installs, or else the system's."""
    beside = Path(sys.executable).with_name("mpiexec")
    return str(beside) if beside.exists() else "mpiexec"


def _start(command: list[str], variables: dict[str, object]) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **{name: str(value) for name, value in variables.items()}}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _free_port() -> int:
    """Return a free port below the range that the system assigns to connections, so that nobody takes it meanwhile.

    Processes listen there only after they have imported their framework, which may take half a minute.
    """
    while True:
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", random.randrange(10_000, 20_000)))
            return one.getsockname()[1]


Row = tuple[str, Callable[[], tuple[bool, str]]]


def list_rows() -> Iterator[Row]:
    """Yield each round: its name, and a function that returns whether it succeeded, and its output."""
    for size in (2, 4):
        for engine in ENGINES:
            steps = STEPS + "+gradient_penalty+torch_wrappers,compiled_steps" if engine == "torch" else STEPS
            for rounds in (ALL, steps, *FITS):
                yield _row_of_processes(engine, size, rounds)
    for engine in ENGINES:
        for rounds in ("float64_steps", "step_options", *FITS):
            yield _row_of_processes(engine, 3, rounds)
        yield f"{engine}, from a checkpoint of 2 processes to 3, to 4", partial(_resize_checkpoint, engine)
    for engine in two_hosts.ENGINES:
        yield f"{engine}, two hosts whose link is cut", partial(_cut_two_hosts, engine)
    for backend in ("torch", "jax", "tf"):
        yield f"{backend}, killed and started again by torchrun", partial(_compare_restarts, backend)
    for start, command in list_examples().items():
        yield f"examples/distributed.py, {start}", partial(run_example, command)
    ends = [one for one in (*failures.KINDS, *failures.OTHERS) if one != "lose_link"]  # needs two hosts
    for size in (2, 4):
        for engine in ENGINES:
            for rounds in ends:
                # After one process has ended, MPI's shutdown waits for it forever, unless mpiexec ends all.
                if (engine, rounds) != ("mpi", "shut_down_without_one"):
                    yield _row_of_processes(engine, size, rounds)
    for engine in ENGINES:
        for rounds in ("killed", "exiting", "hung", "raising"):
            yield _row_of_processes(engine, 2, rounds, lost=0)
        for kind in disturbed_checkpoints.KINDS:
            yield f"{engine}, 2 processes, {kind}", partial(_disturb_checkpoint, engine, kind)


def _row_of_processes(engine: str, size: int, rounds: str, *, lost: int = 1) -> Row:
    def run() -> tuple[bool, str]:
        os.environ[failures.LOST] = str(lost)
        said = finish(engine, start_round(engine, rounds, size))
        return not said, said or "passed"

    return f"{engine}, {size} processes, {rounds}" + ("" if lost else ", rank 0"), run


def _resize_checkpoint(engine: str) -> tuple[bool, str]:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CHECKPOINTS"] = folder
        for size in (2, 3, 4):
            said = finish(engine, start_round(engine, "resized_checkpoint+resized_fit", size))
            if said:
                return False, f"{size} processes: {said}"
    return True, "passed"


def _disturb_checkpoint(engine: str, kind: str) -> tuple[bool, str]:
    said = disturb_writing(engine, kind)
    return not said, said or "the last whole checkpoint is found"


def _cut_two_hosts(engine: str) -> tuple[bool, str]:
    code, said = two_hosts.cut_link(engine)
    return code in (0, two_hosts.NOT_ALLOWED), said if code else "passed"


def _compare_restarts(backend: str) -> tuple[bool, str]:
    with tempfile.TemporaryDirectory() as root:
        undisturbed, told = train_with_restart(backend, os.path.join(root, "undisturbed"), -1)
        right = len(undisturbed) == 1
        for fatal, when, begin in ((7, "before", 6), (6, "saving", 3)):
            again, said = train_with_restart(backend, os.path.join(root, when), fatal, when)
            right = right and again == [f"goes on from step {begin}", *undisturbed]
            told += said
    return right, "the same bits" if right else told


def run_example(command: list[str]) -> tuple[bool, str]:
    one = _start(command, {})
    try:
        said = one.communicate(timeout=LONGEST)[0]
    finally:
        one.terminate()
    told = [line for line in said.splitlines() if "from one process" in line]
    return bool(told), told[0] if told else said


def main() -> None:
    """Run all rounds one after the other, or only those whose names contain all given words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help='such as "jax" "4 processes"')
    words, failed = parser.parse_args().words, []
    for name, run in list_rows():
        if not all([word in name for word in words]):
            continue
        begun = time.monotonic()
        try:
            well, said = run()
        except subprocess.TimeoutExpired as error:
            well, said = False, str(error)
        failed += [] if well else [name]
        print(f"{time.monotonic() - begun:6.1f} s  {name}: {said}", flush=True)
    for name in failed:
        print(f"failed: {name}")
    raise SystemExit(len(failed))


if __name__ == "__main__":
    main()
