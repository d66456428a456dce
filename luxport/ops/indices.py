"""Indices that come from data, and the one rule for those out of range.

An index counts from 0 and is below the size of what it looks up; a negative one never counts from the end. Where its
value is at hand, on NumPy and in eager calls on a CPU, one out of range is an error that names it, the range and the
place. Where it is not, in a compiled or transformed program and on an accelerator, which must not be made to wait,
nothing is raised, and nothing else is read or written:

- what is looked up there is NaN (of integers the least number, of unsigned ones the largest, of booleans false), and
  no gradient flows to any row;
- a scatter or a reduction of segments that puts something there is NaN (likewise) as a whole;
- a loss of such a label is NaN, and so is an accuracy.
"""

from __future__ import annotations

import math
from typing import Any

from luxport.backend import Array, dtype_name, namespace
from luxport.backend.dtypes import convert_indices
from luxport.errors import LayerIndexError, LayerTypeError, shape_text
from luxport.ops._operation import operation
from luxport.ops.looking import may_look
from luxport.ops.shapes import is_number

__all__ = ["are_in_range", "expect_integers", "mark_missing", "tell_index", "value_range", "require_in_range"]


@operation
def value_range(x: Array) -> tuple[int, int] | None:
    """Return the smallest and the largest of integers; None for none, or where values are not at hand.

    They are where one `may_look`.
    """
    if 0 in x.shape or not may_look(x):
        return None
    xp = namespace(x)
    return int(xp.min(x)), int(xp.max(x))


def are_in_range(indices: Array, size: Any, name: str = "indices", culprit: str = "") -> bool:
    """Tell whether indices are known to be at least 0 and below a size, or raise what is wrong with them.

    Raises: LayerIndexError, a LayerError and an IndexError, for one out of range
    """
    seen = value_range(indices)
    if seen is not None:
        if seen[0] >= 0 and seen[1] < size:
            return True
        wrong = tell_index(indices, seen[0] if seen[0] < 0 else seen[1])
        raise LayerIndexError(f"expects {name} of at least 0 and below {size}, got {wrong}", culprit=culprit)
    if 0 in indices.shape:
        return True
    if is_number(size) and size == 0:
        raise LayerIndexError(
            f"expects no {name} where there is nothing to look up, got {shape_text(indices)}", culprit=culprit
        )
    return False


def tell_index(indices: Array, index: int) -> str:
    """Write an index of these for an error: the largest of its type may stand for a larger unsigned one.

    Source: `luxport.backend.dtypes.convert_indices`
    """
    largest = {"int32": 2**31 - 1, "int64": 2**63 - 1}.get(dtype_name(indices))
    return f"{index} or more" if index == largest else f"{index}"


def require_in_range(
    xp: Any, indices: Array, size: Any, name: str = "indices", culprit: str = ""
) -> tuple[Array, Array | None]:
    """Return indices that are in range, and where they are those given: None if all are known to be.

    The size is a number, or an array of one that only the running program knows.

    Raises: LayerIndexError for one that is known to be out of range
    """
    indices = convert_indices(xp, indices)
    if are_in_range(indices, size, name, culprit):
        return indices, None
    # Not `clip`, whose PyTorch form cannot take a size that a compiler leaves open.
    there = xp.logical_and(indices >= 0, indices < (size if is_number(size) else xp.astype(size, indices.dtype)))
    return xp.where(there, indices, xp.zeros_like(indices)), there


def mark_missing(xp: Any, y: Array, there: Array) -> Array:
    """Put what stands for a missing number, NaN if there is one, where `there` is false along the first axes."""
    for _ in range(len(y.shape) - len(there.shape)):
        there = there[..., None]
    kind = dtype_name(y)
    if "float" in kind or "complex" in kind:
        return xp.where(there, y, xp.full_like(y, math.nan))
    if kind == "bool":
        return xp.logical_and(there, y)
    limits = xp.iinfo(y.dtype)
    return xp.where(there, y, xp.full_like(y, limits.max if kind.startswith("uint") else limits.min))


def expect_integers(indices: Array, name: str = "indices") -> None:
    """Expect integers.

    Raises: LayerTypeError
    """
    if not dtype_name(indices).startswith(("int", "uint")):
        raise LayerTypeError(f"expects integers as {name}, got {dtype_name(indices)}")
