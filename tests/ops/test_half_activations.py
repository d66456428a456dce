"""Activation functions that subtract what is nearly equal, in half types: rounded once from float32.

Expected values are the formulas in float64 of NumPy, and their differences; the arguments are those that a half type
holds.
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


def in_double(x: Any) -> Any:
    return luxport.to(luxport.to(x, dtype="float32"), backend="numpy").astype(np.float64)


@pytest.mark.parametrize(("backend", "dtype"), RUNS)
def test_what_is_left_of_a_difference_is_right(backend: str, dtype: str) -> None:
    x = luxport.asarray(PLACES, backend=backend, dtype=dtype)
    places, step = in_double(x), 1e-6
    rounding = {"float16": 2.0**-11, "bfloat16": 2.0**-8}[dtype]
    for name in NAMES:
        function = getattr(ops, name)
        want = function(places)
        # Beside the rounding to a half type, that of gates near 1 in float32, times x, or times x and a cubic's slope.
        np.testing.assert_allclose(in_double(function(x)), want, rtol=1.1 * rounding, atol=1e-6, err_msg=name)
        if find_abilities(backend).gradients:
            slope = (function(places + step) - function(places - step)) / (2 * step)
            got = luxport.grad(lambda x, f=function: luxport.namespace(x).sum(f(x)))(x)
            np.testing.assert_allclose(in_double(got), slope, rtol=1.1 * rounding, atol=2e-5, err_msg=name)
