"""A square root whose derivative is finite at 0."""

from __future__ import annotations

from luxport.backend import Array, namespace
from luxport.backend.dtypes import is_double

__all__ = ["take_root"]


def take_root(total: Array) -> Array:
    """Return the root of a sum or mean of squares.

    The derivative of the root at 0 is infinite, and infinity times a gradient of 0 would be NaN. So the smallest normal
    number is added first, which changes no bit of a float32 sum above 1e-30.
    """
    return namespace(total).sqrt(total + (2.0**-1022 if is_double(total) else 2.0**-126))
