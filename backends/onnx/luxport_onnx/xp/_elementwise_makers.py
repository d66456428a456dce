"""Element-wise functions made of ONNX's operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import array_api_compat.numpy as host
import numpy as np

from luxport_onnx.graph import SAMPLES, Array, make_constant, record
from luxport_onnx.xp._folding import broadcast_shapes, fold_constants, promote_arrays


def compute_numbers(name: str, *xs: Array) -> tuple[Any, ...] | None:
    """Compute a function of sizes for each sample; None if an argument is not made of sizes."""
    if any([x.numbers is None for x in xs]):
        return None
    f = getattr(host, name)
    return tuple([f(*[np.asarray(x.numbers[i]) for x in xs])[()] for i in range(SAMPLES)])


def drop_axes(*xs: Array) -> tuple[Array, ...]:
    """Return arrays filled with one number as scalars, where the other arrays alone have the common shape."""
    wanted = broadcast_shapes(*xs)
    kept = list(xs)
    for i, x in enumerate(xs):
        if x.splat is None or x.ndim == 0:
            continue
        others = [kept[j] for j in range(len(kept)) if j != i]
        if broadcast_shapes(*others) == wanted:
            kept[i] = make_constant(np.asarray(x.splat, x.dtype))
    return tuple(kept)


def make_binary(name: str, operator: str, dtype: Any = None) -> Callable[..., Array]:
    """Return a function of two arrays that records one operator."""

    def function(x1: Any, x2: Any, /) -> Array:
        x1, x2 = promote_arrays(x1, x2)
        shapes = broadcast_shapes(x1, x2)
        made = record(operator, *drop_axes(x1, x2), dtype=dtype or x1.dtype, shapes=shapes)
        made.numbers = compute_numbers(name, x1, x2)
        if x1.splat is not None and x2.splat is not None:
            with np.errstate(all="ignore"):
                made.splat = getattr(host, name)(np.asarray(x1.splat), np.asarray(x2.splat))[()]
        return made

    return fold_constants(function, name)


def make_unary(name: str, operator: str, dtype: Any = None) -> Callable[..., Array]:
    """Return a function of one array that records one operator."""

    def function(x: Array, /) -> Array:
        made = record(operator, x, dtype=dtype or x.dtype, shapes=x.shapes)
        made.numbers = compute_numbers(name, x)
        return made

    return fold_constants(function, name)


def make_rounding(name: str, operator: str) -> Callable[..., Array]:
    """Return a function that records one operator for floating numbers, and returns integers as they are."""
    record_one = make_unary(name, operator)

    def function(x: Array, /) -> Array:
        return record_one(x) if is_floating(x) else x

    return fold_constants(function, name)


def make_identity(name: str) -> Callable[..., Array]:
    """Return a function that returns its array."""

    def function(x: Array, /) -> Array:
        return x

    return fold_constants(function, name)


def is_floating(x: Array) -> bool:
    return x.dtype.kind == "f"
