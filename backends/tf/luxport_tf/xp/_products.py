"""Matrix products and their kin."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from ._arrays import Array, R, cast, make_tensor, multiply_sizes, normalize_axis, promote, rank, read_sizes, reshape_to
from ._dtypes import NUMERIC, is_complex, is_integer

__all__ = ["matmul", "tensordot", "vecdot"]

_NUMERIC = frozenset(NUMERIC)
_WITH_KERNEL = frozenset((tf.int32, tf.int64))


def _promote_numbers(name, x1, x2):
    x1, x2, dtype = promote(make_tensor(x1), make_tensor(x2))
    if dtype not in _NUMERIC:
        raise TypeError(f"{name} does not take arrays of {dtype.name}; convert with astype")
    if is_integer(dtype) and dtype not in _WITH_KERNEL:
        # Exact modulo 2**64, so the low bits, which the caller casts back, are right.
        return cast(x1, tf.int64), cast(x2, tf.int64), dtype
    return x1, x2, dtype


def matmul(x1: Array, x2: Array, /) -> tf.Tensor:
    """Return the matrix product; vectors are a row on the left, a column on the right; leading axes broadcast."""
    x1, x2, dtype = _promote_numbers("matmul", x1, x2)
    left, right = rank(x1), rank(x2)
    if left == 2 and right == 2:
        return cast(R.MatMul(a=x1, b=x2), dtype)
    if left == 0 or right == 0:
        raise ValueError("matmul wants arrays of at least one axis; use multiply for scalars")
    inner = x2.shape[0] if right == 1 else x2.shape[-2]
    if x1.shape[-1] is not None and inner is not None and x1.shape[-1] != inner:
        raise ValueError(f"matmul of shapes {tuple(x1.shape)} and {tuple(x2.shape)}: {x1.shape[-1]} is not {inner}")
    if right <= 2:  # one matrix or vector on the right: one product of all the rows on the left
        *lead, size = read_sizes(x1)
        rows = (
            reshape_to(x1, (-1, size))
            if left != 2 and 0 not in x1.shape
            else reshape_to(x1, (multiply_sizes(lead), size))
        )
        columns = R.ExpandDims(input=x2, axis=1) if right == 1 else x2
        result = R.MatMul(a=rows, b=columns)
        return cast(reshape_to(result, (*lead, *([] if right == 1 else [read_sizes(x2)[1]]))), dtype)
    if left == 1:
        return cast(R.Squeeze(input=R.BatchMatMulV2(x=R.ExpandDims(input=x1, axis=0), y=x2), axis=[-2]), dtype)
    return cast(R.BatchMatMulV2(x=x1, y=x2), dtype)


def tensordot(x1: Array, x2: Array, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> tf.Tensor:
    """Sum products over ``axes``: that many last axes of ``x1`` and first of ``x2``, or two lists of axes."""
    x1, x2, dtype = _promote_numbers("tensordot", x1, x2)
    if isinstance(axes, int):
        if axes < 0 or axes > min(rank(x1), rank(x2)):
            raise ValueError(f"tensordot over {axes} axes of arrays of {rank(x1)} and {rank(x2)} axes")
        axes = (tuple(range(rank(x1) - axes, rank(x1))), tuple(range(axes)))
    left = tuple(normalize_axis(a, rank(x1)) for a in axes[0])
    right = tuple(normalize_axis(a, rank(x2)) for a in axes[1])
    for a, b in zip(left, right, strict=True):
        if x1.shape[a] is not None and x2.shape[b] is not None and x1.shape[a] != x2.shape[b]:
            raise ValueError(f"tensordot: axis {a} of {tuple(x1.shape)} and axis {b} of {tuple(x2.shape)} differ")
    if not left:
        sizes = read_sizes(x1) + [1] * rank(x2)
        return cast(R.Mul(x=reshape_to(x1, sizes), y=x2), dtype)
    return cast(tf.tensordot(x1, x2, axes=[list(left), list(right)]), dtype)


def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> tf.Tensor:
    """Return the sum of ``conj(x1) * x2`` over ``axis``; the other axes broadcast."""
    x1, x2, dtype = promote(make_tensor(x1), make_tensor(x2))
    if dtype not in _NUMERIC:
        raise TypeError(f"vecdot does not take arrays of {dtype.name}; convert with astype")
    least = min(rank(x1), rank(x2))
    axis = normalize_axis(axis, least) - least if axis < 0 else axis
    a, b = x1.shape[axis], x2.shape[axis]
    if a is not None and b is not None and a != b:
        raise ValueError(f"vecdot: axis {axis} of {tuple(x1.shape)} and {tuple(x2.shape)} differ")
    if is_complex(dtype):
        x1 = R.Conj(input=x1)
    return R.Sum(input=R.Mul(x=x1, y=x2), axis=axis)
