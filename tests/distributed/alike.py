"""What must be alike in all processes, and is named where it is not; what an objective counts; how batches are cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from fitting import samples
from stepping import BATCH, INSIDE, apart, batches, bits, expect, model_with, part, squares

import luxport
from luxport import distributed, optimizers
from luxport.optimizers import Momentum
from luxport.training import TrainState, evaluate, fit, train_step

STEPS = 3


def counted(model: Any, ps: Any, st: Any, data: Any) -> Any:
    """Return the mean square error, and numbers that float32 does not hold, of any size and sign."""
    loss, st, _ = squares(model, ps, st, data)
    xp = luxport.backend.namespace(data[0])
    count = xp.sum(xp.astype(data[0] > -100, xp.int32))
    found = {"many": count * 7_000_003, "few": -count * 7_000_003, "byte": xp.astype(count, xp.uint8)}
    return loss, st, found | {"nothing": None, "word": "a", "turn": xp.astype(loss, xp.complex64) * (1 - 2j)}


def counting(backend: str, timeout: float) -> None:
    """Count what one process counts, to the last digit, in batches of one size and of several."""
    rank, size, jit = distributed.rank(), distributed.total_workers(), backend in INSIDE
    state = distributed.data_parallel(_created(backend, rank))
    alone = _created(backend, 0)
    for step in range(STEPS):
        ends = [*[4 + 4 * r - min(step, r) for r in range(size)], 4 * size - step]
        x, y = [one[: ends[-1]] for one in samples(4 * size)]
        own = [one[ends[rank - 1] if rank else 0 : ends[rank]] for one in (x, y)]
        _, found, state = train_step(counted, _made(own, backend), state, jit=jit)
        if rank == 0:
            _, wanted, alone = train_step(counted, _made((x, y), backend), alone, jit=False)
            for name in ("many", "few", "byte"):
                expect(found[name].dtype == wanted[name].dtype and int(found[name]) == int(wanted[name]), (step, found))
            turns = [complex(luxport.to_numpy(one["turn"])) for one in (found, wanted)]
            expect(
                abs(turns[0] - turns[1]) < 1e-5 and (found["nothing"], found["word"]) == (None, "a"), (found, wanted)
            )


def cutting(backend: str, timeout: float) -> None:
    """Synchronize statistics wherever a BatchNorm is, and over parts of batches of different sizes: as one process."""
    rank, size, jit = distributed.rank(), distributed.total_workers(), backend in INSIDE
    within = luxport.Chain(luxport.Dense(3, 3), luxport.FrozenLayer(luxport.BatchNorm(3)), luxport.Dense(3, 3))
    cases = [(model_with(luxport.BatchNorm(3)), 2, [6, *[3] * (size - 1)], [5, *[1] * (size - 1)])]
    cases += [(within, 1, [BATCH] * size)] if jit or backend == "torch" else []
    for model, accumulate, *sizes in cases:
        state = distributed.data_parallel(_created(backend, rank, model), sync_batch_norm=True)
        alone = _created(backend, 0, model)
        for step in range(STEPS):
            ends = np.cumsum([0, *sizes[step % len(sizes)]])
            data = [one[: ends[-1]] for one in samples(6 * size)]
            own = _made([one[ends[rank] : ends[rank + 1]] for one in data], backend)
            loss, _, state = train_step(squares, own, state, jit=jit, accumulate=accumulate)
            if rank == 0:
                whole = _made(data, backend)
                wanted, _, alone = train_step(squares, whole, alone, jit=False, accumulate=accumulate)
                expect(abs(float(loss) - float(wanted)) < 1e-6, (accumulate, step, float(loss), float(wanted)))
        if rank == 0:
            expect(apart((state.ps, state.st), (alone.ps, alone.st)) < 1e-6, (accumulate, state.st, alone.st))
        expect(_is_alike(bits(state)), "another state in another process")
        if not jit:  # outside of a step, where batches have one size again
            x = samples(4 * size)[0]
            y = state.model(_made([x[4 * rank : 4 * rank + 4]], backend)[0], state.ps, state.st)[0]
            wanted = luxport.to_numpy(alone.model(_made([x], backend)[0], state.ps, state.st)[0])
            difference = luxport.to_numpy(y) - wanted[4 * rank : 4 * rank + 4]
            expect(np.abs(difference).max() < 1e-5, (accumulate, difference))
    # Of the last batch, parts of one process would be two, and those of the others one.
    share = distributed.DistributedDataContainer(samples(2 * size * BATCH + 2 * size + 1))
    state = distributed.data_parallel(_created(backend, 0, model_with(luxport.BatchNorm(3))), sync_batch_norm=True)
    state = fit(squares, state, share, batch_size=BATCH, jit=jit, accumulate=2, show=None)[0]
    expect(int(state.step) == 3 and _is_alike(bits(state)), state)
    # In test mode without running statistics each normalizes its own batches, of which there may be fewer.
    plain = model_with(luxport.BatchNorm(3, track_stats=False))
    state = distributed.data_parallel(_created(backend, 0, plain), sync_batch_norm=True)
    data = samples(BATCH * (1 + rank))
    for compiled in {False, jit}:
        found = evaluate(squares, state, data, batch_size=BATCH, jit=compiled)
        alone = evaluate(squares, _created(backend, 0, plain), data, batch_size=BATCH, jit=compiled)
        expect(abs(found["loss"] - alone["loss"]) < 1e-6, (found, alone))


def differing(backend: str, timeout: float) -> None:
    """Differ in what is no array: each process names the ranks and the difference, before anything is sent."""
    rank, jit = distributed.rank(), backend in INSIDE
    other = rank == 1
    activation = luxport.relu if other else luxport.tanh
    batch = part(batches(distributed.total_workers(), 1), 0, backend, rank)
    state = distributed.data_parallel(_created(backend, 0))

    def parallel(model: Any = None, mode: Callable[[Any], Any] = luxport.train_mode, **options: Any) -> Any:
        created = _created(backend, 0, model or model_with(luxport.Dropout(0.5)), **options)
        return distributed.data_parallel(created.replace(st=mode(created.st)))

    def stepped(change: Callable[[Any], Any]) -> Any:
        return train_step(squares, batch, change(state) if other else state, jit=jit, donate=False)

    def trained(count: int, **options: Any) -> Any:
        new = distributed.data_parallel(_created(backend, 0))
        return fit(squares, new, [batch] * count, jit=jit, show=None, **options)

    frozen = optimizers.freeze(state.opt_state, "layer_1")
    calls: dict[str, Callable[[], object]] = {
        "precision=None scaling=None, rank 1 has precision=bfloat16": lambda: parallel(
            precision="bfloat16" if other else None
        ),
        "Dense(3, 3, tanh), rank 1 has the model Dense(3, 3, relu)": lambda: parallel(
            luxport.Dense(3, 3, activation),
        ),
        "st.layer_2.training True, rank 1 has st.layer_2.training False": lambda: parallel(
            mode=luxport.test_mode if other else luxport.train_mode
        ),
        "the state of the step before, rank 1 has a state with another opt_state": lambda: stepped(
            lambda state: state.replace(opt_state=frozen)
        ),
        "rank 0 has opt_state.eta 0.01, rank 1 has opt_state.eta 0.02": lambda: trained(
            1, schedules={"eta": lambda number: 0.01 * (1 + other)}
        ),
        "an epoch that ends after 1 batches, rank 1 has train_step": lambda: trained(1 + other),
    }
    for said, call in calls.items():
        try:
            call()
        except distributed.DistributedError as error:
            expect(said in str(error) and "\n" not in str(error), error)
        else:
            expect(False, f"nothing was said where {said}")
    stepped(lambda state: state)


def _created(backend: str, seed: int, model: Any = None, **options: Any) -> TrainState:
    return TrainState.create(model or model_with(), Momentum(0.05), seed, backend=backend, **options)


def _made(arrays: Any, backend: str) -> Any:
    return tuple([luxport.asarray(one, backend=backend) for one in arrays])


def _is_alike(values: Any) -> bool:
    return distributed.synchronize(values) == values
