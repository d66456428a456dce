"""Choosing and searching."""

from __future__ import annotations

import tensorflow as tf

from ._arrays import SCALARS, R, promote, tensor
from ._creation import asarray

__all__ = ["where"]


def where(condition, x1, x2, /):
    """``x1`` where ``condition`` is true, else ``x2``."""
    condition = tensor(condition)
    if condition.dtype is not tf.bool:
        raise TypeError(f"where wants a condition of bool, got {condition.dtype.name}")
    if isinstance(x1, SCALARS) and isinstance(x2, SCALARS):
        x1 = (
            asarray(x1)
            if not isinstance(x2, complex) and not (isinstance(x2, float) and isinstance(x1, int))
            else x1
        )
        if isinstance(x1, SCALARS):
            x2 = asarray(x2)
    x, y, _ = promote(x1, x2)
    return R.SelectV2(condition=condition, t=x, e=y)
