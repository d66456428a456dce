"""Cases of `PairwiseFusion` and `PairwiseFold`, which join one more input at each layer."""

from __future__ import annotations

import operator

import numpy as np

from luxport import Dense, PairwiseFold, PairwiseFusion
from luxport_conformance.case import Case, Shape
from luxport_conformance.cases.declare import check_error, check_output, cite, draw
from luxport_conformance.cases.functions import double, join_columns

BASIC = "flux:layers/basic.jl"
ONE = np.float64(1.0)

CASES: list[Case] = [
    check_output(
        "fusion.two_inputs",
        cite(BASIC, 507, 508, 509),
        PairwiseFusion(operator.add, Dense(1, 30), Dense(30, 10)),
        (draw(10, 1), draw(10, 30)),
        y=(Shape(10, 30), Shape(10, 10)),
    ),
    check_output(
        "fusion.one_input",
        cite(BASIC, 514, 515, 516),
        PairwiseFusion(operator.add, Dense(1, 10), Dense(10, 1)),
        draw(10, 1),
        y=(Shape(10, 10), Shape(10, 1)),
    ),
    check_output(
        "fusion.numbers",
        cite(BASIC, 518),
        PairwiseFusion(join_columns, lambda x: x + 1.0, lambda x: x + 2.0, lambda x: x**3),
        (np.asarray([2.0]), np.asarray([10.0]), np.asarray([20.0])),
        y=([3.0], [5.0, 12.0], [125.0, 1728.0, 8000.0]),
    ),
    check_output(
        "fusion.one_number",
        cite(BASIC, 519),
        PairwiseFusion(join_columns, lambda x: x + 1.0, lambda x: x + 2.0, lambda x: x**3),
        np.asarray([7.0]),
        y=([8.0], [10.0, 9.0], [1000.0, 729.0, 343.0]),
    ),
    check_output(
        "fold.order",
        ("lux: PairwiseFusion in its code, y = connection(layer(y), x)",),
        PairwiseFold(operator.sub, double, double),
        (np.asarray([1.0]), np.asarray([10.0]), np.asarray([100.0])),
        y=[(1 * 2 - 10) * 2 - 100.0],
    ),
    check_output(
        "fold.one_input",
        ("lux: PairwiseFusion uses a single input at every step",),
        PairwiseFold(operator.sub, double, double),
        [3.0],
        y=[(3 * 2 - 3) * 2 - 3.0],
    ),
    check_error(
        "fold.too_few",
        ("luxport",),
        PairwiseFold(operator.sub, double, double),
        (ONE, ONE),
        message="PairwiseFold expects a tuple of 3 inputs, one more than layers, or an array for all, got a tuple of 2",
    ),
]
