"""Gradients of an objective for a whole batch, or accumulated over its parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from inspect import CO_VARARGS, isfunction
from typing import Any

from luxport import tree
from luxport.backend import Array, find_owner, is_inexact
from luxport.text import name_kind
from luxport.training._batching import find_first_size
from luxport.training._in_precision import wrap_in_precision
from luxport.training._loop import run_steps
from luxport.training._state import Program
from luxport.transforms import value_and_grad
from luxport.tree.static import Static

__all__ = ["MOST_PLANS", "Objective", "differentiate_objective", "expect_objective", "make_gradient_function"]

MOST_PLANS = 64
"""The number of programs that are cached, one for each objective and its options."""

Objective = Callable[[Any, tree.Tree, tree.Tree, Any], tuple[Array, tree.Tree, Any]]
"""``objective(model, ps, st, data) -> (loss, st, stats)``; luxport's loss objects are such functions."""


@lru_cache(maxsize=MOST_PLANS)
def make_gradient_function(objective_and_accumulate: Static[tuple[Objective, int]]) -> Callable[..., Any]:
    """Return the same gradient function for all plans with this objective, so that a backend compiles it once."""
    return partial(differentiate_objective, *objective_and_accumulate.value)


def _differentiate(f: Callable[[tree.Tree], tuple[Array, Any]], ps: tree.Tree) -> tuple[tuple[Array, Any], tree.Tree]:
    return value_and_grad(f, has_aux=True)(ps)


def differentiate_objective(
    objective: Objective,
    accumulate: int,
    program: Static[Program],
    ps: tree.Tree,
    st: tree.Tree,
    scale: tree.Tree,
    data: Any,
    differentiate: Callable[..., Any] = _differentiate,
) -> tuple[tree.Tree, Array, Any, tree.Tree]:
    """Return gradients, loss, statistics and the new states; `differentiate` may be a faster method of a backend."""

    def differentiate_batch(st: tree.Tree, data: Any) -> tuple[tree.Tree, Array, Any, tree.Tree]:
        return _differentiate_batch(objective, program.value, ps, st, scale, data, differentiate)

    if accumulate == 1:
        return differentiate_batch(st, data)

    def differentiate_part(st: tree.Tree, data: Any) -> tuple[tree.Tree, Any, Any]:
        grads, loss, stats, st = differentiate_batch(st, data)
        return st, (grads, loss), stats

    larger, smaller, share = _split_data(data, accumulate)
    st, totals, gathered = run_steps(differentiate_part, st, larger)
    means, stats = tree.map(lambda x: x / len(larger), totals), _average_statistics(gathered)
    if smaller:
        st, totals, gathered = run_steps(differentiate_part, st, smaller)
        means = tree.map(lambda mean, x: mean + (x / len(smaller) - mean) * share, means, totals)
        stats = _average_statistics([stats, _average_statistics(gathered)], share)
    grads, loss = means
    return grads, loss, stats, st


def _differentiate_batch(
    objective: Objective,
    program: Program,
    ps: tree.Tree,
    st: tree.Tree,
    scale: tree.Tree,
    data: Any,
    differentiate: Callable[..., Any],
) -> tuple[tree.Tree, Array, Any, tree.Tree]:
    model = wrap_in_precision(program.model, program.precision)

    def compute_scaled_loss(ps: tree.Tree) -> tuple[Array, Any]:
        result = objective(model, ps, st, data)
        if not isinstance(result, tuple) or len(result) != 3:
            raise TypeError(f"an objective returns (loss, st, stats), got {name_kind(result)}")
        loss = result[0]
        return loss if program.scaling is None else program.scaling.scale(scale, loss), result

    (_, (loss, st, stats)), grads = differentiate(compute_scaled_loss, ps)
    if program.scaling is not None:
        grads, _ = program.scaling.unscale(scale, grads)
    return grads, loss, stats, st


def _split_data(data: Any, count: int) -> tuple[list[Any], list[Any], float]:
    """Split data into parts: return larger ones, those with one sample fewer, and the latter's fraction of samples."""
    # After a second size PyTorch's compiler keeps it open, and cannot divide it: a tuple of that length makes it known.
    size = len((None,) * find_first_size("train_step with accumulate", data))
    count = max(min(count, size), 1)
    length, more = divmod(size, count)
    ends = [0]
    for i in range(count):
        ends.append(ends[-1] + length + (i < more))
    parts = [tree.map(lambda leaf, i=i: leaf[ends[i] : ends[i + 1], ...], data) for i in range(count)]
    return (parts[:more], parts[more:], (count - more) * length / size) if more else (parts, [], 0.0)


def _average_statistics(gathered: Sequence[Any], share: float | None = None) -> Any:
    """Return means of floating statistics, sums of integers, and the last value of everything else.

    With `share`, there are two, and the second has this weight in the means.
    """

    def combine(*leaves: Any) -> Any:
        total = leaves[0]
        if find_owner(type(total)) is None and not isinstance(total, (int, float)):
            return leaves[-1]
        floating = isinstance(total, float) or is_inexact(total)
        if floating and share is not None:
            return total + (leaves[1] - total) * share
        for leaf in leaves[1:]:
            total = total + leaf
        return total / len(leaves) if floating else total

    return tree.map(combine, *gathered)


def expect_objective(objective: Any) -> None:
    """Expect a function of (model, ps, st, data), and explain what is wrong with common mistakes.

    Raises: TypeError
    """
    wanted = "train_step expects an objective, a function of (model, ps, st, data)"
    if isinstance(objective, type):
        raise TypeError(f"{wanted}, got {name_kind(objective)}: call it, {objective.__name__}()")
    if not callable(objective) or isinstance(objective, Mapping):
        raise TypeError(f"{wanted}, got {name_kind(objective)}")
    if not isfunction(objective):
        return
    if objective.__module__.startswith("luxport.losses."):
        raise TypeError(
            f"{wanted}, got the loss "
            f"{objective.__name__} of (y_hat, y): luxport.losses has objects for it, such as MSELoss() and "
            "SparseCrossEntropyLoss(logits=True)"
        )
    code, given = objective.__code__, len(objective.__defaults__ or ())
    if not code.co_flags & CO_VARARGS and not code.co_argcount - given <= 4 <= code.co_argcount:
        taken = ", ".join(code.co_varnames[: code.co_argcount])
        raise TypeError(f"{wanted} that returns (loss, st, stats), got one of ({taken})")
