"""The functions of several arrays that Keras's merging layers and operations compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import add, matmul, mul, ne, sub, truediv
from typing import Any

from luxport.backend import Array, namespace

__all__ = ["MERGE_FUNCTIONS"]


class _Fold:
    """Reduces a sequence of arrays by a function of two."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        self._function = function

    def __call__(self, arrays: tuple[Any, ...]) -> Any:
        return reduce(self._function, arrays)


def _maximum(x: Array, y: Array) -> Array:
    return namespace(x, y).maximum(x, y)


def _minimum(x: Array, y: Array) -> Array:
    return namespace(x, y).minimum(x, y)


def average(arrays: tuple[Any, ...]) -> Array:
    """Return the mean of arrays."""
    return reduce(add, arrays) / len(arrays)


def concatenate(arrays: tuple[Any, ...], axis: int = -1) -> Array:
    """Join arrays along an axis."""
    return namespace(*arrays).concat(list(arrays), axis=axis)


def dot(arrays: tuple[Any, ...], axes: Any, normalize: bool) -> Array:
    """Return the batched dot product of two arrays (N, ...), along an axis of each."""
    x, y = arrays
    xp = namespace(x, y)
    first, second = axes if isinstance(axes, tuple) else (axes, axes)
    first, second = first % len(x.shape), second % len(y.shape)
    if normalize:
        x, y = (
            part / xp.sqrt(xp.maximum(total, xp.full_like(total, 1e-12)))
            for part, total in (
                (x, xp.sum(x * x, axis=first, keepdims=True)),
                (y, xp.sum(y * y, axis=second, keepdims=True)),
            )
        )
    x, y = xp.moveaxis(x, first, -1), xp.moveaxis(y, second, 1)
    left, right = x.shape[1:-1], y.shape[2:]
    z = xp.matmul(xp.reshape(x, (x.shape[0], -1, x.shape[-1])), xp.reshape(y, (y.shape[0], y.shape[1], -1)))
    return xp.reshape(z, (-1, *left, *right)) if left or right else z[:, 0, :]


_OF_TWO = {
    "Add": add,
    "Subtract": sub,
    "Multiply": mul,
    "TrueDivide": truediv,
    "Divide": truediv,
    "Matmul": matmul,
    "NotEqual": ne,
}

MERGE_FUNCTIONS: Mapping[str, tuple[Callable[..., Any], Mapping[str, str]]] = {
    **{name: (_Fold(function), {}) for name, function in _OF_TWO.items()},
    "Average": (average, {}),
    "Concatenate": (concatenate, {"axis": "axis"}),
    "Dot": (dot, {"axes": "axes", "normalize": "normalize"}),
    "Maximum": (_Fold(_maximum), {}),
    "Minimum": (_Fold(_minimum), {}),
}
"""For each operation a function of a tuple of arrays, and the operation's attributes that are its options."""
