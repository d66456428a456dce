"""Cases of `SkipConnection`."""

from __future__ import annotations

import operator

import numpy as np

import luxport
from luxport import Bilinear, Dense, SkipConnection
from luxport_conformance.case import Case, Shape
from luxport_conformance.cases.declare import at, draw, fact, forward
from luxport_conformance.cases.dense import affine
from luxport_conformance.cases.functions import below, double, nothing
from luxport_conformance.compare import Tolerance

BASIC = "flux:layers/basic.jl"

CASES: list[Case] = [
    forward(
        "skip.of_zeros",
        at(BASIC, 168),
        SkipConnection(nothing, operator.add),
        draw(3, 4, 5, 6),
        y=lambda x, ps, st: x,
    ),
    forward("skip.concat", at(BASIC, 173), SkipConnection(Dense(10, 10), below), draw(2, 10), y=Shape(4, 10)),
    forward(
        "skip.order",
        ("lux: SkipConnection calls connection(layers(x), x)",),
        SkipConnection(double, operator.truediv),
        [1.0, -3.0],
        y=[2.0, 2.0],
    ),
    forward(
        "skip.bilinear",
        at(BASIC, 183),
        SkipConnection(Dense(10, 10), Bilinear((10, 10), 5)),
        draw(9, 10),
        y=lambda x, ps, st: np.einsum(
            "ni,jio,nj->no", affine(x, ps["layers"], {}), ps["connection"]["weight"], x, optimize=True
        ),
        tolerance=Tolerance(reduction=10 + 100),
    ),
    fact(
        "skip.keys",
        ("lux: a connection that is a layer has an entry of its own",),
        "SkipConnection",
        lambda: (
            (
                list(luxport.setup(0, SkipConnection(Dense(2, 2), operator.add))[0])
                + list(luxport.setup(0, SkipConnection(Dense(2, 2), Bilinear(2, 2)))[0])
            )
            == ["weight", "bias", "layers", "connection"]
        ),
    ),
]
