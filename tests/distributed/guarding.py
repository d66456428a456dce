"""Numbers that are not finite in one process alone, and several steps in one call: all processes do alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from stepping import INSIDE, apart, batches, bits, expect, model_with, part, squares

import luxport
from luxport import distributed
from luxport.optimizers import ClipGlobalNorm, Momentum, OptimizerChain
from luxport.training import NonFiniteError, TrainState, train_step

STEPS = 6


def guarding(backend: str, timeout: float) -> None:
    """Let one process's numbers overflow: all skip the step, halve the scale, or raise; go on as if it had not been."""
    rank, jit = distributed.rank(), backend in INSIDE
    data = batches(distributed.total_workers(), STEPS)
    rule = OptimizerChain(ClipGlobalNorm(0.5), Momentum(0.05))

    def created(**options: Any) -> Any:
        model = model_with(luxport.Dropout(0.25))
        return distributed.data_parallel(TrainState.create(model, rule, 0, backend=backend, **options))

    def go(state: Any, steps: Any, infinite: int | None = None, **options: Any) -> Any:
        for step in steps:
            x, y = part(data, step, backend, rank)
            if step == infinite and rank == 1:
                x = x * np.float32(np.inf)
            state = train_step(squares, (x, y), state.adjust(eta=0.05 / (1 + step)), jit=jit, **options)[2]
        return state

    def alike(values: Any) -> bool:
        return distributed.synchronize(values) == values

    # A dynamic scale falls, once, in all processes.
    scaled = created(precision="float16")
    before = float(scaled.scale["scale"])
    scaled = go(scaled, range(STEPS), 2)
    after = float(scaled.scale["scale"])
    expect((int(scaled.step), int(scaled.skipped)) == (STEPS - 1, 1), (scaled.step, scaled.skipped))
    expect(after == before / 2 and alike([after]) and alike(bits(scaled)), (before, after))
    # A step that is skipped has not been.
    skipped = go(created(), range(STEPS), STEPS - 1, nonfinite="skip")
    fewer = go(created(), range(STEPS - 1), nonfinite="skip")
    expect(int(skipped.skipped) == 1 and alike(bits(skipped)), skipped.skipped)
    expect(apart(skipped.ps, fewer.ps) == 0 and apart(skipped.opt_state, fewer.opt_state) < 1, "a step was taken")
    try:
        go(created(), range(STEPS), STEPS - 1, nonfinite="raise")
    except NonFiniteError as error:
        expect(int(error.state.step) == STEPS - 1 and apart(error.state.ps, fewer.ps) == 0, error)
    else:
        expect(False, "nothing was raised")
    # Several steps in one call are those one after the other.
    one = two = TrainState.create(model_with(), Momentum(0.05), 0, backend=backend)
    one, two = distributed.data_parallel(one), distributed.data_parallel(two)
    own = [part(data, step, backend, rank) for step in range(4)]
    for batch in own:
        one = train_step(squares, batch, one, jit=jit)[2]
    for pair in (own[:2], own[2:]):
        losses, _, two = train_step(squares, pair, two, jit=jit, steps_per_call=2)
        expect(tuple(losses.shape) == (2,), losses)
    expect(apart(one.ps, two.ps) < 1e-6 and alike(bits(two)), apart(one.ps, two.ps))
