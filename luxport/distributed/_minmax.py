"""Elementwise maximum and minimum over processes in which NaN wins, as engines differ in their treatment of NaN."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from luxport.backend import Array, is_inexact, namespace

__all__ = ["find_extreme_with_nan"]


def find_extreme_with_nan(
    all_reduce: Callable[[Sequence[Array], str], list[Array]], arrays: Sequence[Array], op: str
) -> list[Array]:
    """Return the elementwise maximum or minimum over all processes; NaN where a process has NaN.

    Comparisons with NaN are false, so that an engine's result depends on the order of comparisons, and may differ
    between the processes, as with MPI.

    Args:
        all_reduce: the engine's function
        arrays: the arrays of this process
        op: "max" or "min"
    """
    floating = [i for i, array in enumerate(arrays) if is_inexact(array)]
    # Booleans are reduced with the arrays: whether any process has NaN for "max", whether none has for "min".
    marks = [_mark(arrays[i], op) for i in floating]
    found = all_reduce([*arrays, *marks], op)
    values, reduced = found[: len(arrays)], found[len(arrays) :]
    for i, mark in zip(floating, reduced, strict=True):
        xp = namespace(values[i])
        is_nan = mark if op == "max" else xp.logical_not(mark)
        values[i] = xp.where(is_nan, xp.full_like(values[i], float("nan")), values[i])
    return values


def _mark(array: Array, op: str) -> Array:
    xp = namespace(array)
    is_nan = xp.isnan(array)
    return is_nan if op == "max" else xp.logical_not(is_nan)
