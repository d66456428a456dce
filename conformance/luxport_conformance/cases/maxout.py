"""Cases of `Maxout`."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import Dense, Maxout, identity
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_fact, check_output, cite, draw, set_up
from luxport_conformance.cases.functions import double, halve, make_scale

BASIC = "flux:layers/basic.jl"


def _count_initial(layer: Any) -> int:
    return len(luxport.tree.leaves(set_up(layer)[0]))


CASES: list[Case] = [
    check_output("maxout.of_equal", cite(BASIC, 142), Maxout(lambda: identity, 4), draw(40), y=lambda x, ps, st: x),
    check_output(
        "maxout.of_multiples",
        cite(BASIC, 148),
        Maxout(identity, double, halve),
        np.abs(draw(40)),
        y=lambda x, ps, st: 2 * x,
    ),
    check_output(
        "maxout.of_columns",
        cite(BASIC, 155),
        Maxout(make_scale(0.5, 0.1), make_scale(0.2, 0.7)),
        [[3.0], [2.0]],
        y=[[1.5, 2.1], [1.0, 1.4]],
    ),
    check_fact("maxout.parameters", cite(BASIC, 161), lambda: _count_initial(Maxout(lambda: Dense(32, 64), 4)), 4 * 2),
    check_fact(
        "maxout.makes_every_layer",
        ("flux: Maxout(f, n) calls f n times",),
        lambda: Maxout(iter([Dense(3, 2), Dense(3, 2, luxport.tanh)]).__next__, 2)[1] == Dense(3, 2, luxport.tanh),
    ),
]
