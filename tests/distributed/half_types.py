"""Means of half types over processes: the mean of equal numbers is that number, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from common import INSIDE, expect

import luxport
from luxport import distributed
from luxport.optimizers import Descent
from luxport.training import TrainState, train_step

NUMBERS = np.array([2.0**-24, 3 * 2.0**-24, 0.333251953125, 40000.0])
"""Float16 numbers: the two smallest, which halving would round, one with all digits, and one whose double overflows."""


def check_half_types(backend: str, timeout: float) -> None:
    """Average arrays by collectives, and gradients by `train_step`: compiled and not."""
    x = luxport.asarray(NUMBERS, backend=backend, dtype="float16")
    for found in (distributed.allreduce(x), distributed.reduce(x, root=0)):
        expect(luxport.to_numpy(found).tolist() == NUMBERS.tolist(), found)
    model = luxport.Scale(len(NUMBERS), use_bias=False)
    for jit in (False, True) if backend in INSIDE else (False,):
        state = distributed.data_parallel(TrainState.create(model, Descent(1.0), ps={"weight": x * 0.0}, st={}))
        state = train_step(sum_outputs, x[None, :], state, jit=jit)[2]
        expect(luxport.to_numpy(state.ps["weight"]).tolist() == (-NUMBERS).tolist(), (jit, state.ps))


def sum_outputs(model: Any, ps: Any, st: Any, x: Any) -> Any:
    """Return the sum of the outputs, whose gradient is x."""
    y, st = model(x, ps, st)
    return luxport.namespace(y).sum(y), st, {}
