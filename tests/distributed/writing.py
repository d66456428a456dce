"""Kinds in which something goes wrong while rank 0 writes a checkpoint: the last whole one is what `restore` finds.

Each process saves one, takes a step, and saves another, which is disturbed. Whoever has started them checks the folder
afterward, which is that of the variable CHECKPOINTS.
"""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from failing import begun, expect_lost
from stepping import bits, expect, model_with, say, squares

from luxport import distributed
from luxport.optimizers import Momentum
from luxport.porting.errors import FileFormatError
from luxport.training import TrainState, restore, save_checkpoint, train_step

FOLDER = "CHECKPOINTS"
_FEW_BYTES = 300
"""More than nothing of the arrays' file, and less than all of it."""


def _writing(backend: str, timeout: float, disturb: Callable[[Path], None], *, lost: int = 0) -> None:
    folder, rank = Path(os.environ[FOLDER]), distributed.rank()
    batch, state, options = begun(backend)
    _save(folder, state)
    distributed.barrier()
    _, _, state = train_step(squares, batch, state, **options)
    if rank == lost or rank == 0:
        disturb(folder)
    if rank == 0:
        _save(folder, state)
    expect_lost(lambda: train_step(squares, batch, state, **options), timeout, lost)


def _save(folder: Path, state: TrainState) -> None:
    """Save a checkpoint, and say what it was when it is there."""
    save_checkpoint(folder, state)
    if distributed.rank() == 0:
        say(f"whole {_digest(state)}")


def _digest(state: TrainState) -> str:
    return hashlib.sha256(repr(bits(state)).encode()).hexdigest()


def disk_full(backend: str, timeout: float) -> None:
    """Let no file become larger than a few bytes: the system says so in the middle of one, as where a disk is full."""

    def disturb(folder: Path) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FEW_BYTES, _FEW_BYTES))

    try:
        _writing(backend, timeout, disturb)
    except OSError as error:
        expect(error.errno == errno.EFBIG and "step_00000002.safetensors" in str(error), error)
        say("done")
        raise


def _end_at(number: int) -> Callable[[str, float], None]:
    """Let rank 0 end where it brings something to the disk for the so-manieth time."""

    def disturb(folder: Path) -> None:
        left = [number]
        bring = os.fsync

        def end(file: Any) -> None:
            left[0] -= 1
            if not left[0]:
                say("done")
                os._exit(3)
            bring(file)

        os.fsync = end

    return lambda backend, timeout: _writing(backend, timeout, disturb)


def another_ends(backend: str, timeout: float) -> None:
    """Let rank 1 end while rank 0 writes, which is to finish that."""

    def disturb(folder: Path) -> None:
        gone = folder.with_suffix(".gone")
        if distributed.rank():
            _wait_for(lambda: any(folder.glob(".luxport-*.unfinished")))
            say("done")
            gone.touch()
            os._exit(3)
        bring = os.fsync

        def wait(file: Any) -> None:
            _wait_for(gone.exists)
            time.sleep(0.2)
            bring(file)

        os.fsync = wait

    _writing(backend, timeout, disturb, lost=1)


def _wait_for(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not there():
        expect(time.monotonic() < deadline, "nothing came in a minute")
        time.sleep(0.01)


KINDS: dict[str, Callable[[str, float], None]] = {
    "disk_full": disk_full,
    "ending_in_arrays": _end_at(1),
    "ending_between_files": _end_at(2),  # the arrays have their name, and their folder is not on the disk
    "ending_in_note": _end_at(3),
    "another_ends": another_ends,
}
"""Functions of a backend and a timeout, which each process calls."""


def check(folder: str, said: str) -> str:
    """Return "" if the checkpoint that is found is the last that somebody said was whole, and nothing else is left."""
    told = [line.split()[1] for line in said.splitlines() if line.startswith("whole ")]
    created = TrainState.create(model_with(), Momentum(0.05), 0, backend="numpy")
    try:
        state = restore(folder, created)
    except (FileNotFoundError, FileFormatError) as error:
        return str(error)
    if _digest(state) != told[-1] or int(state.step) != len(told):
        return f"step {int(state.step)} was found, and {len(told)} were whole"
    rubbish = [name for name in os.listdir(folder) if name.endswith(".unfinished")]
    save_checkpoint(folder, state)
    names = sorted([f"step_{1 + step:08d}.{ending}" for step in range(len(told)) for ending in ("json", "safetensors")])
    left = sorted(os.listdir(folder))
    return "" if left == names else f"{left} are left after the next save, {rubbish} were before"
