"""Cases of `Maxout`."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import Dense, Maxout, identity
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import at, draw, fact, forward
from luxport_conformance.cases.functions import double, half, scaled_pair

BASIC = "flux:layers/basic.jl"


def _initial_count(layer: Any) -> int:
    return len(luxport.tree.leaves(luxport.setup(0, layer, backend="numpy")[0]))


CASES: list[Case] = [
    forward("maxout.of_equal", at(BASIC, 142), Maxout(lambda: identity, 4), draw(40), y=lambda x, ps, st: x),
    forward(
        "maxout.of_multiples",
        at(BASIC, 148),
        Maxout(identity, double, half),
        np.abs(draw(40)),
        y=lambda x, ps, st: 2 * x,
    ),
    forward(
        "maxout.of_columns",
        at(BASIC, 155),
        Maxout(scaled_pair(0.5, 0.1), scaled_pair(0.2, 0.7)),
        [[3.0], [2.0]],
        y=[[1.5, 2.1], [1.0, 1.4]],
    ),
    fact(
        "maxout.parameters", at(BASIC, 161), "Maxout", lambda: _initial_count(Maxout(lambda: Dense(32, 64), 4)), 4 * 2
    ),
    fact(
        "maxout.makes_every_layer",
        ("flux: Maxout(f, n) calls f n times",),
        "Maxout",
        lambda: Maxout(iter([Dense(3, 2), Dense(3, 2, luxport.tanh)]).__next__, 2)[1] == Dense(3, 2, luxport.tanh),
    ),
]
