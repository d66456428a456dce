"""Explain errors about free sizes of `jax.export`: which constraint decides the comparison that failed."""

from __future__ import annotations

import re

from luxport.errors import LayerError
from luxport.text import read_message

__all__ = ["explain_free_size"]

_CONSTRAINTS = {"<=": ("<=", 0, ">=", 1), "<": ("<=", -1, ">=", 0), ">": ("<=", 0, ">=", 1), ">=": ("<=", -1, ">=", 0)}
"""For each comparison the two constraints that decide it: an operator and the number to add to the right side."""


def explain_free_size(error: Exception) -> LayerError | None:
    """Return a LayerError for JAX's error that a comparison of free sizes is inconclusive; None for any other.

    >>> class InconclusiveDimensionOperation(Exception): ...
    >>> error = InconclusiveDimensionOperation("Symbolic dimension comparison 'n' <= '2' is inconclusive.")
    >>> print(explain_free_size(error))  # doctest: +ELLIPSIS
    expects sizes of which it is known whether n <= 2: say which in ...constraints=['n >= 3']) or ['n <= 2']
    """
    if type(error).__name__ != "InconclusiveDimensionOperation":
        return None
    line = read_message(error).partition("\n")[0]
    asked = re.search(r"comparison '(.+?)' (<=|<|>=|>) '(.+?)' is", line)
    if asked is None:
        named = re.search(r"'(.+?)'", line)
        return LayerError(
            f"expects sizes that are numbers, got {named[1] if named else 'a size'}, which is free in jax.export"
        )
    left, sign, right = asked.groups()
    below, less, above, more = _CONSTRAINTS[sign]
    larger, smaller = f"{left} {above} {_add_number(right, more)}", f"{left} {below} {_add_number(right, less)}"
    return LayerError(
        f"expects sizes of which it is known whether {left} {sign} {right}: say which in "
        f"jax.export.symbolic_shape(..., constraints=['{larger}']) or ['{smaller}']"
    )


def _add_number(term: str, n: int) -> str:
    if term.lstrip("-").isdigit():
        return f"{int(term) + n}"
    return term if n == 0 else f"{term} {'+' if n > 0 else '-'} {abs(n)}"
