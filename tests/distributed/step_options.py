"""Options of training steps: n processes with batches of b equal one process with batches of n b, to 1e-6."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import BATCH, INSIDE, distance, expect, make_arrays, make_batches, make_model, squared_error
from fits import WHOLE

import luxport
from luxport import distributed
from luxport.optimizers import Adam, ClipGlobalNorm, Momentum, OptimizerChain
from luxport.training import MovingAverage, TrainState, restore, save_checkpoint, train_step

STEPS = 10


def check_step_options(backend: str, timeout: float) -> None:
    """Clip gradients, average parameters, use half precision, accumulate, and end with a smaller batch."""
    rank, size, jit = distributed.rank(), distributed.total_workers(), backend in INSIDE
    clipping = OptimizerChain(ClipGlobalNorm(0.05), Momentum(0.05))
    norm = luxport.BatchNorm(3)
    can_sync = jit or backend == "torch"
    cases: dict[str, Any] = {
        "clipping": (make_model(), clipping, {}, {}, 1),
        # Each process rounds its part to half precision, so the single process takes the same parts in turn.
        "bfloat16": (make_model(), Momentum(0.05), {"precision": "bfloat16"}, {}, size),
        "float16": (make_model(), Momentum(0.05), {"precision": "float16"}, {}, size),
        "accumulating": (make_model(), clipping, {}, {"accumulate": 2}, 1),
        "synchronized": (make_model(norm), Adam(0.01), {}, {"sync": True}, 1),
    }
    for name, (model, rule, creating, stepping, parts) in cases.items():
        sync = stepping.pop("sync", False)
        if sync and not can_sync:
            continue
        created = TrainState.create(model, rule, rank, backend=backend, **creating)
        state = distributed.data_parallel(created, sync_batch_norm=sync)
        alone = TrainState.create(model, rule, 0, backend=backend, **creating)
        ema = MovingAverage(0.5)
        average, average_alone = ema.setup(state.ps), ema.setup(alone.ps)
        for step in range(STEPS):
            # The last batch is smaller in all processes; its size is even, so that it can be halved.
            rows = BATCH - 2 if step == STEPS - 1 else BATCH
            mine = [slice(r * BATCH, r * BATCH + rows) for r in range(size)]
            data = [one[step] for one in make_batches(size, STEPS)]
            own = make_arrays([one[mine[rank]] for one in data], backend)
            loss, _, state = train_step(squared_error, own, state, jit=jit, **stepping)
            average = ema.update(average, state.ps)
            if rank == 0:
                everyone = make_arrays([np.concatenate([one[rows] for rows in mine]) for one in data], backend)
                wanted, _, alone = train_step(squared_error, everyone, alone, jit=jit, accumulate=parts)
                average_alone = ema.update(average_alone, alone.ps)
                expect(abs(float(loss) - float(wanted)) < 1e-6, (name, step, float(loss), float(wanted)))
        if rank == 0:
            expect(distance(state.ps, alone.ps) < 1e-6, (name, distance(state.ps, alone.ps)))
            expect(distance(average, average_alone) < 1e-6, (name, average, average_alone))
            expect(not sync or distance(state.st, alone.st) < 1e-6, (name, state.st, alone.st))
            expect(name != "float16" or float(state.scale["scale"]) == float(alone.scale["scale"]), state.scale)


def check_resized_checkpoint(backend: str, timeout: float) -> None:
    """Resume from a checkpoint of another number of processes, if there is one, and save one: equal to one process."""
    rank, size, jit = distributed.rank(), distributed.total_workers(), backend in INSIDE
    folder = Path(os.environ["CHECKPOINTS"], "steps")

    def create_state(put: Callable[[Any], Any] = lambda state: state) -> Any:
        return put(TrainState.create(make_model(), Adam(0.01), 0, backend=backend))

    draws = np.random.default_rng(1)
    x = draws.standard_normal((3 * STEPS, WHOLE, 3)).astype(np.float32)
    data = x, np.tanh(x[..., ::-1] + x)
    state, alone = create_state(distributed.data_parallel), create_state()
    again = folder.is_dir()
    expect(again == (size > 2), "a run of 2 processes begins, the others resume")
    if again:
        state = restore(str(folder), state)
        expect(int(state.step) % STEPS == 0 < int(state.step), state.step)
    begin, share = int(state.step), WHOLE // size
    for step in range(begin, begin + STEPS):
        rows = slice(rank * share, (rank + 1) * share)
        _, _, state = train_step(squared_error, make_arrays([one[step][rows] for one in data], backend), state, jit=jit)
    distributed.barrier()
    save_checkpoint(str(folder), state)
    for step in range(begin + STEPS):
        _, _, alone = train_step(squared_error, make_arrays([one[step] for one in data], backend), alone, jit=False)
    expect(distance(state.ps, alone.ps) < 1e-6, (begin, distance(state.ps, alone.ps)))
    expect(distance(state.opt_state, alone.opt_state) < 1e-6, "the optimizer states differ")
