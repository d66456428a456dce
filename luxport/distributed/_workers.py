"""The two parts of a joint step: gradients with a worker's own random stream, and averages over all workers."""

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
    """Compute gradients with the random streams of one rank; the new states have the original keys."""
    grads, loss, stats, new = gradients(program, ps, _fold_rank(st, rank), scale, data, **options)
    return grads, loss, stats, _restore_keys(new, st)


def _fold_rank(st: Any, rank: Any) -> Any:
    if isinstance(st, Mapping):
        if st.keys() == {"key", "counter"}:
            words = fold_in({"key": st["key"], "counter": 0 * st["counter"]}, rank)["key"]
            return {"key": words, "counter": st["counter"]}
        return {name: _fold_rank(value, rank) for name, value in st.items()}
    if isinstance(st, (tuple, list)):
        return tree.like_sequence(st, [_fold_rank(value, rank) for value in st])
    return st


def _restore_keys(new: Any, old: Any) -> Any:
    if isinstance(new, Mapping) and isinstance(old, Mapping):
        if new.keys() == old.keys() == {"key", "counter"}:
            return {"key": old["key"], "counter": new["counter"]}
        return {name: _restore_keys(value, old[name]) if name in old else value for name, value in new.items()}
    if isinstance(new, (tuple, list)) and isinstance(old, (tuple, list)) and len(new) == len(old):
        return tree.like_sequence(new, [_restore_keys(*pair) for pair in zip(new, old, strict=True)])
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
    """Average gradients, loss, floating statistics and running statistics over all workers, and sum integer statistics.

    Args:
        mean: returns means in which workers may have different weights
        size: the number of workers
        grads: the gradients
        loss: the loss
        stats: the objective's statistics
        st: the layers' states
        unweighted: returns means in which all workers have the same weight, if `mean` does not
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
        # Multiplied by the size, since means divide by it. A compiler that multiplies by 1 / size instead has an error
        # in the last bit, which rounding the digits removes.
        rows = [_take_digits(flat[i][1], kind) * size for i, kind in integers.items()]
        for (i, kind), row in zip(integers.items(), (unweighted or mean)(rows), strict=True):
            means[i] = _join_digits(row, flat[i][1], kind)
    count = iter(range(len(flat)))

    def put(leaf: Any) -> Any:
        i = next(count)
        return means.get(i, leaf)

    return tree.map(put, whole)


_BASE = 2**11
"""The base of the digits: sums of these over some thousand workers are exact in float32."""


def _take_digits(x: Array, kind: str) -> Array:
    """Return the digits of integers in float32 along a new first axis, the lowest first.

    Means of digits give exact sums of integers, so that one operation averages and sums everything.
    """
    xp, width = namespace(x), _count_bits(kind)
    rest, digits = xp.astype(x, getattr(xp, f"int{width}")), []
    for _ in range(math.ceil(width / math.log2(_BASE))):
        higher = rest // _BASE
        digits.append(xp.astype(rest - higher * _BASE, xp.float32))
        rest = higher
    return xp.stack(digits)


def _join_digits(digits: Array, like: Array, kind: str) -> Array:
    """Return the integers with these digits, or sums of digits."""
    xp = namespace(digits)
    exact = xp.astype(xp.round(digits), getattr(xp, f"int{_count_bits(kind)}"))
    total = exact[-1, ...]
    for place in reversed(range(exact.shape[0] - 1)):
        total = total * _BASE + exact[place, ...]
    return xp.astype(total, like.dtype)


def _count_bits(kind: str) -> int:
    return max(32, int(kind.removeprefix("u").removeprefix("int")))
