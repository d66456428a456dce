"""Starts processes of `together.py`, as torchrun and mpiexec do; as a program: all rounds, with 2 and 4 processes."""

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

import failing
import two_hosts
import writing

HERE = Path(__file__).parent
LONGEST = 900.0
"""So many seconds a row may take: four processes of JAX take six minutes for all steps beside much other work."""
ENGINES = ("torch", "jax", "tf", "mpi")
ALL = "collectives+upstream+out_of_step+misusing"
STEPS = "differentiating+halving+parting+training+stepping+accumulating+unusual+resuming+stepping_out+equaling"
FITS = ("uneven+fitting", "interrupting+guarding", "counting+cutting+differing")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port"]
_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []
"""Of each start one, where processes note that they are there: frameworks are imported at different times."""
EXAMPLE = HERE.parents[1] / "examples" / "distributed.py"


def begin(engine: str, rounds: str, size: int, sizes: Sequence[int] = ()) -> list[subprocess.Popen[str]]:
    """Start a process for each rank, or the one that starts them; `sizes` are what each rank hears of all of them."""
    port = _free_port()
    arguments = [sys.executable, str(HERE / "together.py"), engine, rounds, str(size)]
    _FOLDERS.append(tempfile.TemporaryDirectory())
    there: dict[str, object] = {"THERE": _FOLDERS[-1].name}
    if engine == "mpi":
        # mpiexec would end all processes where one of them is killed, before they could say anything. One that ends as
        # programs do waits for the others, who end it.
        options = [] if rounds in failing.AS_PROGRAMS_END else ["-disable-auto-cleanup"]
        return [_started([mpiexec(), *options, "-n", str(size), *arguments], there)]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, **there}
    return [
        _started(arguments, {**place, "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": told})
        for rank, told in enumerate(sizes or [size] * size)
    ]


def finished(engine: str, processes: list[subprocess.Popen[str]], timeout: float = LONGEST) -> str:
    """Wait for them; return "" if all went well, else what they said."""
    well, said = heard(engine, processes, timeout)
    return "" if well else said


def heard(engine: str, processes: list[subprocess.Popen[str]], timeout: float = LONGEST) -> tuple[bool, str]:
    """Wait for them; return whether all went well, and what they said."""
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
    if engine == "mpi" and rounds in failing.BY_A_SIGNAL and "(signal " in text:
        return "AssertionError" not in text, text  # MPICH's mpiexec ends all, and says this
    if engine == "jax" and failing.lost_rank() == 0 and "JAX distributed service detected fatal errors" in text:
        # JAX ends the others with its service, without a name: a line of ours has said it.
        return all(["lost rank 0, which ended" in one or "done" in one.splitlines() for one in said]), text
    return done == int(str(size)), text


def disturbed_while_writing(engine: str, kind: str) -> str:
    """Let two processes be disturbed while rank 0 writes; return "" if the last whole checkpoint is found then."""
    lost = 1 if kind == "another_ends" else 0
    with tempfile.TemporaryDirectory() as root:
        folder = os.path.join(root, "run")
        os.environ.update({writing.FOLDER: folder, failing.LOST: str(lost)})
        well, said = heard(engine, begin(engine, kind, 2))
        wrong = writing.check(folder, said)
    return "" if well and not wrong else f"{wrong}\n{said}"


def restarted(
    backend: str, folder: str, fatal: int, when: str = "before", *, timeout: float = LONGEST
) -> tuple[list[str], str]:
    """Let torchrun train, and start again what is killed at a step; return what was said at the end, and all."""
    command = [*TORCHRUN, str(_free_port()), "--max-restarts", "1", str(HERE / "restarting.py"), folder, backend]
    one = _started([*command, str(fatal), when], {})
    try:
        said = one.communicate(timeout=timeout)[0]
    finally:
        one.terminate()  # torchrun ends those that it has started
    return [line for line in said.splitlines() if line.startswith(("goes on", "parameters"))], said


def examples() -> dict[str, list[str]]:
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
    """Return the mpiexec beside this Python, which is that of the MPI that pip installs, or else the system's."""
    beside = Path(sys.executable).with_name("mpiexec")
    return str(beside) if beside.exists() else "mpiexec"


def _started(command: list[str], variables: dict[str, object]) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **{name: str(value) for name, value in variables.items()}}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _free_port() -> int:
    """Return a free port below those that the system gives to every connection: nobody takes it meanwhile.

    Processes listen there as soon as they have imported their framework, half a minute later on a busy machine.
    """
    while True:
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", random.randrange(10_000, 20_000)))
            return one.getsockname()[1]


Row = tuple[str, Callable[[], tuple[bool, str]]]


def rows() -> Iterator[Row]:
    """Yield what there is to try: its name, and a function that returns whether all is well, and what was said."""
    for size in (2, 4):
        for engine in ENGINES:
            steps = STEPS + "+penalizing+wrapping,compiled" if engine == "torch" else STEPS
            for rounds in (ALL, steps, *FITS):
                yield _of_processes(engine, size, rounds)
    for engine in ENGINES:
        for rounds in ("doubles", "equaling", *FITS):
            yield _of_processes(engine, 3, rounds)
        yield f"{engine}, from a checkpoint of 2 processes to 3, to 4", partial(_of_other_numbers, engine)
    for engine in two_hosts.ENGINES:
        yield f"{engine}, two hosts whose link is cut", partial(_of_two_hosts, engine)
    for backend in ("torch", "jax", "tf"):
        yield f"{backend}, killed and started again by torchrun", partial(_restarted_alike, backend)
    for start, command in examples().items():
        yield f"examples/distributed.py, {start}", partial(run_example, command)
    ends = [one for one in (*failing.KINDS, *failing.OTHERS) if one != "cut_off"]  # which needs two hosts
    for size in (2, 4):
        for engine in ENGINES:
            for rounds in ends:
                # Where one has ended, MPI's own end waits for it without end, unless mpiexec ends all.
                if (engine, rounds) != ("mpi", "leaving"):
                    yield _of_processes(engine, size, rounds)
    for engine in ENGINES:
        for rounds in ("killed", "exiting", "hung", "raising"):
            yield _of_processes(engine, 2, rounds, lost=0)
        for kind in writing.KINDS:
            yield f"{engine}, 2 processes, {kind}", partial(_of_a_checkpoint, engine, kind)


def _of_processes(engine: str, size: int, rounds: str, *, lost: int = 1) -> Row:
    def run() -> tuple[bool, str]:
        os.environ[failing.LOST] = str(lost)
        said = finished(engine, begin(engine, rounds, size))
        return not said, said or "as it should be"

    return f"{engine}, {size} processes, {rounds}" + ("" if lost else ", rank 0"), run


def _of_other_numbers(engine: str) -> tuple[bool, str]:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CHECKPOINTS"] = folder
        for size in (2, 3, 4):
            said = finished(engine, begin(engine, "of_another_number+going_on", size))
            if said:
                return False, f"{size} processes: {said}"
    return True, "as it should be"


def _of_a_checkpoint(engine: str, kind: str) -> tuple[bool, str]:
    said = disturbed_while_writing(engine, kind)
    return not said, said or "the last whole checkpoint is found"


def _of_two_hosts(engine: str) -> tuple[bool, str]:
    code, said = two_hosts.apart(engine)
    return code in (0, two_hosts.NOT_ALLOWED), said if code else "as it should be"


def _restarted_alike(backend: str) -> tuple[bool, str]:
    with tempfile.TemporaryDirectory() as root:
        undisturbed, told = restarted(backend, os.path.join(root, "undisturbed"), -1)
        right = len(undisturbed) == 1
        for fatal, when, begin in ((7, "before", 6), (6, "saving", 3)):
            again, said = restarted(backend, os.path.join(root, when), fatal, when)
            right = right and again == [f"goes on from step {begin}", *undisturbed]
            told += said
    return right, "the same bits" if right else told


def run_example(command: list[str]) -> tuple[bool, str]:
    one = _started(command, {})
    try:
        said = one.communicate(timeout=LONGEST)[0]
    finally:
        one.terminate()
    told = [line for line in said.splitlines() if "from one process" in line]
    return bool(told), told[0] if told else said


def main() -> None:
    """Run everything, one after the other, or only the rows in whose names all given words are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help='such as "jax" "4 processes"')
    words, failed = parser.parse_args().words, []
    for name, run in rows():
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
        print(f"not as it should be: {name}")
    raise SystemExit(len(failed))


if __name__ == "__main__":
    main()
