"""Activations near 0: small results keep their digits, and slopes that jump are equal on every backend.

Expected values are NumPy's definitions in float64.
"""

from __future__ import annotations

import numpy as np
import pytest

import luxport
from luxport import ops
from luxport.ops import definition_of

BACKENDS = ("numpy", "jax", "torch", "tf")
SMALL = np.concatenate([side * 10.0 ** -np.arange(1.0, 31.0) for side in (-1, 1)])
# Activations that are 0 at 0 and have a slope there.
THROUGH_ZERO = (
    *("celu", "elu", "gelu_erf", "gelu_sigmoid", "gelu_tanh", "hardswish", "leakyrelu", "mish", "relu", "selu"),
    *("softsign", "swish", "tanh"),
)


@pytest.mark.parametrize("backend", BACKENDS)
def test_small_numbers_keep_their_digits(backend: str) -> None:
    x = luxport.asarray(SMALL, backend=backend, dtype="float32")
    exact = luxport.to_numpy(x).astype(np.float64)
    for name in THROUGH_ZERO:
        found = luxport.to_numpy(getattr(ops, name)(x))
        np.testing.assert_allclose(found, definition_of(getattr(ops, name))(exact), rtol=2e-6, err_msg=name)


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_second_derivative_of_softsign_at_zero_is_halfway(backend: str) -> None:
    """It is 2 below 0 and -2 above."""
    x = luxport.asarray([0.0, -0.0, 1e-30, -1e-30], backend=backend, dtype="float32")
    xp = luxport.namespace(x)
    slope = luxport.grad(lambda x: xp.sum(ops.softsign(x)))
    found = luxport.to_numpy(luxport.grad(lambda x: xp.sum(slope(x)))(x))
    np.testing.assert_allclose(found, [0.0, 0.0, -2.0, 2.0])
