"""A check for TensorFlow's kernels that count in 32 bits: larger counts would wrap around to negative numbers."""

from __future__ import annotations

from luxport.backend.option_rules import LARGEST_INT32
from luxport.errors import LayerError

__all__ = ["expect_countable"]


def expect_countable(what: str, n: int) -> None:
    """Check that a count fits into 32 bits.

    Raises: LayerError
    """
    if n > LARGEST_INT32:
        raise LayerError(f"expects at most {LARGEST_INT32} {what}, which is as far as TensorFlow counts, got {n}")
