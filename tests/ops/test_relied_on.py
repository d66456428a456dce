"""What a program of TensorFlow relies on may not hold: then its result, and gradient, is that of the careful one."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import luxport
from luxport import ops

INF, NAN = float("inf"), float("nan")
HARD = ([1.0, -2.0, INF], [0.5, -INF, 3.0], [NAN, 1.0, 2.0], [1e30, -1e30, 2.0], [3e38, 3e38, 3e38], [40.0, -40.0, 0.0])
RELYING = (
    *(ops.gelu_tanh, ops.gelu_sigmoid, ops.gelu_erf, ops.swish, ops.mish),
    *(partial(ops.softmax, axis=-1), partial(ops.logsoftmax, axis=-1)),
    lambda x: ops.max_pool(x[:, None], window=(2,), stride=1),
)


@pytest.mark.parametrize("function", RELYING)
def test_hard_numbers_are_those_of_eager_calls(function):
    """Eager calls look at the numbers themselves, and rely on nothing."""

    def value_and_slope(x):
        y, pull = luxport.vjp(function, x)
        return y, pull(luxport.namespace(y).ones_like(y))

    compiled = luxport.jit(value_and_slope)
    for row in HARD:
        x = luxport.asarray([row], backend="tf", dtype="float32")
        for found, expected in zip(*map(luxport.tree.leaves, (compiled(x), value_and_slope(x))), strict=True):
            np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-6, atol=1e-30)
