"""Twelve ways in which one of several processes fails: the others name only that one, within the timeout.

As a program it prints a table of them: ``python failures.py [--engines torch …] [--sizes 2 …] [--lost 1 …]``.
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
from common import INSIDE, expect, make_batches, make_model, say, squared_error, take_batch

import luxport
from luxport import distributed
from luxport.optimizers import Momentum
from luxport.training import TrainState, fit, train_step

TIMEOUT = 5.0
LOST = "LOST_RANK"
"""The environment variable with the rank that fails; 1 by default."""


def lost_rank() -> int:
    return int(os.environ.get(LOST, "1"))


def take_first_step(backend: str) -> tuple[Any, Any, dict[str, Any]]:
    """Take a first step, which compiles; return a batch, the state, and the options of the next steps."""
    options: dict[str, Any] = {"jit": backend in INSIDE, "donate": False}
    state = distributed.data_parallel(TrainState.create(make_model(), Momentum(0.05), 0, backend=backend))
    batch = take_batch(make_batches(distributed.total_workers(), 1), 0, backend, distributed.rank())
    _, _, state = train_step(squared_error, batch, state, **options)
    distributed.barrier()
    return batch, state, options


def _fail_between_steps(backend: str, timeout: float, fail: Callable[[], object]) -> None:
    """Fail between two steps."""
    batch, state, options = take_first_step(backend)
    if distributed.rank() == lost_rank():
        say("done")
        fail()
        return
    expect_lost(lambda: train_step(squared_error, batch, state, **options), timeout)


def _fail_inside_step(backend: str, timeout: float, fail: Callable[[], object]) -> None:
    """Fail while gradients are computed; in a compiled step, while it is traced."""
    batch, state, options = take_first_step(backend)

    def objective(model: Any, ps: Any, st: Any, data: Any) -> Any:
        fail()
        return squared_error(model, ps, st, data)

    if distributed.rank() == lost_rank():
        say("done")
        train_step(objective, batch, state, **options)
    expect_lost(lambda: train_step(squared_error, batch, state, **options), timeout)


def _strike(backend: str, timeout: float, blow: str) -> None:
    """Be struck by a signal from another process while steps follow each other, at any place within a step."""
    batch, state, options = take_first_step(backend)
    if distributed.rank() == lost_rank():
        say("done")
        own = os.getpid()
        command = f"sleep 0.5; kill -{blow} {own}"
        if blow == "STOP":
            command += f"; sleep {min(4 * timeout, 60)}; kill -KILL {own}"
        # In a session of its own: as soon as one process has ended, mpiexec ends the children of the others.
        nowhere = subprocess.DEVNULL
        subprocess.Popen(["sh", "-c", command], stdout=nowhere, stderr=nowhere, start_new_session=True)
    expect_lost(lambda: train_step(squared_error, batch, state, **options), timeout)


def _step_with_other_data(backend: str, timeout: float, change: Callable[[Any], Any]) -> None:
    """Step with different data: every process is told, this one too."""
    batch, state, options = take_first_step(backend)
    if distributed.rank() == lost_rank():
        batch = change(batch)
    begin = time.monotonic()
    try:
        train_step(squared_error, batch, state, **options)
    except distributed.DistributedError as error:
        _expect_in_time(begin, timeout)
        one, other = sorted([lost_rank(), 1 if lost_rank() == 0 else 0])
        expect("expects every process to do the same" in str(error), error)
        expect(f"rank {one} has data " in str(error) and f"rank {other} has data " in str(error), error)
    else:
        expect(False, "no error was raised")


def _fail_in_fit(backend: str, timeout: float, *, in_loader: bool) -> None:
    """Raise in the data loader, or in a callback after an epoch."""
    batch, state, options = take_first_step(backend)

    def fail() -> None:
        say("done")
        raise ValueError("on purpose")

    is_lost = distributed.rank() == lost_rank()

    began: list[float] = [0.0]

    def note_time() -> None:
        """Note the time: from here on others are waited for; programs were compiled before."""
        began[0] = time.monotonic()

    class Loader:
        def __iter__(self) -> Iterator[Any]:
            for number in range(2):
                if number and is_lost and in_loader:
                    fail()
                note_time()
                yield batch

    callbacks = [lambda progress: fail() if is_lost and not in_loader else note_time()]
    jit = options["jit"]
    expect_lost(
        lambda: fit(squared_error, state, Loader(), epochs=10_000, callbacks=callbacks, jit=jit, show=None),
        timeout,
        began=began,
    )


def expect_lost(
    step: Callable[[], object], timeout: float, lost: int | None = None, *, began: Sequence[float] = ()
) -> Any:
    """Expect a step to name the lost rank in time, counted from the last time in `began` if a call takes many steps."""
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
    raise AssertionError(f"nobody noticed that rank {lost} was lost")


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
    "killed": lambda backend, timeout: _strike(backend, timeout, "KILL"),
    "hung": lambda backend, timeout: _fail_inside_step(backend, timeout, lambda: _hang(timeout)),
    "raising": lambda backend, timeout: _fail_inside_step(backend, timeout, _raise),
    "other_tree": lambda backend, timeout: _step_with_other_data(
        backend, timeout, lambda batch: (batch[0], {"y": batch[1]})
    ),
    "other_shape": lambda backend, timeout: _step_with_other_data(
        backend, timeout, lambda batch: (batch[0][:, 1:], batch[1])
    ),
    "other_dtype": lambda backend, timeout: _step_with_other_data(
        backend, timeout, lambda batch: luxport.to(batch, dtype="float16")
    ),
    "leaving_early": lambda backend, timeout: _fail_between_steps(backend, timeout, sys.exit),
    "stopped": lambda backend, timeout: _strike(backend, timeout, "STOP"),
    "raising_in_loader": lambda backend, timeout: _fail_in_fit(backend, timeout, in_loader=True),
    "raising_in_callback": lambda backend, timeout: _fail_in_fit(backend, timeout, in_loader=False),
    "terminated": lambda backend, timeout: _strike(backend, timeout, "TERM"),
    "exiting": lambda backend, timeout: _fail_inside_step(backend, timeout, lambda: os._exit(3)),
}
"""What each process calls, with a backend and a timeout."""


AS_PROGRAMS_END = ("raising", "leaving_early", "raising_in_loader", "raising_in_callback", "disk_full")
"""Failures in which Python and the engine shut down in the usual way."""

BY_A_SIGNAL = ("killed", "terminated", "kill_between_steps")
"""Failures by a signal, after which MPICH's mpiexec ends all processes."""


def kill_between_steps(backend: str, timeout: float) -> None:
    """Be killed between two steps."""
    _fail_between_steps(backend, timeout, _kill)


def hang_between_steps(backend: str, timeout: float) -> None:
    """Hang between two steps."""
    _fail_between_steps(backend, timeout, lambda: _hang(timeout))


def come_too_late(backend: str, timeout: float) -> None:
    """Come too late to a collective operation."""
    x = luxport.asarray(np.zeros(2), backend=backend, dtype="float32")
    distributed.allreduce(x)
    if distributed.rank() == lost_rank():
        time.sleep(timeout + 1)
        return
    expect_lost(lambda: distributed.allreduce(x), timeout)


def exit_before_collective(backend: str, timeout: float) -> None:
    """Exit where the others begin a collective operation."""
    x = luxport.asarray(np.zeros(2), backend=backend, dtype="float32")
    if distributed.rank() == lost_rank():
        say("done")
        os._exit(1)
    expect_lost(lambda: distributed.allreduce(x), timeout)


def freeze(backend: str, timeout: float) -> None:
    """Be stopped for longer than JAX waits: JAX ends the others, and names the rank."""
    _strike(backend, timeout, "STOP")


def shut_down_without_one(backend: str, timeout: float) -> None:
    """Shut down after one process has ended: the others return or raise, and none waits long."""
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


def lose_link(backend: str, timeout: float) -> None:
    """Take steps until the other host cannot be reached; the caller cuts the link."""
    batch, state, options = take_first_step(backend)
    say("steps")
    other = 1 - distributed.rank()
    print(expect_lost(lambda: train_step(squared_error, batch, state, **options), timeout, other), flush=True)


OTHERS: dict[str, Callable[[str, float], None]] = {
    one.__name__: one
    for one in (
        kill_between_steps,
        hang_between_steps,
        come_too_late,
        exit_before_collective,
        shut_down_without_one,
        lose_link,
    )
}


def main() -> None:
    """Run each failure, and print how long the slowest survivor waited for its error."""
    from start import hear, start_round

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
                    started = start_round(engine, kind, size)
                    well, said = hear(engine, started, 300)
                    took = [float(line.split()[1]) for line in said.splitlines() if line.startswith("took ")]
                    failed += not well
                    result = f"{max(took, default=0):.2f} s" if well else f"failed\n{said}"
                    print(f"{engine}, {size} processes, rank {lost} {kind}: {result}", flush=True)
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
