"""What goes with training is the same for n processes with batches of b and for one with n b, to 1e-6."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fitting import WHOLE
from stepping import BATCH, INSIDE, apart, batches, expect, model_with, squares

import luxport
from luxport import distributed
from luxport.optimizers import Adam, ClipGlobalNorm, Momentum, OptimizerChain
from luxport.training import MovingAverage, TrainState, restore, save_checkpoint, train_step

STEPS = 10


def equaling(backend: str, timeout: float) -> None:
    """Clip, average parameters, compute in halves, accumulate, end with a smaller batch."""
    rank, size, jit = distributed.rank(), distributed.total_workers(), backend in INSIDE
    clipping = OptimizerChain(ClipGlobalNorm(0.05), Momentum(0.05))
    norm = luxport.BatchNorm(3)
    can_sync = jit or backend == "torch"
    cases: dict[str, Any] = {
        "clipping": (model_with(), clipping, {}, {}, 1),
        # Halves are rounded in each part alike, so that one process takes the parts in turn.
        "bfloat16": (model_with(), Momentum(0.05), {"precision": "bfloat16"}, {}, size),
        "float16": (model_with(), Momentum(0.05), {"precision": "float16"}, {}, size),
        "accumulating": (model_with(), clipping, {}, {"accumulate": 2}, 1),
        "synchronized": (model_with(norm), Adam(0.01), {}, {"sync": True}, 1),
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
            # The last batch is smaller, in all processes alike; an odd number could not be cut in two.
            rows = BATCH - 2 if step == STEPS - 1 else BATCH
            mine = [slice(r * BATCH, r * BATCH + rows) for r in range(size)]
            data = [one[step] for one in batches(size, STEPS)]
            own = _made([one[mine[rank]] for one in data], backend)
            loss, _, state = train_step(squares, own, state, jit=jit, **stepping)
            average = ema.update(average, state.ps)
            if rank == 0:
                everyone = _made([np.concatenate([one[rows] for rows in mine]) for one in data], backend)
                wanted, _, alone = train_step(squares, everyone, alone, jit=jit, accumulate=parts)
                average_alone = ema.update(average_alone, alone.ps)
                expect(abs(float(loss) - float(wanted)) < 1e-6, (name, step, float(loss), float(wanted)))
        if rank == 0:
            expect(apart(state.ps, alone.ps) < 1e-6, (name, apart(state.ps, alone.ps)))
            expect(apart(average, average_alone) < 1e-6, (name, average, average_alone))
            expect(not sync or apart(state.st, alone.st) < 1e-6, (name, state.st, alone.st))
            expect(name != "float16" or float(state.scale["scale"]) == float(alone.scale["scale"]), state.scale)


def _made(arrays: list[Any], backend: str) -> Any:
    return tuple([luxport.asarray(one, backend=backend) for one in arrays])


def of_another_number(backend: str, timeout: float) -> None:
    """Go on from the checkpoint of another number of processes, if one is there, and save one: as one process alone."""
    rank, size, jit = distributed.rank(), distributed.total_workers(), backend in INSIDE
    folder = Path(os.environ["CHECKPOINTS"], "steps")

    def created(put: Callable[[Any], Any] = lambda state: state) -> Any:
        return put(TrainState.create(model_with(), Adam(0.01), 0, backend=backend))

    draws = np.random.default_rng(1)
    x = draws.standard_normal((3 * STEPS, WHOLE, 3)).astype(np.float32)
    data = x, np.tanh(x[..., ::-1] + x)
    state, alone = created(distributed.data_parallel), created()
    again = folder.is_dir()
    expect(again == (size > 2), "2 processes begin, others go on")
    if again:
        state = restore(str(folder), state)
        expect(int(state.step) % STEPS == 0 < int(state.step), state.step)
    begin, share = int(state.step), WHOLE // size
    for step in range(begin, begin + STEPS):
        rows = slice(rank * share, (rank + 1) * share)
        _, _, state = train_step(squares, _made([one[step][rows] for one in data], backend), state, jit=jit)
    distributed.barrier()
    save_checkpoint(str(folder), state)
    for step in range(begin + STEPS):
        _, _, alone = train_step(squares, _made([one[step] for one in data], backend), alone, jit=False)
    expect(apart(state.ps, alone.ps) < 1e-6, (begin, apart(state.ps, alone.ps)))
    expect(apart(state.opt_state, alone.opt_state) < 1e-6, "another state of the rule")
