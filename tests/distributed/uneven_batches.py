"""Batches of different sizes in the processes: the steps of one process with all of their samples, to 1e-6."""

from __future__ import annotations

import numpy as np
from common import INSIDE, distance, expect, list_values, make_arrays, make_model, squared_error

import luxport
from luxport import distributed
from luxport.optimizers import Momentum
from luxport.training import TrainState, train_step

STEPS = 6


def check_uneven_batches(backend: str, timeout: float) -> None:
    """Train without BatchNorm, with synchronized BatchNorm, and with two parts a batch; every second step is uneven."""
    rank, size = distributed.rank(), distributed.total_workers()
    model, norm = make_model(), make_model(luxport.BatchNorm(3))
    for trained, accumulate in ((model, 1), (norm, 1), (model, 2)):
        created = TrainState.create(trained, Momentum(0.05), 0, backend=backend)
        state = distributed.data_parallel(created, sync_batch_norm=trained is norm)
        alone = TrainState.create(trained, Momentum(0.05), 0, backend=backend)
        draws = np.random.default_rng(0)
        for step in range(STEPS):
            ends = np.cumsum([0] + [4 + 2 * ((step + r) % 2) * (step % 2) for r in range(size)])
            x = draws.standard_normal((ends[-1], 3)).astype(np.float32)
            data = (x, np.tanh(x[:, ::-1] + x))
            own = make_arrays([one[ends[rank] : ends[rank + 1]] for one in data], backend)
            loss, stats, state = train_step(squared_error, own, state, jit=backend in INSIDE, accumulate=accumulate)
            if rank == 0:
                wanted, counts, alone = train_step(squared_error, make_arrays(data, backend), alone, jit=False)
                expect(abs(float(loss) - float(wanted)) < 1e-6, (step, float(loss), float(wanted)))
                expect(int(stats["large"]) == int(counts["large"]), (stats, counts))
        if rank == 0:
            expect(distance((state.ps, state.st), (alone.ps, alone.st)) < 1e-6, (state.ps, alone.ps))
        own_bits = list_values(state)
        expect(distributed.synchronize(own_bits) == own_bits, "processes have different states")
