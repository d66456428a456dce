"""Twelve kinds in which one of several processes fails: the others name it, and nobody else, within the timeout.

As a program it prints a table of them: ``python failing.py [--engines torch …] [--sizes 2 …] [--lost 1 …]``.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from stepping import INSIDE, batches, expect, model_with, part, say, squares

import luxport
from luxport import distributed
from luxport.optimizers import Momentum
from luxport.training import TrainState, fit, train_step

TIMEOUT = 5.0
LOST = "LOST_RANK"
"""The variable with the rank that fails; 1 if it is not set."""


def lost_rank() -> int:
    return int(os.environ.get(LOST, "1"))


def begun(backend: str) -> tuple[Any, Any, dict[str, Any]]:
    """Return a batch and a state after a first step, which is compiled, and options of the next ones."""
    options: dict[str, Any] = {"jit": backend in INSIDE, "donate": False}
    state = distributed.data_parallel(TrainState.create(model_with(), Momentum(0.05), 0, backend=backend))
    batch = part(batches(distributed.total_workers(), 1), 0, backend, distributed.rank())
    _, _, state = train_step(squares, batch, state, **options)
    distributed.barrier()
    return batch, state, options


def _fails_between(backend: str, timeout: float, fail: Callable[[], object]) -> None:
    """Let it fail between two steps."""
    batch, state, options = begun(backend)
    if distributed.rank() == lost_rank():
        say("done")
        fail()
        return
    expect_lost(lambda: train_step(squares, batch, state, **options), timeout)


def _fails_inside(backend: str, timeout: float, fail: Callable[[], object]) -> None:
    """Let it fail while it computes gradients: a compiled step, while it is traced."""
    batch, state, options = begun(backend)

    def objective(model: Any, ps: Any, st: Any, data: Any) -> Any:
        fail()
        return squares(model, ps, st, data)

    if distributed.rank() == lost_rank():
        say("done")
        train_step(objective, batch, state, **options)
    expect_lost(lambda: train_step(squares, batch, state, **options), timeout)


def _struck(backend: str, timeout: float, blow: str) -> None:
    """Let somebody else strike it while steps go on one after the other, wherever it is then."""
    batch, state, options = begun(backend)
    if distributed.rank() == lost_rank():
        say("done")
        own = os.getpid()
        command = f"sleep 0.5; kill -{blow} {own}"
        if blow == "STOP":
            command += f"; sleep {min(4 * timeout, 60)}; kill -KILL {own}"
        # In a session of its own: as soon as one process has ended, mpiexec ends what the others have started.
        nowhere = subprocess.DEVNULL
        subprocess.Popen(["sh", "-c", command], stdout=nowhere, stderr=nowhere, start_new_session=True)
    expect_lost(lambda: train_step(squares, batch, state, **options), timeout)


def _differs(backend: str, timeout: float, change: Callable[[Any], Any]) -> None:
    """Let it step with other data: it is told, too."""
    batch, state, options = begun(backend)
    if distributed.rank() == lost_rank():
        batch = change(batch)
    begin = time.monotonic()
    try:
        train_step(squares, batch, state, **options)
    except distributed.DistributedError as error:
        _expect_in_time(begin, timeout)
        one, other = sorted([lost_rank(), 1 if lost_rank() == 0 else 0])
        expect("expects every process to do the same" in str(error), error)
        expect(f"rank {one} has data " in str(error) and f"rank {other} has data " in str(error), error)
    else:
        expect(False, "nothing was said")


def _fails_in_fit(backend: str, timeout: float, *, in_loader: bool) -> None:
    """Let it raise in its loader, or in a callback after its epoch."""
    batch, state, options = begun(backend)

    def fail() -> None:
        say("done")
        raise ValueError("on purpose")

    is_lost = distributed.rank() == lost_rank()

    began: list[float] = [0.0]

    def begin() -> None:
        """Note that what follows waits for others; before that programs are compiled."""
        began[0] = time.monotonic()

    class Loader:
        def __iter__(self) -> Iterator[Any]:
            for number in range(2):
                if number and is_lost and in_loader:
                    fail()
                begin()
                yield batch

    callbacks = [lambda progress: fail() if is_lost and not in_loader else begin()]
    jit = options["jit"]
    expect_lost(
        lambda: fit(squares, state, Loader(), epochs=10_000, callbacks=callbacks, jit=jit, show=None),
        timeout,
        began=began,
    )


def expect_lost(
    step: Callable[[], object], timeout: float, lost: int | None = None, *, began: Sequence[float] = ()
) -> Any:
    """Expect that one of the next steps names a rank in time; of one call with many steps it `began` the last then."""
    lost = lost_rank() if lost is None else lost
    begin = last = time.monotonic()
    while last - begin < 8 * timeout:
        try:
            step()
        except distributed.DistributedError as error:
            told = f"lost rank {lost}, which ended" in str(error) and "\n" not in str(error)
            expect(told or (distributed.rank() == lost and "came too late" in str(error)), error)
            if distributed.rank() != lost:
                _expect_in_time(max([last, *began]), timeout)
            return error
        last = time.monotonic()
    raise AssertionError(f"rank {lost} was not missed")


def _expect_in_time(begin: float, timeout: float) -> None:
    took = time.monotonic() - begin
    say(f"took {took:.2f}")
    expect(took < timeout, f"it took {took:.2f} s")


def _hang(timeout: float) -> None:
    time.sleep(3 * timeout)
    os._exit(0)


def _raise() -> None:
    raise ValueError("on purpose")


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


KINDS: dict[str, Callable[[str, float], None]] = {
    "killed": lambda backend, timeout: _struck(backend, timeout, "KILL"),
    "hung": lambda backend, timeout: _fails_inside(backend, timeout, lambda: _hang(timeout)),
    "raising": lambda backend, timeout: _fails_inside(backend, timeout, _raise),
    "other_tree": lambda backend, timeout: _differs(backend, timeout, lambda batch: (batch[0], {"y": batch[1]})),
    "other_shape": lambda backend, timeout: _differs(backend, timeout, lambda batch: (batch[0][:, 1:], batch[1])),
    "other_dtype": lambda backend, timeout: _differs(
        backend, timeout, lambda batch: luxport.to(batch, dtype="float16")
    ),
    "leaving_early": lambda backend, timeout: _fails_between(backend, timeout, sys.exit),
    "stopped": lambda backend, timeout: _struck(backend, timeout, "STOP"),
    "raising_in_loader": lambda backend, timeout: _fails_in_fit(backend, timeout, in_loader=True),
    "raising_in_callback": lambda backend, timeout: _fails_in_fit(backend, timeout, in_loader=False),
    "terminated": lambda backend, timeout: _struck(backend, timeout, "TERM"),
    "exiting": lambda backend, timeout: _fails_inside(backend, timeout, lambda: os._exit(3)),
}
"""Functions of a backend and a timeout, which each process calls."""


AS_PROGRAMS_END = ("raising", "leaving_early", "raising_in_loader", "raising_in_callback", "disk_full")
"""Where it goes through the end of Python, and that of its engine."""

BY_A_SIGNAL = ("killed", "terminated", "killed_between")
"""Where one is ended so, MPICH's mpiexec ends all."""


def killed_between(backend: str, timeout: float) -> None:
    """Let it be killed where the next thing that the others do is a step."""
    _fails_between(backend, timeout, _kill)


def sleeping(backend: str, timeout: float) -> None:
    """Let it hang between two steps."""
    _fails_between(backend, timeout, lambda: _hang(timeout))


def hanging(backend: str, timeout: float) -> None:
    """Let it come too late to an operation."""
    x = luxport.asarray(np.zeros(2), backend=backend, dtype="float32")
    distributed.allreduce(x)
    if distributed.rank() == lost_rank():
        time.sleep(timeout + 1)
        return
    expect_lost(lambda: distributed.allreduce(x), timeout)


def ending(backend: str, timeout: float) -> None:
    """Let it end where the others begin an operation."""
    x = luxport.asarray(np.zeros(2), backend=backend, dtype="float32")
    if distributed.rank() == lost_rank():
        say("done")
        os._exit(1)
    expect_lost(lambda: distributed.allreduce(x), timeout)


def frozen(backend: str, timeout: float) -> None:
    """Let it stand still, with more patience than JAX has: it ends the others, and names that one."""
    _struck(backend, timeout, "STOP")


def leaving(backend: str, timeout: float) -> None:
    """Let the others leave where one has ended: they may, or are told, and none of them waits for it for long."""
    x = luxport.asarray(np.zeros(2), backend=backend, dtype="float32")
    distributed.allreduce(x)
    if distributed.rank() == lost_rank():
        say("done")
        os._exit(1)
    time.sleep(1)
    begin = time.monotonic()
    try:
        distributed.shutdown()
    except distributed.DistributedError as error:
        told = f"lost another process: rank {lost_rank()} ended, or did not come within {timeout:g} s"
        expect(told in str(error) and "\n" not in str(error), error)
    took = time.monotonic() - begin
    expect(took < 3 * timeout and not distributed.initialized(), f"it took {took:.2f} s")


def cut_off(backend: str, timeout: float) -> None:
    """Take steps until the other host is out of reach, which somebody else sees to."""
    batch, state, options = begun(backend)
    say("steps")
    other = 1 - distributed.rank()
    print(expect_lost(lambda: train_step(squares, batch, state, **options), timeout, other), flush=True)


OTHERS: dict[str, Callable[[str, float], None]] = {
    one.__name__: one for one in (killed_between, sleeping, hanging, ending, leaving, cut_off)
}


def main() -> None:
    """Let each kind happen, and print how long the slowest of those that are left waited for its error."""
    from start import begin, heard

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", nargs="*", default=["torch", "jax", "tf", "mpi"])
    parser.add_argument("--sizes", nargs="*", type=int, default=[2, 3, 4])
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--lost", nargs="*", type=int, default=[1], help="the ranks that fail, one after the other")
    options = parser.parse_args()
    failed = 0
    for engine in options.engines:
        for size in options.sizes:
            for lost in options.lost:
                os.environ[LOST] = str(lost)
                for kind in options.kinds:
                    started = begin(engine, kind, size)
                    well, said = heard(engine, started, 300)
                    took = [float(line.split()[1]) for line in said.splitlines() if line.startswith("took ")]
                    failed += not well
                    result = f"{max(took, default=0):.2f} s" if well else f"not as it should be\n{said}"
                    print(f"{engine}, {size} processes, rank {lost} {kind}: {result}", flush=True)
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
