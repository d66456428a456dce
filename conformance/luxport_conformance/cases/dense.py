"""Cases of `Dense` and `Scale`."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import Dense, Scale
from luxport_conformance.case import Case, Property, Shape
from luxport_conformance.cases.declare import check_error, check_fact, check_output, cite, draw, set_up
from luxport_conformance.compare import Tolerance

BASIC = "flux:layers/basic.jl"
TEN = Tolerance(reduction=10)


def affine(x: Any, ps: Any, st: Any) -> Any:
    """Compute a Dense layer by NumPy's einsum, independently of luxport."""
    return np.einsum("...i,io->...o", x, ps["weight"]) + ps.get("bias", 0.0)


def square(x: Any) -> Any:
    """Return x * x, which is Julia's `abs2` for real numbers."""
    return x * x


def _find_initial_shape(layer: Any, name: str) -> Any:
    return tuple(set_up(layer)[0][name].shape)


ONES: dict[str, Any] = {"init_weight": luxport.initializers.ones}
ONE_THEN_TWO = np.stack([np.ones(10), 2 * np.ones(10)])

CASES: list[Case] = [
    check_fact("dense.weight_shape", cite(BASIC, 51), lambda: _find_initial_shape(Dense(10, 100), "weight"), (10, 100)),
    check_fact("dense.bias_shape", cite(BASIC, 52), lambda: _find_initial_shape(Dense(10, 100), "bias"), (100,)),
    check_output("dense.vector", cite(BASIC, 74, 78), Dense(10, 5), draw(10), y=affine, tolerance=TEN),
    check_output("dense.batch", cite(BASIC, 79), Dense(10, 5), draw(2, 10), y=affine, tolerance=TEN),
    check_output("dense.three_axes", cite(BASIC, 80), Dense(10, 5), draw(3, 2, 10), y=affine, tolerance=TEN),
    check_output("dense.four_axes", cite(BASIC, 81), Dense(10, 5), draw(4, 3, 2, 10), y=affine, tolerance=TEN),
    check_error(
        "dense.too_short", cite(BASIC, 75), Dense(10, 5), draw(1), message=r"Dense expects \(..., 10\), got \(1,\)"
    ),
    check_error(
        "dense.wrong_last_axis",
        cite(BASIC, 82),
        Dense(10, 5),
        draw(3, 2, 11),
        message=r"Dense expects \(..., 10\), got \(3, 2, 11\)",
    ),
    check_output("dense.ones", cite(BASIC, 85), Dense(10, 1, **ONES), np.ones((1, 10)), y=[[10.0]]),
    check_output("dense.ones_batch", cite(BASIC, 86), Dense(10, 1, **ONES), np.ones((2, 10)), y=[[10.0], [10.0]]),
    check_output("dense.ones_two_out", cite(BASIC, 87), Dense(10, 2, **ONES), np.ones((1, 10)), y=[[10.0, 10.0]]),
    check_output(
        "dense.ones_and_twos", cite(BASIC, 88), Dense(10, 2, **ONES), ONE_THEN_TWO, y=[[10.0, 10.0], [20.0, 20.0]]
    ),
    check_output(
        "dense.ones_no_bias",
        cite(BASIC, 89),
        Dense(10, 2, **ONES, use_bias=False),
        ONE_THEN_TWO,
        y=[[10.0, 10.0], [20.0, 20.0]],
    ),
    check_output("dense.zero_bias", cite(BASIC, 95), Dense(2, 3), draw(4, 2), y=lambda x, ps, st: x @ ps["weight"]),
    check_output(
        "dense.no_bias", cite(BASIC, 95), Dense(2, 3, use_bias=False), draw(4, 2), y=lambda x, ps, st: x @ ps["weight"]
    ),
    check_output(
        "dense.bias_and_activation",
        ("definition: tanh(x weight + bias)",),
        Dense(3, 2, luxport.tanh),
        draw(4, 3),
        ps={"weight": draw(3, 2, seed=1), "bias": draw(2, seed=2)},
        y=lambda x, ps, st: np.tanh(affine(x, ps, st)),
        tolerance=Tolerance(reduction=3),
    ),
    check_output("scale.vector", cite(BASIC, 111), Scale(10), draw(10), y=lambda x, ps, st: x),
    check_output("scale.one_value", cite(BASIC, 112), Scale(10), draw(1), y=lambda x, ps, st: np.repeat(x, 10)),
    check_output("scale.no_bias", cite(BASIC, 113), Scale(10, use_bias=False), draw(10), y=lambda x, ps, st: x),
    check_output("scale.tanh", cite(BASIC, 114), Scale(10, luxport.tanh), draw(10), y=lambda x, ps, st: np.tanh(x)),
    check_error(
        "scale.two_for_ten", cite(BASIC, 115), Scale(10), draw(2), message=r"Scale expects \(..., 10\), got \(2,\)"
    ),
    check_output("scale.broadcast_features", cite(BASIC, 117), Scale(2), [[1.0], [2.0]], y=[[1.0, 1.0], [2.0, 2.0]]),
    check_output("scale.identity", cite(BASIC, 118), Scale(2), [1.0, 2.0], y=[1.0, 2.0]),
    check_output(
        "scale.drawn_weight",
        cite(BASIC, 119),
        Scale(2, init_weight=luxport.initializers.normal),
        [1.0, 2.0],
        y=Property("something other than [1, 2]", lambda y: not np.array_equal(y, [1.0, 2.0])),
    ),
    check_output(
        "scale.identity_matrix",
        cite(BASIC, 120),
        Scale(2, use_bias=False),
        [[1.0, 3.0], [2.0, 4.0]],
        y=[[1.0, 3.0], [2.0, 4.0]],
    ),
    check_output(
        "scale.square",
        cite(BASIC, 121),
        Scale(2, square, use_bias=False, **ONES),
        [[1.0, 3.0], [2.0, 4.0]],
        y=[[1.0, 9.0], [4.0, 16.0]],
    ),
    check_output("scale.last_axis", cite(BASIC, 123), Scale(2), draw(4, 3, 2), y=Shape(4, 3, 2)),
    check_output("scale.two_axes", cite(BASIC, 124), Scale(3, 2), draw(4, 3, 2), y=Shape(4, 3, 2)),
    check_output("scale.three_axes", cite(BASIC, 125), Scale(4, 3, 2, use_bias=False), draw(4, 3, 2), y=Shape(4, 3, 2)),
    check_output(
        "scale.broadcast_middle", cite(BASIC, 126), Scale(3, 2, use_bias=False), draw(4, 1, 2), y=Shape(4, 3, 2)
    ),
    check_output(
        "scale.zeros_tanh",
        cite(BASIC, 127),
        Scale(3, 2, luxport.tanh, use_bias=False, init_weight=luxport.initializers.zeros),
        draw(4, 1, 2),
        y=np.zeros((4, 3, 2)),
    ),
    check_error(
        "scale.float_size",
        cite(BASIC, 129),
        lambda: Scale(1.0),  # type: ignore[arg-type]
        raises=ValueError,
        message=r"Scale expects an int of at least 0 as dims\[0\], got 1.0",
    ),
    check_error(
        "scale.float_sizes",
        cite(BASIC, 130),
        lambda: Scale(1.0, 2.0),  # type: ignore[arg-type]
        raises=ValueError,
        message=r"Scale expects an int of at least 0 as dims\[0\], got 1.0",
    ),
    check_error(
        "scale.nothing", cite(BASIC, 131), lambda: Scale(), raises=ValueError, message="Scale expects one or more sizes"
    ),
    check_error(
        "scale.only_activation",
        cite(BASIC, 132),
        lambda: Scale(np.sin),
        raises=ValueError,
        message="Scale expects one or more sizes",
    ),
    check_output(
        "scale.weight_and_bias",
        ("definition: x weight + bias",),
        Scale(2, 3),
        draw(4, 2, 3),
        ps={"weight": draw(2, 3, seed=1), "bias": draw(2, 3, seed=2)},
        y=lambda x, ps, st: x * ps["weight"] + ps["bias"],
    ),
]
