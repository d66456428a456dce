"""TensorFlow's programs with shortcuts fall back to the careful formulas for numbers that break the assumptions."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import luxport
import luxport_tf.transforms
from luxport import ops
from luxport_conformance.cases.activation_curvature import PLACES, SMOOTH

INF, NAN = float("inf"), float("nan")
HARD = ([1.0, -2.0, INF], [0.5, -INF, 3.0], [NAN, 1.0, 2.0], [1e30, -1e30, 2.0], [3e38, 3e38, 3e38], [40.0, -40.0, 0.0])
RELYING = (
    *(ops.gelu_tanh, ops.gelu_sigmoid, ops.gelu_erf, ops.swish, ops.mish),
    *(partial(ops.softmax, axis=-1), partial(ops.logsoftmax, axis=-1)),
    lambda x: ops.max_pool(x[:, None], window=(2,), stride=1),
)


@pytest.mark.parametrize("function", RELYING)
def test_extreme_numbers_give_the_results_of_eager_calls(function):
    """Eager calls test the numbers themselves, and assume nothing."""

    def value_and_slope(x):
        y, pull = luxport.vjp(function, x)
        return y, pull(luxport.namespace(y).ones_like(y))

    compiled = luxport.jit(value_and_slope)
    for row in HARD:
        x = luxport.asarray([row], backend="tf", dtype="float32")
        for found, expected in zip(*map(luxport.tree.leaves, (compiled(x), value_and_slope(x))), strict=True):
            np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("name", ["gelu_tanh", "gelu_sigmoid", "gelu_erf", "swish", "mish"])
def test_derivatives_are_precise_with_shortcuts(name, monkeypatch):
    """The conformance case puts all activations into one program, in which one may cause the fallback of others."""
    traced, trace = [], luxport_tf.transforms._trace

    def record_and_trace(*args, **options):
        traced.append(options["shortcuts"])
        return trace(*args, **options)

    monkeypatch.setattr(luxport_tf.transforms, "_trace", record_and_trace)
    x = np.array([-at for at in PLACES[:0:-1]] + PLACES)

    def total(x):
        return luxport.namespace(x).sum(getattr(ops, name)(x))

    slope = luxport.grad(total)
    curvature = luxport.grad(lambda x: luxport.namespace(x).sum(slope(x)))
    found = luxport.jit(lambda x: (slope(x), curvature(x)))(luxport.asarray(x, backend="tf", dtype="float32"))
    assert traced == [True]
    with np.errstate(over="ignore", under="ignore"):
        expected = SMOOTH[name](x)
    for mine, wanted in zip(found, expected, strict=True):  # TensorFlow's tanh is 1 from 7.9 on, two eps too early
        np.testing.assert_allclose(mine.numpy(), wanted, rtol=0, atol=10 * 2.0**-23)
