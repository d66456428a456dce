"""`expect_same_size`: refuse arrays of different shapes where they would broadcast without an error."""

from __future__ import annotations

from luxport.backend import Array, match_shapes
from luxport.errors import shape_text

__all__ = ["expect_same_size"]


def expect_same_size(caller: str, x: Array, other: Array) -> None:
    """Expect two arrays of one shape; sizes that are not known during compilation pass.

    Raises: ValueError
    """
    if not match_shapes(x.shape, other.shape):
        raise ValueError(
            f"{caller} expects arrays of one shape in both trees, got {shape_text(x)} and {shape_text(other)}"
        )
