"""Largest and smallest entries over processes, of which NaN is one: engines disagree about that."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from luxport.backend import Array, is_inexact, namespace

__all__ = ["find_extreme_with_nan"]


def find_extreme_with_nan(
    all_reduce: Callable[[Sequence[Array], str], list[Array]], arrays: Sequence[Array], op: str
) -> list[Array]:
    """Return the largest or smallest entries of all processes; where one has NaN, that.

    Comparisons with NaN are false, so that what an engine returns there depends on who compares: MPI's processes would
    have different results.

    Args:
        all_reduce: what combines arrays
        arrays: this process's
        op: "max" or "min"
    """
    floating = [i for i, array in enumerate(arrays) if is_inexact(array)]
    # A bool goes along: whether there is NaN by "max", whether there is none by "min".
    marks = [_mark(arrays[i], op) for i in floating]
    found = all_reduce([*arrays, *marks], op)
    values, told = found[: len(arrays)], found[len(arrays) :]
    for i, mark in zip(floating, told, strict=True):
        xp = namespace(values[i])
        is_nan = mark if op == "max" else xp.logical_not(mark)
        values[i] = xp.where(is_nan, xp.full_like(values[i], float("nan")), values[i])
    return values


def _mark(array: Array, op: str) -> Array:
    xp = namespace(array)
    is_nan = xp.isnan(array)
    return is_nan if op == "max" else xp.logical_not(is_nan)
