"""Cases of `Parallel` and `BranchLayer`, whose layers run side by side."""

from __future__ import annotations

import operator
from collections import Counter
from typing import Any

import numpy as np

import luxport
from luxport import Bilinear, BranchLayer, Chain, Dense, Dropout, NoOpLayer, Parallel, identity
from luxport_conformance.case import Case, Shape
from luxport_conformance.cases.declare import at, draw, fact, fails, forward, gradient
from luxport_conformance.cases.dense import affine
from luxport_conformance.cases.functions import absolute, below, cosine, double, half, logarithm, nothing, sine, stacked
from luxport_conformance.compare import Tolerance

BASIC = "flux:layers/basic.jl"
TEN = Tolerance(reduction=10)


def _added(*products: str) -> Any:
    """Compute with NumPy the sum of what the Denses called so make of their inputs."""

    def wanted(x: Any, ps: Any, st: Any) -> Any:
        inputs = x if isinstance(x, tuple) else (x,) * len(products)
        return sum(affine(part, ps[name], {}) for name, part in zip(products, inputs, strict=True))

    return wanted


def _calls(*layers: Any, x: Any) -> dict[str, int]:
    """Count how often a connection is called, and with how many arguments."""
    calls: Counter[str] = Counter()

    def connection(*parts: Any) -> Any:
        calls["calls"] += 1
        calls["arguments"] += len(parts)
        return sum(parts)

    model = Parallel(connection, *layers)
    model(x, *luxport.setup(0, model, backend="numpy"))
    return dict(calls)


# PyTorch's compiler cannot follow the building of a layer.
_PRODUCTS = Parallel(operator.add, a=Dense(3, 2, use_bias=False), b=Dense(3, 2, use_bias=False))


def _sum_of_products(x: Any, y: Any, ps: Any) -> Any:
    out, _ = _PRODUCTS((x, y), ps, {"a": {}, "b": {}})
    return luxport.namespace(out).sum(out)


def _refused(id: str, line: int, make: Any, message: str, kind: type[Exception] = ValueError) -> Case:
    return fails(id, at(BASIC, line), make, subject="Parallel", raises=kind, message=message)


NAMED = Parallel(below, one=Dense(10, 10), two=identity)
THREE = (draw(10), draw(5, seed=1), draw(4, seed=2))
ONE = np.float64(1.0)
CASES: list[Case] = [
    forward(
        "parallel.zero_sum",
        at(BASIC, 226),
        Parallel(operator.add, nothing, identity),
        draw(3, 4, 5, 6),
        y=lambda x, ps, st: x,
    ),
    forward("parallel.concat", at(BASIC, 231), Parallel(below, Dense(10, 10), identity), draw(2, 10), y=Shape(4, 10)),
    forward(
        "parallel.named",
        at(BASIC, 232),
        NAMED,
        draw(2, 10),
        y=lambda x, ps, st: np.concatenate([affine(x, ps["one"], {}), x]),
        tolerance=TEN,
    ),
    forward(
        "parallel.three_inputs",
        at(BASIC, 237),
        Parallel(lambda a, b, c: a + b + c, Dense(10, 2), Dense(5, 2), Dense(4, 2)),
        THREE,
        y=_added("layer_1", "layer_2", "layer_3"),
        tolerance=Tolerance(reduction=19),
    ),
    forward(
        "parallel.three_named",
        at(BASIC, 238),
        Parallel(lambda a, b, c: a + b + c, a=Dense(10, 2), b=Dense(5, 2), c=Dense(4, 2)),
        THREE,
        y=_added("a", "b", "c"),
        tolerance=Tolerance(reduction=19),
    ),
    fails(
        "parallel.three_for_two",
        at(BASIC, 239),
        Parallel(operator.add, sine, cosine),
        (ONE, ONE, ONE),
        message=r"Parallel expects a tuple of 2 inputs, one per layer, or an array for all of them, got a tuple of 3",
    ),
    forward("parallel.one_input", at(BASIC, 240), Parallel(operator.add, sine, cosine), np.float64(np.pi / 2), y=1.0),
    forward(
        "parallel.one_layer", at(BASIC, 241, 242), Parallel(operator.truediv, absolute), (3 * ONE, -4 * ONE), y=0.75
    ),
    forward(
        "parallel.one_named_layer",
        at(BASIC, 243),
        Parallel(operator.truediv, f=absolute),
        (3 * ONE, -4 * ONE),
        y=0.75,
    ),
    fact("parallel.index_by_name", at(BASIC, 248), "Parallel", lambda: NAMED[0] == NAMED["one"] == NAMED.one),
    fact("parallel.slice_of_all", at(BASIC, 249), "Parallel", lambda: NAMED[0:2] == NAMED),
    _refused(
        "parallel.called_layers",
        251,
        lambda: Parallel(below, layers=Dense(10, 10), two=identity),
        "Parallel expects strings other than .* as names of layers, got 'layers'",
    ),
    _refused(
        "parallel.called_connection",
        252,
        lambda: Parallel(below, connection=Dense(10, 10), two=identity),  # type: ignore[misc]
        "connection",
        TypeError,
    ),
    fact(
        "parallel.equal",
        at(BASIC, 254),
        "Parallel",
        lambda: Parallel(below, one=Dense(10, 10), two=identity) == NAMED != Parallel(below, Dense(10, 10), identity),
    ),
    forward("parallel.log_named", at(BASIC, 256), Parallel(stacked, x=logarithm), ONE, y=[0.0]),
    forward("parallel.log", at(BASIC, 257), Parallel(stacked, logarithm), ONE, y=[0.0]),
    *(
        fails(
            f"parallel.no_input_for_{len(layers)}",
            at(BASIC, line),
            Parallel(below, *layers),
            (),
            message=f"Parallel expects a tuple of {len(layers)} inputs, .* got a tuple of 0",
        )
        for line, layers in ((263, (sine,)), (264, (sine, cosine)))
    ),
    _refused("parallel.nothing", 262, lambda: Parallel(below), "Parallel expects one or more layers, got none"),
    _refused("parallel.no_layer", 267, lambda: Parallel(below), "Parallel expects one or more layers, got none"),
    *(
        fact(
            f"parallel.connection_called_once_{line}",
            at(BASIC, line),
            "Parallel",
            lambda layers=layers, x=x: _calls(*layers, x=x),
            {"calls": 1, "arguments": 3 if len(layers) == 3 or isinstance(x, tuple) else 1},
        )
        for line, layers, x in (
            (274, (np.sin, np.cos, np.tan), ONE),
            (276, (np.sin, np.cos, np.tan), (ONE, 2 * ONE, 3 * ONE)),
            (278, (np.sin,), ONE),
            (280, (np.sin,), (ONE, 2 * ONE, 3 * ONE)),
        )
    ),
    forward(
        "parallel.two_products",
        at(BASIC, 299),
        Parallel(operator.add, Dense(3, 3, use_bias=False), Dense(3, 3, use_bias=False)),
        draw(3, 3),
        y=_added("layer_1", "layer_2"),
        tolerance=Tolerance(reduction=6),
    ),
    forward(
        "parallel.two_inputs",
        at(BASIC, 300),
        Parallel(operator.add, Dense(3, 3, use_bias=False), Dense(3, 3, use_bias=False)),
        (draw(3, 3), draw(3, 3, seed=1)),
        y=_added("layer_1", "layer_2"),
        tolerance=Tolerance(reduction=6),
    ),
    gradient(
        "parallel.gradient",
        at(BASIC, 307, 309, 310),
        "Parallel",
        lambda x, y, ps: _sum_of_products(x, y, ps),
        {"x": draw(4, 3), "y": draw(4, 3, seed=1), "ps": {"a": {"weight": draw(3, 2)}, "b": {"weight": draw(3, 2)}}},
        expected=lambda x, y, ps: (
            np.ones((4, 2)) @ ps["a"]["weight"].T,
            np.ones((4, 2)) @ ps["b"]["weight"].T,
            {"a": {"weight": x.T @ np.ones((4, 2))}, "b": {"weight": y.T @ np.ones((4, 2))}},
        ),
        wrt=(0, 1, 2),
        tolerance=Tolerance(reduction=8),
    ),
    forward(
        "parallel.tuple_out",
        ("lux: Parallel(nothing, f, g)((x, y)) is (f(x), g(y))",),
        Parallel(None, double, half),
        (np.ones(2), np.ones(3)),
        y=([2.0, 2.0], [0.5, 0.5, 0.5]),
    ),
    fact(
        "parallel.counts",
        ("lux: {layers, connection} when the connection is a layer; both are counted",),
        "Parallel",
        lambda: (
            (
                list(luxport.setup(0, Parallel(Bilinear(3, 2), Dense(3, 3), Dropout(0.5)))[0]),
                luxport.parameter_length(Parallel(Bilinear(3, 2), Dense(3, 3), Dropout(0.5))),
                luxport.state_length(Parallel(Bilinear(3, 2), Dense(3, 3), Dropout(0.5))),
            )
            == (["layers", "connection"], 3 * 3 + 3 + 3 * 3 * 2 + 2, 2)
        ),
    ),
    forward(
        "branch.tuple_stays_whole",
        ("lux: BranchLayer never takes a tuple apart",),
        BranchLayer(lambda pair: pair[0] + pair[1], lambda pair: pair[0] - pair[1]),
        (np.asarray([3.0, 2.0]), np.asarray([1.0, 5.0])),
        y=([4.0, 7.0], [2.0, -3.0]),
    ),
    forward(
        "branch.fusion_by_function",
        ("lux: a fusion function is called with one argument per layer",),
        BranchLayer(double, half, fusion=operator.sub),
        [2.0, 4.0],
        y=[3.0, 6.0],
    ),
    fact(
        "branch.keys",
        ("lux: {layers, fusion} when the fusion is a layer",),
        "BranchLayer",
        lambda: (
            list(luxport.setup(0, BranchLayer(NoOpLayer(), NoOpLayer(), fusion=Bilinear(2, 2)))[1])
            == ["layers", "fusion"]
        ),
    ),
    fails(
        "branch.place_in_errors",
        ("luxport",),
        Chain(BranchLayer(one=Dense(2, 2), two=Dense(3, 2))),
        np.ones((4, 2)),
        message=r"Dense at layer_1.two expects \(..., 3\), got \(4, 2\)",
    ),
]
