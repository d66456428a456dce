"""Cases of `Chain`."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import Chain, Dense, identity, relu, sigmoid
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import at, draw, fact, fails, forward, gradient
from luxport_conformance.compare import Tolerance

__all__ = ["CASES"]

BASIC = "flux:layers/basic.jl"
TEN_THEN_FIVE = Tolerance(reduction=10 + 5)


def _two_dense(x: Any, ps: Any, st: Any) -> Any:
    first, second = ps.values()
    hidden = 1.0 / (1.0 + np.exp(-(x @ first["weight"] + first["bias"])))
    return hidden @ second["weight"] + second["bias"]


def _square(x: Any) -> Any:
    return x * x


def _less_three(x: Any) -> Any:
    return x - 3.0


def _tangent(x: Any) -> Any:
    return luxport.namespace(x).tan(x)


def _between(model: Chain, *, last: bool = False) -> Any:
    """Return the intermediate outputs, or the last of them summed, of x and the parameters."""

    def outputs(x: Any, ps: Any) -> Any:
        outputs, _ = luxport.intermediate_outputs(model, x, ps, {name: {} for name in ps})
        return luxport.namespace(outputs[-1]).sum(outputs[-1]) if last else outputs

    return outputs


def _layers() -> tuple[Dense, Dense]:
    return Dense(10, 5, sigmoid), Dense(5, 2)


NAMED = Chain(first=_layers()[0], second=_layers()[1])
THREE = Chain(*_layers(), Dense(2, 1, relu))

ENCODER = Chain(enc=Dense(3, 5, relu), dec=Dense(5, 1, relu))
ENCODER_PS = {
    "enc": {"weight": np.abs(draw(3, 5)), "bias": np.ones(5)},
    "dec": {"weight": np.abs(draw(5, 1)), "bias": np.ones(1)},
}
"""Positive, so that every `relu` lets through."""


def _through(x: Any, ps: Any) -> Any:
    for part in ps.values():
        x = x @ part["weight"] + part["bias"]
        yield x


def _last_slopes(x: Any, ps: Any) -> Any:
    first, second = ps
    hidden, _ = _through(x, ps)
    back = ps[second]["weight"][:, 0]
    return {
        first: {"weight": np.outer(x, back), "bias": back},
        second: {"weight": hidden[:, None], "bias": np.ones(1)},
    }


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
    Case(
        id="chain.intermediate_outputs",
        subject="Chain",
        source=at(BASIC, 6, 7, 8),
        program=_between(Chain(_square, _less_three, _tangent)),
        inputs={"x": np.linspace(1.0, 2.0, 10), "ps": {f"layer_{i}": {} for i in (1, 2, 3)}},
        expected=lambda x, ps: (x * x, x * x - 3, np.tan(x * x - 3)),
        tolerance=Tolerance(magnitude=4.0, reduction=20),  # a tangent's slope of up to 20 here
    ),
    Case(
        id="chain.intermediate_outputs_named",
        subject="Chain",
        source=at(BASIC, 45),
        program=_between(ENCODER),
        inputs={"x": np.ones(3), "ps": ENCODER_PS},
        expected=lambda x, ps: tuple(_through(x, ps)),
        tolerance=Tolerance(reduction=3 + 5),
    ),
    *(
        gradient(
            f"chain.gradient_of_intermediate_{name}",
            at(BASIC, line),
            "Chain",
            _between(model, last=True),
            {"x": np.ones(3), "ps": dict(zip(model.layers, ENCODER_PS.values(), strict=True))},
            expected=lambda x, ps: _last_slopes(x, ps),
            wrt=1,
            tolerance=Tolerance(reduction=3 + 5),
        )
        for line, name, model in ((42, "numbered", Chain(*ENCODER)), (46, "named", ENCODER))
    ),
]
