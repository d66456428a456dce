"""Numbers that are not finite in one process alone, and several steps in one call: all processes act alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from common import INSIDE, distance, expect, list_values, make_batches, make_model, squared_error, take_batch

import luxport
from luxport import distributed
from luxport.optimizers import ClipGlobalNorm, Momentum, OptimizerChain
from luxport.training import NonFiniteError, TrainState, train_step

STEPS = 6


def check_nonfinite_numbers(backend: str, timeout: float) -> None:
    """Overflow in one process: all skip the step, halve the scale, or raise, and then continue as if it never was."""
    rank, jit = distributed.rank(), backend in INSIDE
    data = make_batches(distributed.total_workers(), STEPS)
    rule = OptimizerChain(ClipGlobalNorm(0.5), Momentum(0.05))

    def create_state(**options: Any) -> Any:
        model = make_model(luxport.Dropout(0.25))
        return distributed.data_parallel(TrainState.create(model, rule, 0, backend=backend, **options))

    def go(state: Any, steps: Any, infinite: int | None = None, **options: Any) -> Any:
        for step in steps:
            x, y = take_batch(data, step, backend, rank)
            if step == infinite and rank == 1:
                x = x * np.float32(np.inf)
            state = train_step(squared_error, (x, y), state.adjust(eta=0.05 / (1 + step)), jit=jit, **options)[2]
        return state

    def is_alike(values: Any) -> bool:
        return distributed.synchronize(values) == values

    # The dynamic scale is halved once, in all processes.
    scaled = create_state(precision="float16")
    before = float(scaled.scale["scale"])
    scaled = go(scaled, range(STEPS), 2)
    after = float(scaled.scale["scale"])
    expect((int(scaled.step), int(scaled.skipped)) == (STEPS - 1, 1), (scaled.step, scaled.skipped))
    expect(after == before / 2 and is_alike([after]) and is_alike(list_values(scaled)), (before, after))
    # A skipped step leaves no trace.
    skipped = go(create_state(), range(STEPS), STEPS - 1, nonfinite="skip")
    fewer = go(create_state(), range(STEPS - 1), nonfinite="skip")
    expect(int(skipped.skipped) == 1 and is_alike(list_values(skipped)), skipped.skipped)
    expect(
        distance(skipped.ps, fewer.ps) == 0 and distance(skipped.opt_state, fewer.opt_state) < 1,
        "a step was taken",
    )
    try:
        go(create_state(), range(STEPS), STEPS - 1, nonfinite="raise")
    except NonFiniteError as error:
        expect(int(error.state.step) == STEPS - 1 and distance(error.state.ps, fewer.ps) == 0, error)
    else:
        expect(False, "no error was raised")
    # Several steps in one call equal the same steps one after the other.
    one = two = TrainState.create(make_model(), Momentum(0.05), 0, backend=backend)
    one, two = distributed.data_parallel(one), distributed.data_parallel(two)
    own = [take_batch(data, step, backend, rank) for step in range(4)]
    for batch in own:
        one = train_step(squared_error, batch, one, jit=jit)[2]
    for pair in (own[:2], own[2:]):
        losses, _, two = train_step(squared_error, pair, two, jit=jit, steps_per_call=2)
        expect(tuple(losses.shape) == (2,), losses)
    expect(distance(one.ps, two.ps) < 1e-6 and is_alike(list_values(two)), distance(one.ps, two.ps))
