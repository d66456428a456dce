"""The root of a sum of squares, whose slope is finite where the sum is 0."""

from __future__ import annotations

from luxport.backend import Array, namespace
from luxport.backend.dtypes import is_double

__all__ = ["take_root"]


def take_root(total: Array) -> Array:
    """Return the root of a sum or mean of squares.

    At 0 its slope would be infinite, and times the gradient, which is 0 there, no number. The smallest normal number is
    added, beside which all sums but those below 1e-30 are as they were, to the bit.
    """
    return namespace(total).sqrt(total + (2.0**-1022 if is_double(total) else 2.0**-126))
