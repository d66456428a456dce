"""Bitwise functions and shifts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from luxport_onnx.graph import Array, record
from luxport_onnx.xp._elementwise import less, where
from luxport_onnx.xp._elementwise_makers import drop_axes
from luxport_onnx.xp._folding import astype, broadcast_shapes, fold_constants, promote_arrays, record_same

__all__ = ["bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor"]


def _combine_bits(name: str, operator: str, of_flags: str) -> Callable[..., Array]:
    """Return a function that records one operator, another one for booleans."""

    def function(x1: Any, x2: Any, /) -> Array:
        x1, x2 = promote_arrays(x1, x2)
        chosen = of_flags if x1.dtype == np.bool_ else operator
        return record(chosen, *drop_axes(x1, x2), dtype=x1.dtype, shapes=broadcast_shapes(x1, x2))

    return fold_constants(function, name)


bitwise_and = _combine_bits("bitwise_and", "BitwiseAnd", "And")
bitwise_or = _combine_bits("bitwise_or", "BitwiseOr", "Or")
bitwise_xor = _combine_bits("bitwise_xor", "BitwiseXor", "Xor")


@fold_constants
def bitwise_invert(x: Array, /) -> Array:
    """Invert every bit."""
    return record_same("Not" if x.dtype == np.bool_ else "BitwiseNot", x)


@fold_constants
def bitwise_left_shift(x1: Any, x2: Any, /) -> Array:
    """Multiply by a power of 2, without what goes beyond the dtype's bits."""
    return _shift(x1, x2, "LEFT")


@fold_constants
def bitwise_right_shift(x1: Any, x2: Any, /) -> Array:
    """Divide by a power of 2 and round down."""
    x1, x2 = promote_arrays(x1, x2)
    if x1.dtype.kind == "u":
        return _shift(x1, x2, "RIGHT")
    # A negative number is complemented, shifted and complemented again.
    minus = less(x1, 0)
    shifted = _shift(where(minus, bitwise_invert(x1), x1), x2, "RIGHT")
    return where(minus, bitwise_invert(shifted), shifted)


def _shift(x1: Any, x2: Any, direction: str) -> Array:
    x1, x2 = promote_arrays(x1, x2)
    # The operator takes unsigned numbers alone.
    kind = np.dtype(f"uint{8 * x1.dtype.itemsize}")
    inputs = drop_axes(astype(x1, kind), astype(x2, kind))
    made = record("BitShift", *inputs, dtype=kind, shapes=broadcast_shapes(x1, x2), direction=direction)
    return astype(made, x1.dtype)
