"""Activations that subtract nearly equal numbers, in half types: computed in float32 and rounded once.

Expected values are NumPy's formulas in float64, and their finite differences, at arguments that a half type represents.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import luxport
from luxport import ops
from luxport_conformance.backends import find_abilities

NAMES = ("celu", "elu", "gelu_erf", "gelu_sigmoid", "gelu_tanh", "logcosh", "mish", "selu", "tanhshrink")
RUNS = [
    (backend, dtype)
    for backend in ("numpy", "jax", "torch", "tf")
    for dtype in ("float16", "bfloat16")
    if dtype in find_abilities(backend).dtypes
]
PLACES = np.concatenate([side * np.logspace(-3, 1, 30) for side in (-1, 1)])


def to_double(x: Any) -> Any:
    return luxport.to(luxport.to(x, dtype="float32"), backend="numpy").astype(np.float64)


@pytest.mark.parametrize(("backend", "dtype"), RUNS)
def test_cancellation_keeps_the_digits_of_half_types(backend: str, dtype: str) -> None:
    x = luxport.asarray(PLACES, backend=backend, dtype=dtype)
    places, step = to_double(x), 1e-6
    rounding = {"float16": 2.0**-11, "bfloat16": 2.0**-8}[dtype]
    for name in NAMES:
        function = getattr(ops, name)
        want = function(places)
        # Besides the rounding to a half type, gates near 1 are rounded in float32, and then multiplied by x, or by x
        # and a cubic's slope.
        np.testing.assert_allclose(to_double(function(x)), want, rtol=1.1 * rounding, atol=1e-6, err_msg=name)
        if find_abilities(backend).gradients:
            slope = (function(places + step) - function(places - step)) / (2 * step)
            got = luxport.grad(lambda x, f=function: luxport.namespace(x).sum(f(x)))(x)
            np.testing.assert_allclose(to_double(got), slope, rtol=1.1 * rounding, atol=2e-5, err_msg=name)
