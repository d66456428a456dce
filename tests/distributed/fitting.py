"""What processes do with `fit`: shares of any length, early ends, Ctrl-C in one of them, resumed by another number."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from stepping import BATCH, INSIDE, apart, bits, expect, model_with, squares

import luxport
from luxport import distributed
from luxport.optimizers import Momentum
from luxport.training import BestCheckpoint, CSVLog, DataLoader, EarlyStopping, JSONLog, TrainState, evaluate, fit

EPOCHS = 3
WHOLE = 12
"""So many samples a step has that processes of any number up to four take together."""


def samples(count: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).standard_normal((count, 3)).astype(np.float32)
    return x, np.tanh(x[:, ::-1] + x)


def created(backend: str, put: Any = lambda state: state) -> Any:
    return put(TrainState.create(model_with(), Momentum(0.05), 0, backend=backend))


def fitting(backend: str, timeout: float) -> None:
    """Train on shares: parameters and means of one process with all samples, the same logs, which rank 0 writes."""
    rank, size, jit = distributed.rank(), distributed.total_workers(), backend in INSIDE
    whole = samples(2 * size * BATCH + size + 1)  # the last batch has two samples for rank 0, one for the others
    share = distributed.DistributedDataContainer(whole)
    options: dict[str, Any] = {"epochs": EPOCHS, "jit": jit, "metrics": {"error": luxport.losses.mae}}
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:  # of each process its own
        files = [os.path.join(folder, name) for name in ("logs.csv", "logs.json", "best")]
        callbacks = [CSVLog(files[0]), JSONLog(files[1]), BestCheckpoint(files[2])]
        start = created(backend, distributed.data_parallel)
        told_by: dict[str, Any] = {"validation": share, "show": lines.append, "callbacks": callbacks}
        state, history = fit(squares, start, share, batch_size=BATCH, **told_by, **options)
        # Rank 0 alone tells what all of them would tell.
        expect(len(lines) == (EPOCHS if rank == 0 else 0), lines)
        expect([os.path.exists(file) for file in files] == [rank == 0] * 3, os.listdir(folder))
    told = [{name: value for name, value in logs.items() if "per_second" not in name} for logs in history]
    expect(distributed.synchronize(history) == history, history)
    if rank == 0:
        alone, wanted = fit(
            squares, created(backend), whole, batch_size=size * BATCH, validation=whole, show=None, **options
        )
        expect(apart(state.ps, alone.ps) < 1e-6, apart(state.ps, alone.ps))
        for found, logs in zip(told, wanted, strict=True):
            expect(found.keys() <= logs.keys(), (found, logs))
            expect(all([abs(value - logs[name]) < 1e-6 for name, value in found.items()]), (found, logs))
    looked = evaluate(squares, state, share, jit=jit)
    expect(abs(looked["loss"] - told[-1]["val_loss"]) < 1e-6, (looked, told[-1]))
    # Every sample has its turn once an epoch, in one order of all; of few more than whole batches have, too.
    numbers = np.arange(2 * size * BATCH + 1, dtype=np.float32)
    loader = DataLoader(distributed.DistributedDataContainer(numbers), BATCH, shuffle=True)
    passes = [[batch.tolist() for batch in loader] for _ in range(2)]
    expect(passes[0] != passes[1] and len(passes[0]) == len(loader), passes)
    for one in passes:
        turns = np.bincount(np.concatenate(one).astype(np.int64), minlength=len(numbers)).astype(np.float32)
        found = luxport.to_numpy(distributed.allreduce(luxport.asarray(turns, backend=backend), "sum"))
        expect(np.all(found == 1), found)


class Interrupted(DataLoader):
    """Batches in the middle of which Ctrl-C comes, in one process."""

    place = 3

    def __iter__(self) -> Iterator[Any]:
        for number, batch in enumerate(super().__iter__()):
            if number == self.place and distributed.rank() == 1:
                os.kill(os.getpid(), signal.SIGINT)
            yield batch


def interrupting(backend: str, timeout: float) -> None:
    """End by one process's Ctrl-C in all, after the same step; go on from rank 0's checkpoint to the bit."""
    size, jit = distributed.total_workers(), backend in INSIDE
    share = distributed.DistributedDataContainer(samples(6 * size * BATCH))
    options: dict[str, Any] = {"jit": jit, "show": None, "batch_size": BATCH}

    def go(folder: str | None, epochs: int = EPOCHS, data: Any = share, **more: Any) -> Any:
        state = created(backend, distributed.data_parallel)
        return fit(squares, state, data, epochs=epochs, checkpoint=folder, **options, **more)

    undisturbed, history = go(None)
    # One process's callback ends all of them.
    first = [lambda progress: progress.epoch == 1] if distributed.rank() == 1 else []
    expect(len(go(None, callbacks=first)[1]) == 1, "the others went on")
    expect(len(go(None, callbacks=[EarlyStopping("loss", 1, largest=True)])[1]) == 2, "an end that is not alike")
    folder = os.path.join(tempfile.gettempdir(), f"luxport_fit_{os.environ['MASTER_PORT']}_{backend}_{size}")
    if distributed.rank() == 0:  # what a run that met at the same port may have left
        shutil.rmtree(folder, ignore_errors=True)
    distributed.barrier()
    state, logs = go(folder, data=Interrupted(share, BATCH, shuffle=True, seed=0))
    steps = int(state.step)
    expect(steps < 6 and len(logs) == 1, (steps, logs))
    expect(distributed.synchronize([steps]) == [steps], steps)
    distributed.barrier()
    state, logs = go(folder, resume=True)
    expect(bits(state) == bits(undisturbed), "other bits than without Ctrl-C")
    expect([one["loss"] for one in logs] != [] and len(logs) == EPOCHS, logs)
    distributed.barrier()
    if distributed.rank() == 0:
        shutil.rmtree(folder)


def going_on(backend: str, timeout: float) -> None:
    """Go on in the middle of an epoch of another number of processes, if one is there: as one process, undisturbed."""
    size, jit = distributed.total_workers(), backend in INSIDE
    whole = samples(5 * WHOLE + 5)  # of the last batch parts have two sizes

    def go(data: Any, put: Callable[[Any], Any] = lambda state: state, **options: Any) -> Any:
        state = put(TrainState.create(model_with(luxport.BatchNorm(3)), Momentum(0.05), 0, backend=backend))
        return fit(squares, state, data, epochs=2, show=None, **options)

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
        expect(apart((state.ps, state.st), (alone.ps, alone.st)) < 1e-6, apart(state.ps, alone.ps))
        for name in ("loss", "val_loss"):
            expect(abs(logs[-1][name] - wanted[-1][name]) < 1e-6, (name, logs, wanted))
