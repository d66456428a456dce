"""Activation functions: elementwise, one array in and one of the same shape and dtype out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from luxport.backend import Array, namespace
from luxport.ops.operation import operation

__all__ = ["Activation", "identity", "relu", "sigmoid", "tanh"]

Activation: TypeAlias = Callable[[Array], Array]


def identity(x: Array) -> Array:
    """Return x itself."""
    return x


@operation
def relu(x: Array) -> Array:
    """Return x where it is positive and 0 elsewhere; NaN stays NaN.

    >>> import numpy as np
    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    xp = namespace(x)
    return xp.where(x < 0, xp.zeros_like(x), x)


@operation
def tanh(x: Array) -> Array:
    """Return the hyperbolic tangent."""
    return namespace(x).tanh(x)


@operation
def sigmoid(x: Array) -> Array:
    """Return ``1 / (1 + exp(-x))`` without overflow."""
    xp = namespace(x)
    t = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1.0 / (1.0 + t), t / (1.0 + t))
