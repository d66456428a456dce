"""Cases of `luxport.ops.gather` and `scatter`: NNlib's tests, with axes reversed and indices counted from 0."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import luxport
from luxport import LayerError, ops
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_error, check_fact, check_function, check_gradient, cite, draw
from luxport_conformance.compare import Tolerance

GATHER, SCATTER, UTILS = "nnlib:testsuite/gather.jl", "nnlib:testsuite/scatter.jl", "nnlib:utils.jl"
# Indices (2, 3) into three axes, counted from 1 as upstream's.
PLACES = np.moveaxis(np.array([[[3, 4, 5], [1, 2, 3], [2, 3, 9]], [[4, 6, 2], [5, 3, 2], [4, 4, 4]]]), -1, 0)

INDEX = np.array([[1, 2, 3, 4], [4, 2, 1, 3], [3, 5, 5, 3]], np.int32).T - 1  # (4, 3), upstream's (3, 4)
COUNTED = np.array([3.0, 4.0, 5.0, 6.0, 7.0])
SRC = np.array([[3.0, 5.0, 7.0], [4.0, 6.0, 8.0]]).T  # (3, 2), upstream's (2, 3)
COLUMNS = np.array([[1, 2, 3], [2, 2, 1], [3, 1, 3]], np.int32).T - 1
PAIRS = (np.array([0, 1, 2, 0, 1, 2], np.int32), np.array([0, 0, 0, 1, 1, 1], np.int32))

# Upstream's destinations, sources and results of `scatter`, by operator and by number of feature axes.
DESTINATIONS = {0: COUNTED, 1: np.array([[3.0, 3, 4, 4, 5], [5, 5, 6, 6, 7]]).T}
ONES = {0: np.ones((4, 3)), 1: np.ones((4, 3, 2))}
RISING = np.tile(np.arange(1.0, 5.0)[:, None], (1, 3))
RISINGS = {0: RISING, 1: RISING[..., None] * [1.0, 2.0]}
ONTO: dict[str, tuple[Any, Any]] = {
    "+": ([5, 6, 9, 8, 9], [[5, 5, 8, 6, 7], [7, 7, 10, 8, 9]]),
    "-": ([1, 2, 1, 4, 5], [[1, 1, 0, 2, 3], [3, 3, 2, 4, 5]]),
    "max": ([3, 4, 5, 6, 7], [[3, 3, 4, 4, 5], [5, 5, 6, 6, 7]]),
    "min": ([1, 1, 1, 1, 1], [[1, 1, 1, 1, 1], [1, 1, 1, 1, 1]]),
    "*": ([3, 4, 5, 6, 7], [[3, 3, 4, 4, 5], [5, 5, 6, 6, 7]]),
    "/": ([0.75, 1.0, 0.3125, 1.5, 1.75], [[0.75, 0.75, 0.25, 1.0, 1.25], [1.25, 1.25, 0.375, 1.5, 1.75]]),
    "mean": ([4, 5, 6, 7, 8], [[4, 4, 5, 5, 6], [6, 6, 7, 7, 8]]),
}
ALONE: dict[str, tuple[Any, Any]] = {
    "+": ([4, 4, 12, 5, 5], [[4, 4, 12, 5, 5], [8, 8, 24, 10, 10]]),
    "-": ([-4, -4, -12, -5, -5], [[-4, -4, -12, -5, -5], [-8, -8, -24, -10, -10]]),
    "max": ([3, 2, 4, 4, 3], [[3, 2, 4, 4, 3], [6, 4, 8, 8, 6]]),
    "min": ([1, 2, 1, 1, 2], [[1, 2, 1, 1, 2], [2, 4, 2, 2, 4]]),
    "*": ([3, 4, 48, 4, 6], [[3, 4, 48, 4, 6], [12, 16, 768, 16, 24]]),
    "/": (
        [1 / 3, 1 / 4, 1 / 48, 1 / 4, 1 / 6],
        [[1 / 3, 1 / 4, 1 / 48, 1 / 4, 1 / 6], [1 / 12, 1 / 16, 1 / 768, 1 / 16, 1 / 24]],
    ),
    "mean": ([2, 2, 3, 2.5, 2.5], [[2, 2, 3, 2.5, 2.5], [4, 4, 6, 5, 5]]),
}
NAMES = {"+": "sum", "-": "minus", "*": "times", "/": "over", "max": "max", "min": "min", "mean": "mean"}


def _check_scatter(op: str) -> Case:
    factor = 2.0 if op == "/" else 1.0

    def program(*arrays: Any) -> Any:
        *given, index = arrays
        results = []
        for ones, destination, risings in zip(given[::3], given[1::3], given[2::3], strict=True):
            results.append(ops.scatter(ones * factor, index, op=op, init=destination, size=5))
            results.append(ops.scatter(risings, index, op=op, size=5))
        return tuple(results)

    given = [array for dims in (0, 1) for array in (ONES[dims], DESTINATIONS[dims], RISINGS[dims])]
    wanted = [np.array(table[op][dims], float).T for dims in (0, 1) for table in (ONTO, ALONE)]
    return check_function(
        f"scatter.{NAMES[op]}",
        cite(SCATTER, 93 if op == "/" else 90, 101),
        program,
        *(*given, INDEX),
        expected=tuple(wanted),
        tolerance=Tolerance(reduction=5),
    )


def _check_integers(op: str) -> Case:
    return check_function(
        f"scatter.{NAMES[op]}_of_integers",
        cite(SCATTER, 101),
        lambda x, index: ops.scatter(x, index, op=op, size=5),
        *(RISING.astype(np.int32), INDEX.astype(np.int8)),
        expected=np.array(ALONE[op][0]).astype(np.int32),
        dtypes=("float32",),
    )


def _check_slopes(op: str, dims: int) -> Case:
    """Check the gradients of a weighted sum with respect to the destination and the source.

    Upstream compares with one-sided differences, by which each of several equal extremes gets the whole gradient.
    """

    def sum_weighted(destination: Any, src: Any, index: Any) -> Any:
        y = ops.scatter(src, index, op=op, init=destination, size=5)
        xp = luxport.namespace(y)
        return xp.sum(y * xp.cos(xp.astype(xp.reshape(xp.arange(_count(y)), y.shape), y.dtype)))

    def expect_slopes(destination: Any, src: Any, index: Any) -> Any:
        return _derive_slopes(op, destination, src, index)

    return check_gradient(
        f"scatter.gradient_{NAMES[op]}_{dims}",
        ("nnlib: testsuite/scatter.jl:184, 201 and 214, gradtests",),
        sum_weighted,
        {"destination": DESTINATIONS[dims], "src": RISINGS[dims], "index": INDEX},
        expected=expect_slopes,
        wrt=(0, 1),
        tolerance=Tolerance(reduction=10),
        # The gradient of PyTorch's product looks for zeros among the values, which its compiler cannot follow.
        compiles=op not in ("*", "/"),
    )


def _count(y: Any) -> int:
    return math.prod(y.shape)


def _derive_slopes(op: str, destination: Any, src: Any, index: Any) -> Any:
    """Compute the gradients of the weighted sum in NumPy, one slice at a time."""
    weights = np.cos(np.arange(destination.size, dtype=float)).reshape(destination.shape)
    flat, rows = index.reshape(-1), src.reshape(-1, *src.shape[2:])
    to_rows = np.zeros_like(rows)
    to_destination = weights.copy()
    for place in range(len(destination)):
        here = np.flatnonzero(flat == place)
        group, start, weight = rows[here], destination[place], weights[place]
        if op in ("+", "-"):
            to_rows[here] = weight if op == "+" else -weight
        if op == "mean":
            to_rows[here] = weight / len(here)
        if op in ("*", "/"):
            product = group.prod(0)
            to_destination[place] = weight * (product if op == "*" else 1 / product)
            to_rows[here] = weight * start * (product / group if op == "*" else -1 / (product * group))
        if op in ("max", "min"):
            every = np.concatenate([start[None], group])
            extreme = every.max(0) if op == "max" else every.min(0)
            to_rows[here] = (group == extreme) * weight
            to_destination[place] = (start == extreme) * weight
    return to_destination, to_rows.reshape(src.shape)


CASES: list[Case] = [
    check_function(
        "gather.numbers",
        cite(GATHER, 23, 24, 25, 51, 52, 53),
        lambda src, index: (ops.gather(src, index), ops.gather(src, index[None, ...])),
        *(COUNTED, INDEX),
        expected=(COUNTED[INDEX], COUNTED[INDEX][None]),
    ),
    check_function(
        "gather.slices",
        cite(GATHER, 78, 79, 80),
        ops.gather,
        *(SRC, COLUMNS),
        expected=np.array(
            [
                [[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]],
                [[5.0, 6.0], [5.0, 6.0], [3.0, 4.0]],
                [[7.0, 8.0], [3.0, 4.0], [7, 8]],
            ]
        ),
    ),
    check_function(
        "gather.pairs",
        cite(GATHER, 94, 95, 96, 122, 123, 124),
        ops.gather,
        *(SRC, *PAIRS),
        expected=[3.0, 5.0, 7.0, 4.0, 6.0, 8.0],
    ),
    check_function(
        "gather.pairs_of_slices",
        cite(GATHER, 107, 108, 135, 136),
        ops.gather,
        *(draw(3, 3, 2), np.array([[0, 2], [1, 1]], np.int32), np.array([[1, 0], [2, 2]], np.int32)),
        expected=lambda src, i, j: src[i.astype(int), j.astype(int)],
    ),
    check_function(
        "gather.one_by_one",
        cite(GATHER, 193, 195),
        lambda x, i, j: (ops.gather(x, i, j), ops.gather(x, j)),
        *(np.arange(1, 16, dtype=np.int32).reshape(5, 3), np.array([1, 3], np.int32), np.array([0, 1], np.int32)),
        expected=(np.array([4, 11], np.int32), np.array([[1, 2, 3], [4, 5, 6]], np.int32)),
        dtypes=("float32",),
    ),
    check_error(
        "gather.too_many",
        ("luxport: an array of indices for each axis, and no more",),
        lambda: ops.gather(COUNTED, PAIRS[0], PAIRS[1]),
        raises=LayerError,
        message="expects 1 to 1 arrays of indices of one shape",
    ),
    *[_check_scatter(op) for op in NAMES],
    *[_check_integers(op) for op in ("+", "-", "*", "max", "min")],
    check_function(
        "scatter.pairs",
        ("numpy: add.at with two arrays of indices",),
        lambda x, i, j: ops.scatter(x, i, j, size=(3, 4)),
        *(draw(6, 2), np.array([0, 2, 2, 1, 2, 0], np.int32), np.array([1, 3, 3, 0, 0, 1], np.int32)),
        expected=lambda x, i, j: _add_at(np.zeros((3, 4, 2)), (i.astype(int), j.astype(int)), x),
        tolerance=Tolerance(reduction=4),
    ),
    check_function(
        "scatter.nothing_there",
        ("nnlib: scatter.jl starts from 0, 1, the extremes, and 0 for a mean",),
        lambda x, index: tuple([ops.scatter(x, index, op=op, size=2)[1, ...] for op in NAMES]),
        *(np.array([2.0]), np.array([0], np.int32)),
        expected=(0.0, 0.0, 1.0, 1.0, -np.inf, np.inf, 0.0),
    ),
    check_function(
        "scatter.size",
        cite(SCATTER, 163, 164),
        lambda x, index: ops.scatter(x, index, size=6),
        *(np.ones((5, 3)), np.array([1, 1, 2, 3, 3], np.int32)),
        expected=np.repeat([[0.0], [2.0], [1.0], [2.0], [0.0], [0.0]], 3, axis=1),
    ),
    check_error(
        "scatter.own_size",
        cite(SCATTER, 150),
        lambda: ops.scatter(np.ones((4, 2)), np.array([0, 1, 1])),
        raises=LayerError,
        message=r"expects \(3,\) and further axes, as the indices, got \(4, 2\)",
    ),
    check_error(
        "scatter.beyond_the_end",
        cite(SCATTER, 151),
        lambda: ops.scatter(np.ones((3, 4)), np.array([[0, 1, 2, 3], [3, 1, 0, 2], [5, 6, 7, 8]]), size=5),
        raises=IndexError,
        message="indices of at least 0 and below 5, got 8",
    ),
    *[
        check_fact(
            f"scatter.own_size_{name}",
            cite(UTILS, *lines),
            lambda index=index: ops.scatter(np.ones(index[0].shape), *[i - 1 for i in index]).shape,
            size,
        )
        for name, lines, index, size in (
            ("1d", (9,), (np.arange(1, 7),), (6,)),
            ("3d", (11,), tuple(np.array([[3, 4, 5], [1, 2, 3], [2, 3, 9]]).T), (3, 4, 9)),
            ("3d_of_matrices", (14, 18), tuple(PLACES), (5, 6, 9)),
        )
    ],
    *[_check_slopes(op, dims) for op in NAMES for dims in (0, 1)],
    check_gradient(
        "gather.gradient",
        ("nnlib: testsuite/gather.jl:151, a gradtest",),
        lambda src, index: luxport.namespace(src).sum(ops.gather(src, index) ** 2),
        {"src": COUNTED, "index": INDEX},
        expected=lambda src, index: 2 * src * np.bincount(index.reshape(-1).astype(int), minlength=5),
        tolerance=Tolerance(reduction=5),
    ),
]


def _add_at(y: Any, places: Any, x: Any) -> Any:
    np.add.at(y, places, x)
    return y
