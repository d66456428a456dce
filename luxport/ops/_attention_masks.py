"""Masks of attention: which keys each query may see."""

from __future__ import annotations

import math
from typing import Any

from luxport.backend import Array, find_array_device, namespace
from luxport.backend.arguments import check_call
from luxport.backend.option_rules import AXIS
from luxport.ops.shapes import read_sizes

__all__ = ["clear_hidden", "expand_to_scores", "find_earlier", "find_seen_keys", "make_causal_mask"]


@check_call("x (...)", rules={"axis": AXIS})
def make_causal_mask(x: Array, *, axis: int = -2) -> Array:
    """Return the mask of scores with which each query sees the keys up to its own position.

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
    """Replace keys and values that no query sees, and queries that see no key, by zeros.

    They may be NaN, which a score of 0 would not remove, neither from the result nor from gradients. A bias of -inf
    hides a key as a mask does.

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
    """Return which keys are seen by some query of some head: (..., heads, len_q, len_kv) -> (..., len_kv)."""
    rank = len(mask.shape)
    return xp.any(mask, axis=tuple(range(max(0, rank - 3), rank - 1))) if rank > 1 else mask


def find_earlier(xp: Any, query: Array, key: Array, axis: int) -> Array:
    """Return whether each key comes no later than each query: (len_q, len_kv)."""
    return _count_places(xp, query, axis)[:, None] >= _count_places(xp, key, axis)[None, :]


def _count_places(xp: Any, x: Array, axis: int) -> Array:
    """Return the positions along an axis: 0, 1, …"""
    if x.shape[axis] is not None:
        return xp.arange(x.shape[axis], dtype=xp.int32, device=find_array_device(x))
    others = tuple([i for i in range(len(x.shape)) if i != axis % len(x.shape)])
    zeros = xp.sum(xp.zeros_like(x, dtype=xp.int32), axis=others, dtype=xp.int32)
    return xp.cumulative_sum(zeros + 1, axis=0) - 1


def expand_to_scores(xp: Any, x: Array | None, query: Array, key: Array) -> Array | None:
    """Return a mask or a bias with two axes or more; if one of its sizes is unknown, broadcast it to the scores.

    Then its sizes are known wherever those of query and key are.
    """
    if x is None:
        return None
    expanded: Any = x
    while len(expanded.shape) < 2:
        expanded = expanded[None, ...]
    if None not in tuple(expanded.shape):
        return expanded
    return xp.broadcast_to(expanded, (*read_sizes(query)[:-1], read_sizes(key)[-2]))
