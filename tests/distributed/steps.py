"""`data_parallel`: the steps of one process to 1e-6, the same bits in all processes, also after resuming."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

import numpy as np
from common import BATCH, INSIDE, distance, expect, list_values, make_batches, make_model, squared_error, take_batch

import luxport
from luxport import distributed, tree
from luxport.optimizers import Momentum
from luxport.training import TrainState, restore, save_checkpoint, train_step

STEPS = 20


def check_float64_steps(backend: str, timeout: float) -> None:
    """Repeat `check_steps` in float64, where an error larger than rounding would show."""
    check_steps(backend, timeout, dtype="float64", within=1e-13)


def check_steps(
    backend: str, timeout: float, jit: bool | None = None, dtype: str = "float32", within: float = 1e-6
) -> None:
    """Train without BatchNorm, with separate statistics in each process, and with statistics of all."""
    rank, size = distributed.rank(), distributed.total_workers()
    jit = backend in INSIDE if jit is None else jit
    data = tuple([one.astype(dtype) for one in make_batches(size, STEPS)])
    norm = luxport.BatchNorm(3)
    for layers, together, parts in (((), False, 1), ((norm,), False, size), ((norm,), True, 1)):
        model = make_model(*layers)
        if together and jit and backend not in INSIDE:
            continue
        # Rank 0's parameters are used
        start = TrainState.create(model, Momentum(0.05), 1 + rank, backend=backend, dtype=dtype)
        state = distributed.data_parallel(start, sync_batch_norm=together)
        alone = TrainState.create(model, Momentum(0.05), 1, backend=backend, dtype=dtype)
        for step in range(STEPS):
            loss, stats, state = train_step(squared_error, take_batch(data, step, backend, rank), state, jit=jit)
            if rank == 0:
                # One process with the same batches; without synchronization, each part has statistics of its own.
                whole = take_batch(data, step, backend)
                wanted, counts, alone = train_step(squared_error, whole, alone, jit=False, accumulate=parts)
                expect(abs(float(loss) - float(wanted)) < within, (float(loss), float(wanted)))
                expect(int(stats["large"]) == int(counts["large"]), stats)
        if rank == 0:
            expect(
                distance(state.ps, alone.ps) < within,
                (layers, together, distance(state.ps, alone.ps)),
            )
            expect(together is False or distance(state.st, alone.st) < within, (state.st, alone.st))
        own = list_values(state)
        expect(distributed.synchronize(own) == own, "processes have different states")


def check_accumulation(backend: str, timeout: float) -> None:
    """Accumulate two halves of each process's batch: equal to one process with all samples."""
    rank, size, jit = distributed.rank(), distributed.total_workers(), backend in INSIDE
    data = make_batches(size, 5)
    state = distributed.data_parallel(TrainState.create(make_model(), Momentum(0.05), 0, backend=backend))
    alone = TrainState.create(make_model(), Momentum(0.05), 0, backend=backend)
    for step in range(5):
        loss, _, state = train_step(squared_error, take_batch(data, step, backend, rank), state, jit=jit, accumulate=2)
        if rank == 0:
            wanted, _, alone = train_step(squared_error, take_batch(data, step, backend), alone, jit=False)
            expect(abs(float(loss) - float(wanted)) < 1e-6, (float(loss), float(wanted)))
    expect(rank > 0 or distance(state.ps, alone.ps) < 1e-6, "differs from the step of one process")


def check_overflow(backend: str, timeout: float) -> None:
    """Give one process numbers whose squares overflow: the steps of one process with all samples."""
    rank, size, jit = distributed.rank(), distributed.total_workers(), backend in INSIDE
    x, y = make_batches(size, 4)
    x[2, BATCH : 2 * BATCH] *= 1e25
    model = luxport.Chain(luxport.BatchNorm(3), luxport.Dense(3, 3))
    state = distributed.data_parallel(TrainState.create(model, Momentum(0.05), 0, backend=backend))
    alone = TrainState.create(model, Momentum(0.05), 0, backend=backend)
    for step in range(4):
        loss, _, state = train_step(squared_error, take_batch((x, y), step, backend, rank), state, jit=jit)
        if rank == 0:
            wanted, _, alone = train_step(
                squared_error, take_batch((x, y), step, backend), alone, jit=False, accumulate=size
            )
            expect(abs(float(loss) - float(wanted)) < 1e-6, (step, float(loss), float(wanted)))
            expect(distance(state.ps, alone.ps) < 1e-6, (step, state.ps, alone.ps))


def check_resumed_steps(backend: str, timeout: float) -> None:
    """Resume from a checkpoint to the bit; draw dropout masks by rank; skip a step in all processes at once."""
    rank, size, jit = distributed.rank(), distributed.total_workers(), backend in INSIDE
    data = make_batches(size, 6)
    model = make_model(luxport.Dropout(0.5))
    folder = os.path.join(tempfile.gettempdir(), f"luxport_{os.environ['MASTER_PORT']}_{backend}")
    if rank == 0:  # left by an earlier run with the same port
        shutil.rmtree(folder, ignore_errors=True)
    distributed.barrier()

    def create_state() -> Any:
        return distributed.data_parallel(TrainState.create(model, Momentum(0.05), 0, backend=backend))

    def go(state: Any, begin: int, end: int) -> Any:
        for step in range(begin, end):
            x, y = take_batch(data, step, backend, rank)
            if step == 2 and rank == 1:
                x = x * np.float32(np.inf)
            _, _, state = train_step(squared_error, (x, y), state, jit=jit, nonfinite="skip")
        return state

    state = go(create_state(), 0, 3)
    expect(int(state.skipped) == 1 and int(state.step) == 2, (state.skipped, state.step))
    name = save_checkpoint(folder, state)
    distributed.barrier()
    expect(os.path.exists(name), name)
    wanted = list_values(go(state, 3, 6))
    found = list_values(go(restore(folder, create_state()), 3, 6))
    expect(found == wanted, "the resumed run has different bits")
    expect(list_values(go(go(create_state(), 0, 3), 3, 6)) == wanted, "a second run has different bits")
    # Each rank draws masks from its own stream: with the same batch everywhere, gradients differ.
    same = take_batch(data, 0, backend, 0)
    one = train_step(squared_error, same, create_state(), jit=jit)[2]
    alone = TrainState.create(model, Momentum(0.05), 0, backend=backend)
    keys = [
        luxport.random.fold_in(
            {"key": alone.st["layer_2"]["rng"]["key"], "counter": alone.st["layer_2"]["rng"]["counter"]}, r
        )
        for r in range(size)
    ]
    steps = []
    for key in keys:
        st = {**alone.st, "layer_2": {**alone.st["layer_2"], "rng": {**alone.st["layer_2"]["rng"], "key": key["key"]}}}
        steps.append(train_step(squared_error, same, alone.replace(st=st), jit=False, donate=False)[2].ps)
    means = tree.map(lambda *leaves: sum(leaves[1:], leaves[0]) / size, *steps)
    expect(
        distance(one.ps, means) < 1e-6 and distance(steps[0], steps[1]) > 1e-4,
        distance(one.ps, means),
    )
    distributed.barrier()
    if rank == 0:
        shutil.rmtree(folder)
