"""Failures while rank 0 writes a checkpoint: afterward `restore` finds the last complete one.

Each process saves a checkpoint, takes a step, and saves another, which is disturbed. The caller checks the folder,
given by the variable CHECKPOINTS, afterward.
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

from common import expect, list_values, make_model, say, squared_error
from failures import expect_lost, take_first_step

from luxport import distributed
from luxport.optimizers import Momentum
from luxport.porting.errors import FileFormatError
from luxport.training import TrainState, restore, save_checkpoint, train_step

FOLDER = "CHECKPOINTS"
_FEW_BYTES = 300
"""A part of the arrays' file."""


def _disturb_writing(backend: str, timeout: float, disturb: Callable[[Path], None], *, lost: int = 0) -> None:
    folder, rank = Path(os.environ[FOLDER]), distributed.rank()
    batch, state, options = take_first_step(backend)
    _save(folder, state)
    distributed.barrier()
    _, _, state = train_step(squared_error, batch, state, **options)
    if rank == lost or rank == 0:
        disturb(folder)
    if rank == 0:
        _save(folder, state)
    expect_lost(lambda: train_step(squared_error, batch, state, **options), timeout, lost)


def _save(folder: Path, state: TrainState) -> None:
    """Save a checkpoint, and then print its digest."""
    save_checkpoint(folder, state)
    if distributed.rank() == 0:
        say(f"whole {_digest(state)}")


def _digest(state: TrainState) -> str:
    return hashlib.sha256(repr(list_values(state)).encode()).hexdigest()


def fill_disk(backend: str, timeout: float) -> None:
    """Limit the size of files, so that writing fails in the middle of one, as on a full disk."""

    def disturb(folder: Path) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FEW_BYTES, _FEW_BYTES))

    try:
        _disturb_writing(backend, timeout, disturb)
    except OSError as error:
        expect(error.errno == errno.EFBIG and "step_00000002.safetensors" in str(error), error)
        say("done")
        raise


def _end_at_sync(number: int) -> Callable[[str, float], None]:
    """End rank 0 at call `number` of `fsync`."""

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

    return lambda backend, timeout: _disturb_writing(backend, timeout, disturb)


def end_rank_1(backend: str, timeout: float) -> None:
    """End rank 1 while rank 0 writes, which must still complete."""

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

    _disturb_writing(backend, timeout, disturb, lost=1)


def _wait_for(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not there():
        expect(time.monotonic() < deadline, "waited for a minute in vain")
        time.sleep(0.01)


KINDS: dict[str, Callable[[str, float], None]] = {
    "disk_full": fill_disk,
    "ending_in_arrays": _end_at_sync(1),
    "ending_between_files": _end_at_sync(2),  # the arrays are renamed, but the folder's entry is not yet synced
    "ending_in_note": _end_at_sync(3),
    "another_ends": end_rank_1,
}
"""What each process calls, with a backend and a timeout."""


def check_folder(folder: str, said: str) -> str:
    """Return "" if the last complete checkpoint is the one found, and the next save leaves nothing else behind."""
    told = [line.split()[1] for line in said.splitlines() if line.startswith("whole ")]
    created = TrainState.create(make_model(), Momentum(0.05), 0, backend="numpy")
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
