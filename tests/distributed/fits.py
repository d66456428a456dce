"""`fit` in several processes: uneven shares, early ends, Ctrl-C in one of them, a resumed run of another size."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from common import BATCH, INSIDE, distance, expect, list_values, make_model, squared_error

import luxport
from luxport import distributed
from luxport.optimizers import Momentum
from luxport.training import BestCheckpoint, CSVLog, DataLoader, EarlyStopping, JSONLog, TrainState, evaluate, fit

EPOCHS = 3
WHOLE = 12
"""Samples of a step, divisible by every number of processes up to four."""


def make_samples(count: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).standard_normal((count, 3)).astype(np.float32)
    return x, np.tanh(x[:, ::-1] + x)


def create_state(backend: str, put: Any = lambda state: state) -> Any:
    return put(TrainState.create(make_model(), Momentum(0.05), 0, backend=backend))


def check_fit(backend: str, timeout: float) -> None:
    """Train on shares: parameters, means and logs of one process with all samples; only rank 0 writes files."""
    rank, size, jit = distributed.rank(), distributed.total_workers(), backend in INSIDE
    whole = make_samples(2 * size * BATCH + size + 1)  # in the last batch rank 0 has two samples, the others one
    share = distributed.DistributedDataContainer(whole)
    options: dict[str, Any] = {"epochs": EPOCHS, "jit": jit, "metrics": {"error": luxport.losses.mae}}
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:  # a folder for each process
        files = [os.path.join(folder, name) for name in ("logs.csv", "logs.json", "best")]
        callbacks = [CSVLog(files[0]), JSONLog(files[1]), BestCheckpoint(files[2])]
        start = create_state(backend, distributed.data_parallel)
        told_by: dict[str, Any] = {"validation": share, "show": lines.append, "callbacks": callbacks}
        state, history = fit(squared_error, start, share, batch_size=BATCH, **told_by, **options)
        # Only rank 0 prints and writes, since all of them have the same logs.
        expect(len(lines) == (EPOCHS if rank == 0 else 0), lines)
        expect([os.path.exists(file) for file in files] == [rank == 0] * 3, os.listdir(folder))
    told = [{name: value for name, value in logs.items() if "per_second" not in name} for logs in history]
    expect(distributed.synchronize(history) == history, history)
    if rank == 0:
        alone, wanted = fit(
            squared_error, create_state(backend), whole, batch_size=size * BATCH, validation=whole, show=None, **options
        )
        expect(distance(state.ps, alone.ps) < 1e-6, distance(state.ps, alone.ps))
        for found, logs in zip(told, wanted, strict=True):
            expect(found.keys() <= logs.keys(), (found, logs))
            expect(all([abs(value - logs[name]) < 1e-6 for name, value in found.items()]), (found, logs))
    looked = evaluate(squared_error, state, share, jit=jit)
    expect(abs(looked["loss"] - told[-1]["val_loss"]) < 1e-6, (looked, told[-1]))
    # Every sample comes exactly once an epoch, in an order common to all, also if the last batches are not full.
    numbers = np.arange(2 * size * BATCH + 1, dtype=np.float32)
    loader = DataLoader(distributed.DistributedDataContainer(numbers), BATCH, shuffle=True)
    passes = [[batch.tolist() for batch in loader] for _ in range(2)]
    expect(passes[0] != passes[1] and len(passes[0]) == len(loader), passes)
    for one in passes:
        turns = np.bincount(np.concatenate(one).astype(np.int64), minlength=len(numbers)).astype(np.float32)
        found = luxport.to_numpy(distributed.allreduce(luxport.asarray(turns, backend=backend), "sum"))
        expect(np.all(found == 1), found)


class Interrupted(DataLoader):
    """A loader that sends Ctrl-C to rank 1 at a batch."""

    place = 3

    def __iter__(self) -> Iterator[Any]:
        for number, batch in enumerate(super().__iter__()):
            if number == self.place and distributed.rank() == 1:
                os.kill(os.getpid(), signal.SIGINT)
            yield batch


def check_interruption(backend: str, timeout: float) -> None:
    """Ctrl-C in one process ends all after the same step; resuming from rank 0's checkpoint gives the same bits."""
    size, jit = distributed.total_workers(), backend in INSIDE
    share = distributed.DistributedDataContainer(make_samples(6 * size * BATCH))
    options: dict[str, Any] = {"jit": jit, "show": None, "batch_size": BATCH}

    def go(folder: str | None, epochs: int = EPOCHS, data: Any = share, **more: Any) -> Any:
        state = create_state(backend, distributed.data_parallel)
        return fit(squared_error, state, data, epochs=epochs, checkpoint=folder, **options, **more)

    undisturbed, history = go(None)
    # A callback that returns True in one process ends all of them.
    first = [lambda progress: progress.epoch == 1] if distributed.rank() == 1 else []
    expect(len(go(None, callbacks=first)[1]) == 1, "the other processes continued")
    expect(
        len(go(None, callbacks=[EarlyStopping("loss", 1, largest=True)])[1]) == 2,
        "ended after different epochs",
    )
    folder = os.path.join(tempfile.gettempdir(), f"luxport_fit_{os.environ['MASTER_PORT']}_{backend}_{size}")
    if distributed.rank() == 0:  # left by an earlier run with the same port
        shutil.rmtree(folder, ignore_errors=True)
    distributed.barrier()
    state, logs = go(folder, data=Interrupted(share, BATCH, shuffle=True, seed=0))
    steps = int(state.step)
    expect(steps < 6 and len(logs) == 1, (steps, logs))
    expect(distributed.synchronize([steps]) == [steps], steps)
    distributed.barrier()
    state, logs = go(folder, resume=True)
    expect(list_values(state) == list_values(undisturbed), "the result differs from the uninterrupted run")
    expect([one["loss"] for one in logs] != [] and len(logs) == EPOCHS, logs)
    distributed.barrier()
    if distributed.rank() == 0:
        shutil.rmtree(folder)


def check_resized_fit(backend: str, timeout: float) -> None:
    """Resume within an epoch after a run with another number of processes, if there was one: equal to one process."""
    size, jit = distributed.total_workers(), backend in INSIDE
    whole = make_samples(5 * WHOLE + 5)  # the last batch is split into two sizes

    def go(data: Any, put: Callable[[Any], Any] = lambda state: state, **options: Any) -> Any:
        state = put(TrainState.create(make_model(luxport.BatchNorm(3)), Momentum(0.05), 0, backend=backend))
        return fit(squared_error, state, data, epochs=2, show=None, **options)

    share = distributed.DistributedDataContainer(whole)
    loader = Interrupted(share, WHOLE // size, shuffle=True, seed=3)
    loader.place = {2: 3, 3: 1}.get(size, len(whole[0]))
    parallel = partial(distributed.data_parallel, sync_batch_norm=True)
    folder = os.path.join(os.environ["CHECKPOINTS"], "fit")
    state, logs = go(loader, parallel, validation=share, checkpoint=folder, resume=True, jit=jit)
    steps, last = int(state.step), size == 4
    expect(steps == 12 if last else 0 < steps < 6, (size, steps))
    if last and distributed.rank() == 0:
        alone, wanted = go(
            DataLoader(whole, WHOLE, shuffle=True, seed=3), validation=whole, batch_size=WHOLE, jit=False
        )
        expect(
            distance((state.ps, state.st), (alone.ps, alone.st)) < 1e-6,
            distance(state.ps, alone.ps),
        )
        for name in ("loss", "val_loss"):
            expect(abs(logs[-1][name] - wanted[-1][name]) < 1e-6, (name, logs, wanted))
