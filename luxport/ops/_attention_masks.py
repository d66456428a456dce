"""Which keys a query of attention sees."""

from __future__ import annotations

import math
from typing import Any

from luxport.backend import Array, find_array_device, namespace
from luxport.backend.arguments import check_call
from luxport.backend.option_rules import AXIS
from luxport.ops.shapes import read_sizes

__all__ = ["find_earlier", "make_causal_mask", "spread_over_scores", "clear_hidden"]


@check_call("x (...)", rules={"axis": AXIS})
def make_causal_mask(x: Array, *, axis: int = -2) -> Array:
    """Return the mask for scores that lets each query see the keys up to its own place.

    Args:
        axis: the axis of x whose entries are queries and keys

    Shapes: x (...) with n entries along the axis -> (n, n), bool: true where the second index is at most the first
    Source: NNlib ``make_causal_mask``

    >>> import numpy as np
    >>> make_causal_mask(np.zeros((3, 2, 8)))
    array([[ True, False],
           [ True,  True]])
    """
    return find_earlier(namespace(x), x, x, axis)


def clear_hidden(
    xp: Any, query: Array, key: Array, value: Array, bias: Array | None, mask: Array | None
) -> tuple[Array, Array, Array]:
    """Put zeros in keys and values that no query sees, and in queries that see none: what is hidden may hold NaN.

    A mask hides, and so does a bias of -inf. A product with 0 would keep a NaN, in a result or in a gradient.

    Shapes: query, key, value (..., heads, length, features)
    """
    shown = mask
    if bias is not None:
        finite = bias > -math.inf
        shown = finite if mask is None else xp.logical_and(mask, finite)
    if shown is None:
        return query, key, value
    seen = find_seen_keys(xp, shown)[..., None]
    seen = seen[..., None, :, :] if len(seen.shape) > 2 else seen
    if len(shown.shape) > 1:
        query = xp.where(xp.any(shown, axis=-1, keepdims=True), query, xp.zeros_like(query))
    return query, xp.where(seen, key, xp.zeros_like(key)), xp.where(seen, value, xp.zeros_like(value))


def find_seen_keys(xp: Any, mask: Array) -> Array:
    """Tell which keys any query of any head sees: (..., heads, len_q, len_kv) -> (..., len_kv)."""
    rank = len(mask.shape)
    return xp.any(mask, axis=tuple(range(max(0, rank - 3), rank - 1))) if rank > 1 else mask


def find_earlier(xp: Any, query: Array, key: Array, axis: int) -> Array:
    return _count_places(xp, query, axis)[:, None] >= _count_places(xp, key, axis)[None, :]


def _count_places(xp: Any, x: Array, axis: int) -> Array:
    """Count the entries along an axis: 0, 1, …"""
    if x.shape[axis] is not None:
        return xp.arange(x.shape[axis], dtype=xp.int32, device=find_array_device(x))
    others = tuple([i for i in range(len(x.shape)) if i != axis % len(x.shape)])
    zeros = xp.sum(xp.zeros_like(x, dtype=xp.int32), axis=others, dtype=xp.int32)
    return xp.cumulative_sum(zeros + 1, axis=0) - 1


def spread_over_scores(xp: Any, x: Array | None, query: Array, key: Array) -> Array | None:
    """Give a mask or a bias two axes at least, and where its sizes are not known yet those of the scores.

    These are known as far as can be.
    """
    if x is None:
        return None
    spread: Any = x
    while len(spread.shape) < 2:
        spread = spread[None, ...]
    if None not in tuple(spread.shape):
        return spread
    return xp.broadcast_to(spread, (*read_sizes(query)[:-1], read_sizes(key)[-2]))
