"""What each worker computes from random streams of its own, and what becomes the same in all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from luxport import tree
from luxport.backend import Array, dtype_name, find_owner, namespace
from luxport.random import fold_in

__all__ = ["compute_own_gradients", "average_together"]


def compute_own_gradients(
    gradients: Callable[..., Any], rank: Any, program: Any, ps: Any, st: Any, scale: Any, data: Any, **options: Any
) -> tuple[Any, Array, Any, Any]:
    """Compute gradients with the random streams of one rank; the states that come back have the keys of before."""
    grads, loss, stats, new = gradients(program, ps, _fold(st, rank), scale, data, **options)
    return grads, loss, stats, _take_keys_of(new, st)


def _fold(st: Any, rank: Any) -> Any:
    if isinstance(st, Mapping):
        if st.keys() == {"key", "counter"}:
            words = fold_in({"key": st["key"], "counter": 0 * st["counter"]}, rank)["key"]
            return {"key": words, "counter": st["counter"]}
        return {name: _fold(value, rank) for name, value in st.items()}
    if isinstance(st, (tuple, list)):
        return tree.like_sequence(st, [_fold(value, rank) for value in st])
    return st


def _take_keys_of(new: Any, old: Any) -> Any:
    if isinstance(new, Mapping) and isinstance(old, Mapping):
        if new.keys() == old.keys() == {"key", "counter"}:
            return {"key": old["key"], "counter": new["counter"]}
        return {name: _take_keys_of(value, old[name]) if name in old else value for name, value in new.items()}
    if isinstance(new, (tuple, list)) and isinstance(old, (tuple, list)) and len(new) == len(old):
        return tree.like_sequence(new, [_take_keys_of(*pair) for pair in zip(new, old, strict=True)])
    return new


def average_together(
    mean: Callable[[list[Any]], list[Any]],
    size: int,
    grads: Any,
    loss: Any,
    stats: Any,
    st: Any,
    unweighted: Callable[[list[Any]], list[Any]] | None = None,
) -> tuple[Any, Any, Any, Any]:
    """Return the means over all workers, taken at once, of what is to be the same in each, and sums of integers.

    Args:
        mean: takes the means, in which a worker may count for more than another
        size: how many workers there are
        grads: the gradients, and so on
        loss: the loss
        stats: the objective's statistics
        st: the layers' states
        unweighted: takes means in which all count for the same, where that is not `mean`
    """
    whole = (grads, loss, stats, st)
    shared: list[int] = []
    integers: dict[int, str] = {}
    flat = list(tree.leaves_with_path(whole))
    for i, (path, leaf) in enumerate(flat):
        if find_owner(type(leaf)) is None or (path[0] == "3" and not path[-1].startswith("running_")):
            continue
        kind = dtype_name(leaf)
        if "float" in kind or "complex" in kind:
            shared.append(i)
        elif path[0] == "2" and "int" in kind:
            integers[i] = kind
    means = dict(zip(shared, mean([flat[i][1] for i in shared]), strict=True))
    if integers:
        # Each worker's share of this is a digit again; a compiler that multiplies by 1 / size is off by its last bit.
        rows = [_take_digits(flat[i][1], kind) * size for i, kind in integers.items()]
        for (i, kind), row in zip(integers.items(), (unweighted or mean)(rows), strict=True):
            means[i] = _join_digits(row, flat[i][1], kind)
    count = iter(range(len(flat)))

    def put(leaf: Any) -> Any:
        i = next(count)
        return means.get(i, leaf)

    return tree.map(put, whole)


_BASE = 2**11
"""Digits are below this: sums of them are exact in float32 for up to some thousand workers."""


def _take_digits(x: Array, kind: str) -> Array:
    """Return the digits of integers along a new first axis, the last first: an engine need not know of sums here."""
    xp, width = namespace(x), _count_bits(kind)
    rest, digits = xp.astype(x, getattr(xp, f"int{width}")), []
    for _ in range(math.ceil(width / math.log2(_BASE))):
        higher = rest // _BASE
        digits.append(xp.astype(rest - higher * _BASE, xp.float32))
        rest = higher
    return xp.stack(digits)


def _join_digits(digits: Array, like: Array, kind: str) -> Array:
    """Return the integers of which these are the digits, or sums of digits."""
    xp = namespace(digits)
    exact = xp.astype(xp.round(digits), getattr(xp, f"int{_count_bits(kind)}"))
    total = exact[-1, ...]
    for place in reversed(range(exact.shape[0] - 1)):
        total = total * _BASE + exact[place, ...]
    return xp.astype(total, like.dtype)


def _count_bits(kind: str) -> int:
    return max(32, int(kind.removeprefix("u").removeprefix("int")))
