"""Cases of the operations that pad."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import ops
from luxport_conformance.case import Case
from luxport_conformance.cases.answers import count_up
from luxport_conformance.cases.declare import check_error, check_function, check_program, cite, draw

FILE = "nnlib:padding.jl"

# (name, NumPy's mode, NNlib's tests: (lines, padding, axes, the padded 1 2 3 / 4 5 6 / 7 8 9)), axes reversed
PINNED: tuple[tuple[str, Any, tuple[tuple[tuple[int, ...], Any, Any, list[list[int]]], ...]], ...] = (
    (
        "pad_edge",
        "edge",
        (
            ((66,), ((1, 2),), 1, [[1, 1, 2, 3, 3, 3], [4, 4, 5, 6, 6, 6], [7, 7, 8, 9, 9, 9]]),
            ((74,), (2,), 0, [[1, 2, 3]] * 3 + [[4, 5, 6]] + [[7, 8, 9]] * 3),
        ),
    ),
    (
        "pad_reflect",
        "reflect",
        (
            ((87,), (2,), 0, [[7, 8, 9], [4, 5, 6], [1, 2, 3], [4, 5, 6], [7, 8, 9], [4, 5, 6], [1, 2, 3]]),
            ((109,), ((1, 0), (1, 0)), None, [[5, 4, 5, 6], [2, 1, 2, 3], [5, 4, 5, 6], [8, 7, 8, 9]]),
            ((114,), ((0, 1), (0, 1)), None, [[1, 2, 3, 2], [4, 5, 6, 5], [7, 8, 9, 8], [4, 5, 6, 5]]),
        ),
    ),
    (
        "pad_symmetric",
        "symmetric",
        (
            ((123,), (2,), 0, [[4, 5, 6], [1, 2, 3], [1, 2, 3], [4, 5, 6], [7, 8, 9], [7, 8, 9], [4, 5, 6]]),
            ((143,), ((1, 0), (1, 0)), None, [[1, 1, 2, 3], [1, 1, 2, 3], [4, 4, 5, 6], [7, 7, 8, 9]]),
            ((148,), ((0, 1), (0, 1)), None, [[1, 2, 3, 3], [4, 5, 6, 6], [7, 8, 9, 9], [7, 8, 9, 9]]),
        ),
    ),
    (
        "pad_circular",
        "wrap",
        (((157,), (2,), 0, [[4, 5, 6], [7, 8, 9], [1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 2, 3], [4, 5, 6]]),),
    ),
)
# lines of NNlib's tests that pad by two on every side, with the padding in either of two forms
ALL_ROUND = {"pad_edge": (79,), "pad_reflect": (92, 101), "pad_symmetric": (128, 137), "pad_circular": (162, 171)}
SLOPES = {"pad_edge": 82, "pad_reflect": 106, "pad_symmetric": 140, "pad_circular": 174}


def _check_pinned(name: str, by_numpy: Any, pins: Any) -> Case:
    op = getattr(ops, name)
    uses = {f"line_{lines[0]}": (padding, axes, wanted) for lines, padding, axes, wanted in pins}

    def program(x: Any, wide: Any) -> Any:
        return {line: op(x, padding=padding, axes=axes) for line, (padding, axes, _) in uses.items()} | {
            "all_round": op(x, padding=(2, 2)),
            "said_twice": [op(wide, padding=p, axes=(0, 2)) for p in (2, ((2, 2), (2, 2)))],
            "spatial": op(wide[None, None, ...], padding=1),
        }

    def expected(x: Any, wide: Any) -> Any:
        padded = np.pad(wide, ((2, 2), (0, 0), (2, 2)), mode=by_numpy)
        return {line: np.array(wanted, float) for line, (_, _, wanted) in uses.items()} | {
            "all_round": np.pad(x, 2, mode=by_numpy),
            "said_twice": (padded, padded),
            "spatial": np.pad(wide, 1, mode=by_numpy)[None, None],
        }

    lines = [line for pin in pins for line in pin[0]]
    return check_program(
        f"{name}.nine",
        (*cite(FILE, *lines, *ALL_ROUND[name]), "numpy.pad"),
        program,
        {"x": count_up(3, 3), "wide": draw(4, 4, 4)},
        expected=expected,
    )


def _check_slope(name: str) -> Case:
    """Check the gradient of a weighted sum of a padded array: the sum of the weights at all copies of an element."""
    op, weights = getattr(ops, name), draw(3, 7, 7, seed=1)
    places = np.pad(
        np.arange(27).reshape(3, 3, 3), ((0, 0), (2, 2), (2, 2)), mode=dict((n, m) for n, m, _ in PINNED)[name]
    )

    def sum_weighted(x: Any, weights: Any) -> Any:
        return luxport.namespace(x).sum(op(x, padding=(2, 2)) * weights)

    return check_program(
        f"{name}.gradient",
        cite(FILE, SLOPES[name]),
        luxport.grad(sum_weighted),
        {"x": draw(3, 3, 3), "weights": weights},
        expected=lambda x, weights: np.bincount(places.ravel(), weights.ravel()).reshape(3, 3, 3),
        differentiates=True,
    )


def _compute_constants(x: Any, pair: Any) -> Any:
    pad, zeros = ops.pad_constant, ops.pad_zeros
    return {
        "uneven": pad(x, padding=(4, 2, 3)),
        "zeros": zeros(x, padding=(4, 2, 3)),
        "all": [zeros(x, padding=p) for p in (2, (2, 2, 2))],
        "values": pad(x, padding=((4, 5), (3, 2)), value=1.5, axes=(0, 2)),
        "said_twice": [pad(x, padding=p, value=1.5, axes=(0, 2)) for p in (2, ((2, 2), (2, 2)))],
        "two_axes": pad(x, padding=1, axes=(1, 2)),
        "one_axis": pad(x, padding=1, axes=-1),
        "pair": zeros(pair, padding=((1, 2),)),
        "nothing": pad(pair[:0, ...], padding=((1, 2),), value=1.5),
        "nothing_beside": pad(x[:, :0, ...], padding=(0, 1, 2), value=1.5),
        "left_alone": [getattr(ops, name)(x[:0, ...], padding=1, axes=-1) for name, _, _ in PINNED],
    }


def _expect_constants(x: Any, pair: Any) -> Any:
    values = np.pad(x, ((2, 2), (0, 0), (2, 2)), constant_values=1.5)
    return {
        "uneven": np.pad(x, ((4, 4), (2, 2), (3, 3))),
        "zeros": np.pad(x, ((4, 4), (2, 2), (3, 3))),
        "all": (np.pad(x, 2),) * 2,
        "values": np.pad(x, ((4, 5), (0, 0), (3, 2)), constant_values=1.5),
        "said_twice": (values, values),
        "two_axes": np.pad(x, ((0, 0), (1, 1), (1, 1))),
        "one_axis": np.pad(x, ((0, 0), (0, 0), (1, 1))),
        "pair": np.pad(pair, (1, 2)),
        "nothing": np.full(3, 1.5),
        "nothing_beside": np.full((2, 2, 6), 1.5),
        "left_alone": [np.zeros((0, 2, 4))] * len(PINNED),
    }


CASES: list[Case] = [
    check_function(
        "pad_constant.as_numpy",
        (*cite(FILE, 7, 12, 15, 18, 21, 24, 25, 27, 29, 30, 33, 34, 36, 38, 41, 44, 46), "numpy.pad"),
        _compute_constants,
        *(draw(2, 2, 2), draw(2, seed=1)),
        expected=_expect_constants,
    ),
    check_program(
        "pad_constant.gradient",
        cite(FILE, 48, 49, 50),
        luxport.grad(
            lambda x, weights: luxport.namespace(x).sum(ops.pad_constant(x, padding=((2, 1), (1, 2))) * weights)
        ),
        {"x": draw(2, 2), "weights": draw(5, 5, seed=1)},
        expected=lambda x, weights: weights[2:4, 1:3],
        differentiates=True,
    ),
    check_error(
        "pad_constant.misfit",
        cite(FILE, 9),
        lambda: ops.pad_constant(np.ones((1, 2, 3, 4)), padding=(1, 2, 3, 4, 5), axes=(1, 2, 3)),
        message="expects padding as an int",
    ),
    *[
        check_error(
            f"{name}.of_nothing",
            ("numpy.pad: can't extend an empty axis but by a constant",),
            lambda name=name: getattr(ops, name)(np.ones((2, 0)), padding=((0, 1),)),
            subject=name,
            message="an element to repeat" if name == "pad_edge" else "padding of at most 0",
        )
        for name, _, _ in PINNED
    ],
    check_error(
        "pad_reflect.too_much",
        ("numpy.pad goes on reflecting; NNlib fails",),
        lambda: ops.pad_reflect(np.ones(3), padding=(3,)),
        message="at most 2 to reflect it",
    ),
    *(_check_pinned(*entry) for entry in PINNED),
    check_function(
        "pad_edge.two_axes",
        cite(FILE, 58, 59, 63, 64),
        lambda x: [ops.pad_edge(x, padding=((4, 5), (3, 2)), axes=axes) for axes in ((1, 2), (0, 2))],
        draw(2, 2, 2),
        expected=lambda x0: (
            np.pad(x0, ((0, 0), (4, 5), (3, 2)), mode="edge"),
            np.pad(x0, ((4, 5), (0, 0), (3, 2)), mode="edge"),
        ),
    ),
    *map(_check_slope, SLOPES),
]
