"""Comparing results with expected values: the deviation, and the largest deviation that is allowed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from luxport import tree
from luxport.tree.static import Static

__all__ = ["EPSILON", "Tolerance", "Violation", "compare", "compare_trees", "sort_keys"]

EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
"""The machine epsilon of each dtype: the distance from 1 to the next larger number."""


class Violation(AssertionError):
    """The error of a failed check: a backend's result is not the one that a case or a law requires."""


@dataclass(frozen=True)
class Tolerance:
    """The largest allowed deviation of a result from the expected value.

    The rounding error of a sum of n products is at most about n eps times the size of the terms. Its 2 n roundings,
    of up to eps / 2 each and eps / sqrt(12) on average, have a standard deviation of 0.4 sqrt(n) eps;
    ``3 sqrt(n) eps`` is seven of these, because processors and libraries add in different orders. Four more eps
    are for the rounding of the inputs, an elementary function and the store. A larger tolerance needs a `reason`.

    ``allowed = factor (min(n, 3 sqrt(n)) + 4) eps scale + rounding``, where n is `reduction`, and scale the largest
    expected entry, or `magnitude` if that is larger (the error of a sum that cancels is relative to its terms).
    """

    reduction: int = 1
    magnitude: float = 0.0
    factor: float = 1.0
    rounding: float = 0.0
    reason: str = ""

    @property
    def units(self) -> float:
        """The allowed deviation without `rounding`, in units of eps times the scale."""
        return self.factor * (min(self.reduction, 3.0 * math.sqrt(self.reduction)) + 4.0)

    def __post_init__(self) -> None:
        if (self.factor, self.rounding) != (1.0, 0.0) and not self.reason:
            raise ValueError("a tolerance beyond the derived one expects a reason")


def compare(got: Any, want: Any, *, dtype: str, tolerance: Tolerance, path: str = "y") -> float:
    """Return the largest deviation in units of eps times the scale, over all entries of all expected leaves.

    Both are trees of host arrays; keys of a mapping that are not in `want` are ignored.

    Raises: Violation if a structure or a shape differs, or a value differs by more than is allowed
    """
    if isinstance(want, Mapping):
        if not isinstance(got, Mapping) or not want.keys() <= got.keys():
            raise Violation(f"{path}: keys {list(want)} expected, got {list(got) if isinstance(got, Mapping) else got}")
        parts = [(got[key], value, f"{path}.{key}") for key, value in want.items()]
    elif isinstance(want, tuple) and not _is_shape(want):
        if not isinstance(got, (tuple, list)) or len(got) != len(want):
            raise Violation(f"{path}: {len(want)} entries expected, got {got!r}")
        parts = [(inner, value, f"{path}.{i}") for i, (inner, value) in enumerate(zip(got, want, strict=True))]
    else:
        return _compare_leaf(got, want, dtype, tolerance, path)
    return max(
        [compare(inner, value, dtype=dtype, tolerance=tolerance, path=where) for inner, value, where in parts],
        default=0.0,
    )


def compare_trees(got: Any, want: Any, dtype: str, tolerance: Tolerance) -> float:
    """Return the largest deviation between two trees of the same structure; the order of keys is ignored.

    Raises: Violation if they differ by more than is allowed
    """
    got, want = sort_keys(got), sort_keys(want)
    if tree.structure(got) != tree.structure(want):
        raise Violation(f"a result like {tree.structure(want)} expected, got {tree.structure(got)}")
    return max(
        [
            compare(leaf, wanted, dtype=dtype, tolerance=tolerance, path=".".join(path))
            for (path, wanted), leaf in zip(tree.leaves_with_path(want), tree.leaves(got), strict=True)
        ],
        default=0.0,
    )


def sort_keys(values: Any) -> Any:
    """Return the tree with the keys of all dicts sorted, as JAX returns them."""
    if isinstance(values, Mapping):
        return {key: sort_keys(values[key]) for key in sorted(values)}
    return tuple(map(sort_keys, values)) if isinstance(values, (tuple, list)) else values


def _compare_leaf(got: Any, want: Any, dtype: str, tolerance: Tolerance, path: str) -> float:
    judge = getattr(want, "judge", None)  # a Shape or a Property has its own comparison
    if judge is not None:
        complaint = judge(got)
        if complaint:
            raise Violation(f"{path}: {complaint}")
        return 0.0
    if want is None or isinstance(want, (Static, str, bool)) or _is_shape(want):
        if type(got) is not type(want) or got != want:
            raise Violation(f"{path}: {want!r} expected, got {got!r}")
        return 0.0
    return _compare_numbers(np.asarray(got), np.asarray(want), dtype, tolerance, path)


def _compare_numbers(got: Any, want: Any, dtype: str, tolerance: Tolerance, path: str) -> float:
    if got.shape != want.shape:
        raise Violation(f"{path}: shape {want.shape} expected, got {got.shape}")
    if got.dtype.kind in "biu" or want.size == 0:
        if not np.array_equal(got, want):
            raise Violation(f"{path}: {_format(want)} expected, got {_format(got)}")
        return 0.0
    wide = np.complex128 if want.dtype.kind == "c" or got.dtype.kind == "c" else np.float64
    got, want = got.astype(wide), want.astype(wide)
    odd = ~np.isfinite(want)
    if not np.array_equal(got[odd], want[odd], equal_nan=True) or not np.isfinite(got[~odd]).all():
        raise Violation(f"{path}: {_format(want)} expected, got {_format(got)}")
    distance = np.where(odd, 0.0, np.abs(np.where(odd, 0.0, got) - np.where(odd, 0.0, want)))
    largest = float(np.abs(want[~odd]).max(initial=0.0))
    unit = EPSILON[dtype] * max(largest, tolerance.magnitude)
    allowed = tolerance.units * unit + tolerance.rounding
    worst = np.unravel_index(int(np.argmax(distance)), distance.shape)
    if distance[worst] > allowed:
        raise Violation(
            f"{path}: {want[worst]} expected at {[int(i) for i in worst]}, got {got[worst]}: "
            f"{distance[worst]:.3g} apart, {allowed:.3g} allowed"
        )
    return max(0.0, float(distance[worst]) - tolerance.rounding) / unit if unit else 0.0


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(type(n) is int for n in value)


def _format(array: Any) -> str:
    return np.array2string(array, threshold=12, separator=", ").replace("\n", "")
