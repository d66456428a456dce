"""Cases of `Parallel` and `BranchLayer`."""

from __future__ import annotations

import operator
from collections import Counter
from typing import Any

import numpy as np

import luxport
from luxport import Bilinear, BranchLayer, Chain, Dense, Dropout, NoOpLayer, Parallel, identity
from luxport_conformance.case import Case, Shape
from luxport_conformance.cases.declare import check_error, check_fact, check_gradient, check_output, cite, draw, set_up
from luxport_conformance.cases.dense import affine
from luxport_conformance.cases.functions import (
    absolute,
    cosine,
    double,
    halve,
    join_rows,
    logarithm,
    make_zeros,
    sine,
    stack,
)
from luxport_conformance.compare import Tolerance

BASIC = "flux:layers/basic.jl"
TEN = Tolerance(reduction=10)


def _make_expected_sum(*products: str) -> Any:
    """Return a function that computes with NumPy the sum of the outputs of the Dense layers with these names."""

    def expect_sum(x: Any, ps: Any, st: Any) -> Any:
        inputs = x if isinstance(x, tuple) else (x,) * len(products)
        return sum(affine(part, ps[name], {}) for name, part in zip(products, inputs, strict=True))

    return expect_sum


def _count_calls(*layers: Any, x: Any) -> dict[str, int]:
    """Return the number of calls of a connection, and the number of arguments of all calls."""
    calls: Counter[str] = Counter()

    def add_up(*parts: Any) -> Any:
        calls["calls"] += 1
        calls["arguments"] += len(parts)
        return sum(parts)

    model = Parallel(add_up, *layers)
    model(x, *set_up(model))
    return dict(calls)


# Made outside of the programs: PyTorch's compiler cannot trace the construction of a layer.
_PRODUCTS = Parallel(operator.add, a=Dense(3, 2, use_bias=False), b=Dense(3, 2, use_bias=False))


def _sum_products(x: Any, y: Any, ps: Any) -> Any:
    out, _ = _PRODUCTS((x, y), ps, {"a": {}, "b": {}})
    return luxport.namespace(out).sum(out)


def _check_refusal(id: str, line: int, make: Any, message: str, kind: type[Exception] = ValueError) -> Case:
    return check_error(id, cite(BASIC, line), make, subject="Parallel", raises=kind, message=message)


NAMED = Parallel(join_rows, one=Dense(10, 10), two=identity)
THREE = (draw(10), draw(5, seed=1), draw(4, seed=2))
ONE = np.float64(1.0)
ZERO_SUM = Parallel(operator.add, make_zeros, identity)
DENSES = (Dense(10, 2), Dense(5, 2), Dense(4, 2))


def _add_three(a: Any, b: Any, c: Any) -> Any:
    return a + b + c


CASES: list[Case] = [
    check_output("parallel.zero_sum", cite(BASIC, 226), ZERO_SUM, draw(3, 4, 5, 6), y=lambda x, ps, st: x),
    check_output(
        "parallel.concat", cite(BASIC, 231), Parallel(join_rows, Dense(10, 10), identity), draw(2, 10), y=Shape(4, 10)
    ),
    check_output(
        "parallel.named",
        cite(BASIC, 232),
        NAMED,
        draw(2, 10),
        y=lambda x, ps, st: np.concatenate([affine(x, ps["one"], {}), x]),
        tolerance=TEN,
    ),
    *[
        check_output(
            id, cite(BASIC, line), layer, THREE, y=_make_expected_sum(*names), tolerance=Tolerance(reduction=19)
        )
        for id, line, layer, names in (
            ("parallel.three_inputs", 237, Parallel(_add_three, *DENSES), ("layer_1", "layer_2", "layer_3")),
            ("parallel.three_named", 238, Parallel(_add_three, a=DENSES[0], b=DENSES[1], c=DENSES[2]), "abc"),
        )
    ],
    check_error(
        "parallel.three_for_two",
        cite(BASIC, 239),
        Parallel(operator.add, sine, cosine),
        (ONE, ONE, ONE),
        message=r"Parallel expects a tuple of 2 inputs, one per layer, or an array for all of them, got a tuple of 3",
    ),
    check_output(
        "parallel.one_input", cite(BASIC, 240), Parallel(operator.add, sine, cosine), np.float64(np.pi / 2), y=1.0
    ),
    *[
        check_output(id, cite(BASIC, *lines), layer, (3 * ONE, -4 * ONE), y=0.75)
        for id, lines, layer in (
            ("parallel.one_layer", (241, 242), Parallel(operator.truediv, absolute)),
            ("parallel.one_named_layer", (243,), Parallel(operator.truediv, f=absolute)),
        )
    ],
    check_fact("parallel.index_by_name", cite(BASIC, 248), lambda: NAMED[0] == NAMED["one"] == NAMED.one),
    check_fact("parallel.slice_of_all", cite(BASIC, 249), lambda: NAMED[0:2] == NAMED),
    _check_refusal(
        "parallel.called_layers",
        251,
        lambda: Parallel(join_rows, layers=Dense(10, 10), two=identity),
        "Parallel expects strings other than .* as names of layers, got 'layers'",
    ),
    _check_refusal(
        "parallel.called_connection",
        252,
        lambda: Parallel(join_rows, connection=Dense(10, 10), two=identity),  # type: ignore[misc]
        "connection",
        TypeError,
    ),
    check_fact(
        "parallel.equal",
        cite(BASIC, 254),
        lambda: (
            Parallel(join_rows, one=Dense(10, 10), two=identity)
            == NAMED
            != Parallel(join_rows, Dense(10, 10), identity)
        ),
    ),
    check_output("parallel.log_named", cite(BASIC, 256), Parallel(stack, x=logarithm), ONE, y=[0.0]),
    check_output("parallel.log", cite(BASIC, 257), Parallel(stack, logarithm), ONE, y=[0.0]),
    *(
        check_error(
            f"parallel.no_input_for_{len(layers)}",
            cite(BASIC, line),
            Parallel(join_rows, *layers),
            (),
            message=f"Parallel expects a tuple of {len(layers)} inputs, .* got a tuple of 0",
        )
        for line, layers in ((263, (sine,)), (264, (sine, cosine)))
    ),
    *[
        _check_refusal(id, line, lambda: Parallel(join_rows), "Parallel expects one or more layers, got none")
        for id, line in (("parallel.nothing", 262), ("parallel.no_layer", 267))
    ],
    *(
        check_fact(
            f"parallel.connection_called_once_{line}",
            cite(BASIC, line),
            lambda layers=layers, x=x: _count_calls(*layers, x=x),
            {"calls": 1, "arguments": 3 if len(layers) == 3 or isinstance(x, tuple) else 1},
        )
        for line, layers, x in (
            (274, (np.sin, np.cos, np.tan), ONE),
            (276, (np.sin, np.cos, np.tan), (ONE, 2 * ONE, 3 * ONE)),
            (278, (np.sin,), ONE),
            (280, (np.sin,), (ONE, 2 * ONE, 3 * ONE)),
        )
    ),
    *[
        check_output(
            id,
            cite(BASIC, line),
            Parallel(operator.add, Dense(3, 3, use_bias=False), Dense(3, 3, use_bias=False)),
            x,
            y=_make_expected_sum("layer_1", "layer_2"),
            tolerance=Tolerance(reduction=6),
        )
        for id, line, x in (
            ("parallel.two_products", 299, draw(3, 3)),
            ("parallel.two_inputs", 300, (draw(3, 3), draw(3, 3, seed=1))),
        )
    ],
    check_gradient(
        "parallel.gradient",
        cite(BASIC, 307, 309, 310),
        lambda x, y, ps: _sum_products(x, y, ps),
        {"x": draw(4, 3), "y": draw(4, 3, seed=1), "ps": {"a": {"weight": draw(3, 2)}, "b": {"weight": draw(3, 2)}}},
        expected=lambda x, y, ps: (
            np.ones((4, 2)) @ ps["a"]["weight"].T,
            np.ones((4, 2)) @ ps["b"]["weight"].T,
            {"a": {"weight": x.T @ np.ones((4, 2))}, "b": {"weight": y.T @ np.ones((4, 2))}},
        ),
        wrt=(0, 1, 2),
        tolerance=Tolerance(reduction=8),
    ),
    check_output(
        "parallel.tuple_out",
        ("lux: Parallel(nothing, f, g)((x, y)) is (f(x), g(y))",),
        Parallel(None, double, halve),
        (np.ones(2), np.ones(3)),
        y=([2.0, 2.0], [0.5, 0.5, 0.5]),
    ),
    check_fact(
        "parallel.counts",
        ("lux: {layers, connection} when the connection is a layer; both are counted",),
        lambda: (
            (
                list(luxport.setup(0, Parallel(Bilinear(3, 2), Dense(3, 3), Dropout(0.5)))[0]),
                luxport.parameter_length(Parallel(Bilinear(3, 2), Dense(3, 3), Dropout(0.5))),
                luxport.state_length(Parallel(Bilinear(3, 2), Dense(3, 3), Dropout(0.5))),
            )
            == (["layers", "connection"], 3 * 3 + 3 + 3 * 3 * 2 + 2, 2)
        ),
    ),
    check_output(
        "branch.tuple_stays_whole",
        ("lux: BranchLayer never takes a tuple apart",),
        BranchLayer(lambda pair: pair[0] + pair[1], lambda pair: pair[0] - pair[1]),
        (np.asarray([3.0, 2.0]), np.asarray([1.0, 5.0])),
        y=([4.0, 7.0], [2.0, -3.0]),
    ),
    check_output(
        "branch.fusion_by_function",
        ("lux: a fusion function is called with one argument per layer",),
        BranchLayer(double, halve, fusion=operator.sub),
        [2.0, 4.0],
        y=[3.0, 6.0],
    ),
    check_fact(
        "branch.keys",
        ("lux: {layers, fusion} when the fusion is a layer",),
        lambda: (
            list(luxport.setup(0, BranchLayer(NoOpLayer(), NoOpLayer(), fusion=Bilinear(2, 2)))[1])
            == ["layers", "fusion"]
        ),
        subject="BranchLayer",
    ),
    check_error(
        "branch.place_in_errors",
        ("luxport",),
        Chain(BranchLayer(one=Dense(2, 2), two=Dense(3, 2))),
        np.ones((4, 2)),
        message=r"Dense at layer_1.two expects \(..., 3\), got \(4, 2\)",
    ),
]
