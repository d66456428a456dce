"""bfloat16 on NumPy: operations compute in single precision and round results once."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import luxport
from luxport import losses, tree
from luxport_conformance.examples import EXAMPLES
from luxport_conformance.operation_examples import OPERATIONS
from luxport_conformance.operations import every_operation

HALF = np.dtype(ml_dtypes.bfloat16)
DOUBLED = ("Chain", "CompactLayer", "Parallel", "WrappedFunction")
"""Layers with a user's function, in which NumPy makes ``x * 0.5`` float32."""
STATEFUL = ("FrozenLayer", "StatefulRecurrentCell")
"""Layers with parameters in their states."""
OTHERS = {"finite_norm": "a number for Python", "uniform": "its dtype is an option", "normal": "so is this one's"}
OTHERS |= {"istft": "of complex numbers"}


def to_half(leaf: Any) -> Any:
    return leaf.astype(HALF) if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f" else leaf


def to_single(leaf: Any) -> Any:
    return leaf.astype(np.float32) if leaf.dtype == np.float64 else leaf


def assert_half(got: Any, want: Any) -> None:
    """Assert bfloat16 wherever the same call in double precision returns floats."""
    for one, other in zip(tree.leaves(got), tree.leaves(want), strict=True):
        if isinstance(other, (np.ndarray, np.generic)) and other.dtype.kind == "f":
            assert one.dtype == HALF


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in (*DOUBLED, *STATEFUL)])
def test_layers_keep_bfloat16(name: str) -> None:
    for example in EXAMPLES[name]:
        x, ps, st = example.draw_values()
        want, _ = example.layer(x, ps, st)
        got, _ = example.layer(tree.map(to_half, x), tree.map(to_half, ps), tree.map(to_single, st))
        assert_half(got, want)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name in every_operation() and name not in OTHERS])
def test_operations_keep_bfloat16(name: str) -> None:
    operation = every_operation()[name]
    for example in OPERATIONS[name]:
        if not all(array is None or isinstance(array, np.ndarray) for array in example.arrays):
            continue
        want = operation(*example.arrays, **example.options)
        got = operation(*map(to_half, example.arrays), **{key: to_half(v) for key, v in example.options.items()})
        assert_half(got, want)


def test_sums_are_rounded_once() -> None:
    ones = np.ones(1000, HALF)
    assert losses.mse(ones, np.zeros(1000, HALF)) == 1
    x = np.linspace(-4, 4, 101).astype(HALF)
    for name in ("sigmoid", "swish", "softsign", "leakyrelu", "gelu", "softplus", "mish"):
        activation = getattr(luxport, name)
        want = activation(x.astype(np.float32)).astype(HALF)
        np.testing.assert_array_equal(activation(x), want)
