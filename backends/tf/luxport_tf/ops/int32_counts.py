"""Limits of TensorFlow's kernels: many count in 32 bits, and larger numbers wrap around to negative ones."""

from __future__ import annotations

from luxport.backend.option_rules import LARGEST_INT32
from luxport.errors import LayerError

__all__ = ["expect_countable"]


def expect_countable(what: str, n: int) -> None:
    """Expect a number that TensorFlow's kernels can count to.

    Raises: LayerError
    """
    if n > LARGEST_INT32:
        raise LayerError(f"expects at most {LARGEST_INT32} {what}, which is as far as TensorFlow counts, got {n}")
