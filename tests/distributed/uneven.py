"""Batches of different sizes in the processes: the steps of one process with all of their samples, to 1e-6."""

from __future__ import annotations

from typing import Any

import numpy as np
from stepping import INSIDE, apart, bits, expect, model_with, squares

import luxport
from luxport import distributed
from luxport.optimizers import Momentum
from luxport.training import TrainState, train_step

STEPS = 6


def uneven(backend: str, timeout: float) -> None:
    """Train without BatchNorm, with one of all processes, and by two parts of a batch; every second step is uneven."""
    rank, size = distributed.rank(), distributed.total_workers()
    model, norm = model_with(), model_with(luxport.BatchNorm(3))
    for trained, accumulate in ((model, 1), (norm, 1), (model, 2)):
        created = TrainState.create(trained, Momentum(0.05), 0, backend=backend)
        state = distributed.data_parallel(created, sync_batch_norm=trained is norm)
        alone = TrainState.create(trained, Momentum(0.05), 0, backend=backend)
        draws = np.random.default_rng(0)
        for step in range(STEPS):
            ends = np.cumsum([0] + [4 + 2 * ((step + r) % 2) * (step % 2) for r in range(size)])
            x = draws.standard_normal((ends[-1], 3)).astype(np.float32)
            data = (x, np.tanh(x[:, ::-1] + x))
            own = _made([one[ends[rank] : ends[rank + 1]] for one in data], backend)
            loss, stats, state = train_step(squares, own, state, jit=backend in INSIDE, accumulate=accumulate)
            if rank == 0:
                wanted, counts, alone = train_step(squares, _made(data, backend), alone, jit=False)
                expect(abs(float(loss) - float(wanted)) < 1e-6, (step, float(loss), float(wanted)))
                expect(int(stats["large"]) == int(counts["large"]), (stats, counts))
        if rank == 0:
            expect(apart((state.ps, state.st), (alone.ps, alone.st)) < 1e-6, (state.ps, alone.ps))
        own_bits = bits(state)
        expect(distributed.synchronize(own_bits) == own_bits, "another state in another process")


def _made(arrays: Any, backend: str) -> Any:
    return tuple([luxport.asarray(one, backend=backend) for one in arrays])
