"""Cases of `SkipConnection`."""

from __future__ import annotations

import operator

import numpy as np

import luxport
from luxport import Bilinear, Dense, SkipConnection
from luxport_conformance.case import Case, Shape
from luxport_conformance.cases.declare import check_fact, check_output, cite, draw
from luxport_conformance.cases.dense import affine
from luxport_conformance.cases.functions import double, join_rows, make_zeros
from luxport_conformance.compare import Tolerance

BASIC = "flux:layers/basic.jl"

CASES: list[Case] = [
    check_output(
        "skip.of_zeros",
        cite(BASIC, 168),
        SkipConnection(make_zeros, operator.add),
        draw(3, 4, 5, 6),
        y=lambda x, ps, st: x,
    ),
    check_output(
        "skip.concat", cite(BASIC, 173), SkipConnection(Dense(10, 10), join_rows), draw(2, 10), y=Shape(4, 10)
    ),
    check_output(
        "skip.order",
        ("lux: SkipConnection calls connection(layers(x), x)",),
        SkipConnection(double, operator.truediv),
        [1.0, -3.0],
        y=[2.0, 2.0],
    ),
    check_output(
        "skip.bilinear",
        cite(BASIC, 183),
        SkipConnection(Dense(10, 10), Bilinear((10, 10), 5)),
        draw(9, 10),
        y=lambda x, ps, st: np.einsum(
            "ni,jio,nj->no", affine(x, ps["layers"], {}), ps["connection"]["weight"], x, optimize=True
        ),
        tolerance=Tolerance(reduction=10 + 100),
    ),
    check_fact(
        "skip.keys",
        ("lux: a connection that is a layer has an entry of its own",),
        lambda: (
            (
                list(luxport.setup(0, SkipConnection(Dense(2, 2), operator.add))[0])
                + list(luxport.setup(0, SkipConnection(Dense(2, 2), Bilinear(2, 2)))[0])
            )
            == ["weight", "bias", "layers", "connection"]
        ),
        subject="SkipConnection",
    ),
]
