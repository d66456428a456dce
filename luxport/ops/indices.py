"""Indices that come from data, and the one rule for those out of range.

An index counts from 0 and is below the size of the axis; a negative one never counts from the end. If the values of
indices can be read, on NumPy and in eager calls on a CPU, an index out of range is an error that names it, the range
and the layer. They cannot be read in a compiled or transformed program, nor on an accelerator, which should not be
waited for. There nothing is raised, but no memory out of range is read or written:

- a lookup of such an index gives NaN (for integers the least number, for unsigned ones the largest, for booleans
  false), and no gradient;
- the whole result of a scatter, or of a reduction of segments, with such an index is NaN (or these numbers);
- the loss of such a label is NaN, and so is an accuracy.
"""

from __future__ import annotations

import math
from typing import Any

from luxport.backend import Array, dtype_name, namespace
from luxport.backend.dtypes import convert_indices
from luxport.errors import LayerIndexError, LayerTypeError, shape_text
from luxport.ops._operation import operation
from luxport.ops.readable_values import may_look
from luxport.ops.shapes import is_number

__all__ = ["are_in_range", "expect_integers", "mark_missing", "tell_index", "value_range", "require_in_range"]


@operation
def value_range(x: Array) -> tuple[int, int] | None:
    """Return the smallest and the largest of integers; None for an empty array, or if values cannot be read.

    They can be if `may_look` is true.
    """
    if 0 in x.shape or not may_look(x):
        return None
    xp = namespace(x)
    return int(xp.min(x)), int(xp.max(x))


def are_in_range(indices: Array, size: Any, name: str = "indices", culprit: str = "") -> bool:
    """Tell whether indices are known to be at least 0 and below a size; False if their values cannot be read.

    Raises: LayerIndexError, a LayerError and an IndexError, for an index that is known to be out of range
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
    """Format an index for an error; the largest int may stand for a larger unsigned one, see `convert_indices`."""
    largest = {"int32": 2**31 - 1, "int64": 2**63 - 1}.get(dtype_name(indices))
    return f"{index} or more" if index == largest else f"{index}"


def require_in_range(
    xp: Any, indices: Array, size: Any, name: str = "indices", culprit: str = ""
) -> tuple[Array, Array | None]:
    """Return the indices with 0 for those out of range, and which were in range: None if all are known to be.

    The size is a number, or an array if only the running program knows it.

    Raises: LayerIndexError for an index that is known to be out of range
    """
    indices = convert_indices(xp, indices)
    if are_in_range(indices, size, name, culprit):
        return indices, None
    # Not `clip`, which in PyTorch cannot take a symbolic size.
    in_range = xp.logical_and(indices >= 0, indices < (size if is_number(size) else xp.astype(size, indices.dtype)))
    return xp.where(in_range, indices, xp.zeros_like(indices)), in_range


def mark_missing(xp: Any, y: Array, in_range: Array) -> Array:
    """Return y with NaN, or what stands for it in other dtypes, where `in_range` is false along the first axes."""
    for _ in range(len(y.shape) - len(in_range.shape)):
        in_range = in_range[..., None]
    kind = dtype_name(y)
    if "float" in kind or "complex" in kind:
        return xp.where(in_range, y, xp.full_like(y, math.nan))
    if kind == "bool":
        return xp.logical_and(in_range, y)
    limits = xp.iinfo(y.dtype)
    return xp.where(in_range, y, xp.full_like(y, limits.max if kind.startswith("uint") else limits.min))


def expect_integers(indices: Array, name: str = "indices") -> None:
    """Expect integers.

    Raises: LayerTypeError
    """
    if not dtype_name(indices).startswith(("int", "uint")):
        raise LayerTypeError(f"expects integers as {name}, got {dtype_name(indices)}")
