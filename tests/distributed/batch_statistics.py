"""Statistics over several processes: integers that an objective counts, and BatchNorm over parts of different sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
from common import (
    BATCH,
    INSIDE,
    create_state,
    distance,
    expect,
    list_values,
    make_arrays,
    make_model,
    squared_error,
)
from fits import make_samples

import luxport
from luxport import distributed
from luxport.training import evaluate, fit, train_step

STEPS = 3


def count_errors(model: Any, ps: Any, st: Any, data: Any) -> Any:
    """Return the mean square error, and counts that float32 cannot hold exactly, of both signs and several types."""
    loss, st, _ = squared_error(model, ps, st, data)
    xp = luxport.backend.namespace(data[0])
    count = xp.sum(xp.astype(data[0] > -100, xp.int32))
    found = {"many": count * 7_000_003, "few": -count * 7_000_003, "byte": xp.astype(count, xp.uint8)}
    return loss, st, found | {"nothing": None, "word": "a", "turn": xp.astype(loss, xp.complex64) * (1 - 2j)}


def check_integer_statistics(backend: str, timeout: float) -> None:
    """Compare statistics of all processes with those of one process, exactly, with equal and with unequal batches."""
    rank, size, jit = distributed.rank(), distributed.total_workers(), backend in INSIDE
    state = distributed.data_parallel(create_state(backend, rank))
    alone = create_state(backend, 0)
    for step in range(STEPS):
        ends = [*[4 + 4 * r - min(step, r) for r in range(size)], 4 * size - step]
        x, y = [one[: ends[-1]] for one in make_samples(4 * size)]
        own = [one[ends[rank - 1] if rank else 0 : ends[rank]] for one in (x, y)]
        _, found, state = train_step(count_errors, make_arrays(own, backend), state, jit=jit)
        if rank == 0:
            _, wanted, alone = train_step(count_errors, make_arrays((x, y), backend), alone, jit=False)
            for name in ("many", "few", "byte"):
                expect(found[name].dtype == wanted[name].dtype and int(found[name]) == int(wanted[name]), (step, found))
            turns = [complex(luxport.to_numpy(one["turn"])) for one in (found, wanted)]
            expect(
                abs(turns[0] - turns[1]) < 1e-5 and (found["nothing"], found["word"]) == (None, "a"), (found, wanted)
            )


def check_batch_norm(backend: str, timeout: float) -> None:
    """Synchronize BatchNorm, also inside FrozenLayer and over parts of unequal batches: the results of one process."""
    rank, size, jit = distributed.rank(), distributed.total_workers(), backend in INSIDE
    within = luxport.Chain(luxport.Dense(3, 3), luxport.FrozenLayer(luxport.BatchNorm(3)), luxport.Dense(3, 3))
    cases = [(make_model(luxport.BatchNorm(3)), 2, [6, *[3] * (size - 1)], [5, *[1] * (size - 1)])]
    cases += [(within, 1, [BATCH] * size)] if jit or backend == "torch" else []
    for model, accumulate, *sizes in cases:
        state = distributed.data_parallel(create_state(backend, rank, model), sync_batch_norm=True)
        alone = create_state(backend, 0, model)
        for step in range(STEPS):
            ends = np.cumsum([0, *sizes[step % len(sizes)]])
            data = [one[: ends[-1]] for one in make_samples(6 * size)]
            own = make_arrays([one[ends[rank] : ends[rank + 1]] for one in data], backend)
            loss, _, state = train_step(squared_error, own, state, jit=jit, accumulate=accumulate)
            if rank == 0:
                whole = make_arrays(data, backend)
                wanted, _, alone = train_step(squared_error, whole, alone, jit=False, accumulate=accumulate)
                expect(abs(float(loss) - float(wanted)) < 1e-6, (accumulate, step, float(loss), float(wanted)))
        if rank == 0:
            expect(distance((state.ps, state.st), (alone.ps, alone.st)) < 1e-6, (accumulate, state.st, alone.st))
        expect(_is_alike(list_values(state)), "processes have different states")
        if not jit:  # outside of a step, where all batches have the same size again
            x = make_samples(4 * size)[0]
            y = state.model(make_arrays([x[4 * rank : 4 * rank + 4]], backend)[0], state.ps, state.st)[0]
            wanted = luxport.to_numpy(alone.model(make_arrays([x], backend)[0], state.ps, state.st)[0])
            difference = luxport.to_numpy(y) - wanted[4 * rank : 4 * rank + 4]
            expect(np.abs(difference).max() < 1e-5, (accumulate, difference))
    # With the last batch, rank 0 would accumulate over two parts and the others over one.
    share = distributed.DistributedDataContainer(make_samples(2 * size * BATCH + 2 * size + 1))
    state = distributed.data_parallel(create_state(backend, 0, make_model(luxport.BatchNorm(3))), sync_batch_norm=True)
    state = fit(squared_error, state, share, batch_size=BATCH, jit=jit, accumulate=2, show=None)[0]
    expect(int(state.step) == 3 and _is_alike(list_values(state)), state)
    # In test mode without running statistics each process normalizes its own batches, whose number may differ.
    plain = make_model(luxport.BatchNorm(3, track_stats=False))
    state = distributed.data_parallel(create_state(backend, 0, plain), sync_batch_norm=True)
    data = make_samples(BATCH * (1 + rank))
    for compiled in {False, jit}:
        found = evaluate(squared_error, state, data, batch_size=BATCH, jit=compiled)
        alone = evaluate(squared_error, create_state(backend, 0, plain), data, batch_size=BATCH, jit=compiled)
        expect(abs(found["loss"] - alone["loss"]) < 1e-6, (found, alone))


def _is_alike(values: Any) -> bool:
    return distributed.synchronize(values) == values
