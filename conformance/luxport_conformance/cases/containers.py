"""Cases of `Chain`."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport import Chain, Dense, identity, relu, sigmoid
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import at, draw, fact, fails, forward
from luxport_conformance.compare import Tolerance

__all__ = ["CASES"]

BASIC = "flux:layers/basic.jl"
TEN_THEN_FIVE = Tolerance(reduction=10 + 5)


def _two_dense(x: Any, ps: Any, st: Any) -> Any:
    first, second = ps.values()
    hidden = 1.0 / (1.0 + np.exp(-(x @ first["weight"] + first["bias"])))
    return hidden @ second["weight"] + second["bias"]


def _layers() -> tuple[Dense, Dense]:
    return Dense(10, 5, sigmoid), Dense(5, 2)


NAMED = Chain(first=_layers()[0], second=_layers()[1])
THREE = Chain(*_layers(), Dense(2, 1, relu))

CASES: list[Case] = [
    forward("chain.two_dense", at(BASIC, 16), Chain(*_layers()), draw(10), y=_two_dense, tolerance=TEN_THEN_FIVE),
    fails(
        "chain.misfit",
        at(BASIC, 17),
        Chain(Dense(10, 5, sigmoid), Dense(2, 1)),
        draw(10),
        message=r"Dense at layer_2 expects \(..., 2\), got \(5,\)",
    ),
    forward("chain.named", at(BASIC, 20), NAMED, draw(10), y=_two_dense, tolerance=TEN_THEN_FIVE),
    fact("chain.index_by_name", at(BASIC, 22), "Chain", lambda: NAMED["first"] == NAMED[0]),
    fact("chain.slice_of_all", at(BASIC, 23), "Chain", lambda: NAMED[0:2] == NAMED),
    fact(
        "chain.equal_to_itself",
        at(BASIC, 25),
        "Chain",
        lambda: Chain(first=_layers()[0], second=_layers()[1]) == NAMED and Chain(*_layers()) != NAMED,
    ),
    forward(
        "chain.list_of_layers", at(BASIC, 30), Chain(list(_layers())), draw(10), y=_two_dense, tolerance=TEN_THEN_FIVE
    ),
    fact("chain.first", at(BASIC, 33), "Chain", lambda: THREE[0] == THREE[-3] == _layers()[0]),
    fact("chain.last", at(BASIC, 34), "Chain", lambda: THREE[2] == THREE[-1] == Dense(2, 1, relu)),
    fails(
        "chain.called_layers",
        at(BASIC, 28),
        lambda: Chain(layers=Dense(10, 10), two=identity),
        subject="Chain",
        raises=ValueError,
        message="Chain expects strings other than 'name', 'layers' as names of layers, got 'layers'",
    ),
    forward(
        "chain.functions",
        ("lux: Chain wraps functions",),
        Chain(lambda x: x * 2.0, identity, lambda x: x + 1.0),
        [[1.0, -2.0]],
        y=[[3.0, -3.0]],
    ),
    forward("chain.empty", ("lux: an empty Chain is a NoOpLayer",), Chain(), [[1.0, -2.0]], y=[[1.0, -2.0]]),
    fact(
        "chain.names",
        ("lux: layer_1, layer_2, …",),
        "Chain",
        lambda: list(THREE.layers) == ["layer_1", "layer_2", "layer_3"],
    ),
]
