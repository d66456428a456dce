"""Trees that belong together, entry by entry: another size would broadcast, and nobody be told."""

from __future__ import annotations

from luxport.backend import Array, match_shapes
from luxport.errors import shape_text

__all__ = ["expect_same_size"]


def expect_same_size(caller: str, x: Array, other: Array) -> None:
    """Expect two arrays of one shape, as far as a compiled program knows them.

    Raises: ValueError
    """
    if not match_shapes(x.shape, other.shape):
        raise ValueError(
            f"{caller} expects arrays of one shape in both trees, got {shape_text(x)} and {shape_text(other)}"
        )
