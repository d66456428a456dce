"""Cases of the layers that run side by side, take up inputs step by step, or repeat."""

from __future__ import annotations

import operator
from collections import Counter
from typing import Any

import numpy as np

import luxport
from luxport import (
    Bilinear,
    BranchLayer,
    Chain,
    Dense,
    Dropout,
    Maxout,
    NoOpLayer,
    PairwiseFold,
    PairwiseFusion,
    Parallel,
    RepeatedLayer,
    ReverseSequence,
    SkipConnection,
    identity,
)
from luxport_conformance.case import Case, Shape
from luxport_conformance.cases.declare import at, draw, fact, fails, forward, gradient
from luxport_conformance.cases.dense import affine
from luxport_conformance.compare import Tolerance

BASIC = "flux:layers/basic.jl"
TEN = Tolerance(reduction=10)


def double(x: Any) -> Any:
    """Return 2 x."""
    return 2.0 * x


def half(x: Any) -> Any:
    """Return x / 2."""
    return 0.5 * x


def nothing(x: Any) -> Any:
    """Return zeros."""
    return luxport.namespace(x).zeros_like(x)


def absolute(x: Any) -> Any:
    """Return |x|."""
    return luxport.namespace(x).abs(x)


def sine(x: Any) -> Any:
    """Return sin x."""
    return luxport.namespace(x).sin(x)


def cosine(x: Any) -> Any:
    """Return cos x."""
    return luxport.namespace(x).cos(x)


def logarithm(x: Any) -> Any:
    """Return log x."""
    return luxport.namespace(x).log(x)


def side_by_side(*parts: Any) -> Any:
    """Join along the last axis, Julia's `vcat`."""
    return luxport.namespace(*parts).concat(list(parts), axis=-1)


def below(*parts: Any) -> Any:
    """Join along the first axis, Julia's `hcat`."""
    return luxport.namespace(*parts).concat(list(parts), axis=0)


def stacked(*parts: Any) -> Any:
    """Join along a new axis, Julia's `vcat` of numbers."""
    return luxport.namespace(*parts).stack(list(parts))


def scaled_pair(a: float, b: float) -> Any:
    """Return a function that multiplies by the row [a, b]."""

    def scale(x: Any) -> Any:
        xp = luxport.namespace(x)
        return xp.concat([a * x, b * x], axis=-1)

    return scale


def _initial_count(layer: Any) -> int:
    return len(luxport.tree.leaves(luxport.setup(0, layer, backend="numpy")[0]))


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
_INTERACTIONS = Bilinear(3, 2)


def _sum_of_products(x: Any, y: Any, ps: Any) -> Any:
    out, _ = _PRODUCTS((x, y), ps, {"a": {}, "b": {}})
    return luxport.namespace(out).sum(out)


def _sum_of_interactions(x: Any, ps: Any) -> Any:
    y, _ = _INTERACTIONS(x, ps, {})
    return luxport.namespace(y).sum(y)


def _refused(id: str, line: int, make: Any, message: str, kind: type[Exception] = ValueError) -> Case:
    return fails(id, at(BASIC, line), make, subject="Parallel", raises=kind, message=message)


NAMED = Parallel(below, one=Dense(10, 10), two=identity)
THREE = (draw(10), draw(5, seed=1), draw(4, seed=2))
ONE = np.float64(1.0)

MAXOUT: list[Case] = [
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

SKIP: list[Case] = [
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

PARALLEL: list[Case] = [
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

FUSION: list[Case] = [
    forward(
        "fusion.two_inputs",
        at(BASIC, 507, 508, 509),
        PairwiseFusion(operator.add, Dense(1, 30), Dense(30, 10)),
        (draw(10, 1), draw(10, 30)),
        y=(Shape(10, 30), Shape(10, 10)),
    ),
    forward(
        "fusion.one_input",
        at(BASIC, 514, 515, 516),
        PairwiseFusion(operator.add, Dense(1, 10), Dense(10, 1)),
        draw(10, 1),
        y=(Shape(10, 10), Shape(10, 1)),
    ),
    forward(
        "fusion.numbers",
        at(BASIC, 518),
        PairwiseFusion(side_by_side, lambda x: x + 1.0, lambda x: x + 2.0, lambda x: x**3),
        (np.asarray([2.0]), np.asarray([10.0]), np.asarray([20.0])),
        y=([3.0], [5.0, 12.0], [125.0, 1728.0, 8000.0]),
    ),
    forward(
        "fusion.one_number",
        at(BASIC, 519),
        PairwiseFusion(side_by_side, lambda x: x + 1.0, lambda x: x + 2.0, lambda x: x**3),
        np.asarray([7.0]),
        y=([8.0], [10.0, 9.0], [1000.0, 729.0, 343.0]),
    ),
    forward(
        "fold.order",
        ("lux: PairwiseFusion in its code, y = connection(layer(y), x)",),
        PairwiseFold(operator.sub, double, double),
        (np.asarray([1.0]), np.asarray([10.0]), np.asarray([100.0])),
        y=[(1 * 2 - 10) * 2 - 100.0],
    ),
    forward(
        "fold.one_input",
        ("lux: PairwiseFusion uses a single input at every step",),
        PairwiseFold(operator.sub, double, double),
        [3.0],
        y=[(3 * 2 - 3) * 2 - 3.0],
    ),
    fails(
        "fold.too_few",
        ("luxport",),
        PairwiseFold(operator.sub, double, double),
        (ONE, ONE),
        message="PairwiseFold expects a tuple of 3 inputs, one more than layers, or an array for all, got a tuple of 2",
    ),
]

REPEATED: list[Case] = [
    forward(
        "repeated.feeds_back",
        ("lux: documentation of RepeatedLayer, res = model(res) repeats times",),
        RepeatedLayer(double, repeats=3),
        [1.0, -2.0],
        y=[8.0, -16.0],
    ),
    forward(
        "repeated.injection",
        ("lux: documentation of RepeatedLayer, res = model((res, x)) repeats times",),
        RepeatedLayer(lambda pair: 2.0 * pair[0] + pair[1], repeats=3, input_injection=True),
        [1.0, -2.0],
        y=[15.0, -30.0],
    ),
    forward(
        "repeated.state_goes_on",
        ("lux: the state of a call is the next call's",),
        RepeatedLayer(Dropout(0.5), repeats=3),
        np.ones(4),
        training=True,
        state={"rng": {"counter": np.asarray(3)}},
    ),
    forward(
        "reverse.time",
        ("lux: ReverseSequence reverses the last axis but one of (features, time, batch)",),
        ReverseSequence(),
        np.arange(24.0).reshape(2, 3, 4),
        y=np.arange(24.0).reshape(2, 3, 4)[:, ::-1],
    ),
    forward("reverse.vector", ("lux: ReverseSequence of a vector",), ReverseSequence(), [1.0, 2.0, 3.0], y=[3.0, 2, 1]),
    forward(
        "reverse.first",
        ("lux: ReverseSequence(dim) of the last Julia axis",),
        ReverseSequence(0),
        [[1.0, 2.0], [3.0, 4.0]],
        y=[[3.0, 4.0], [1.0, 2.0]],
    ),
    fails(
        "reverse.no_such_axis",
        ("luxport",),
        ReverseSequence(2),
        np.ones((2, 3)),
        message=r"ReverseSequence expects an axis 2, got \(2, 3\)",
    ),
]

BILINEAR: list[Case] = [
    forward(
        "bilinear.two_streams",
        at(BASIC, 190, 191),
        Bilinear((10, 2), 3),
        (np.zeros((9, 10)), np.zeros((9, 2))),
        y=np.zeros((9, 3)),
    ),
    forward(
        "bilinear.one_stream",
        at(BASIC, 197),
        Bilinear(11, 3),
        draw(7, 11),
        y=lambda x, ps, st: np.einsum("ni,jio,nj->no", x, ps["weight"], x, optimize=True),
        tolerance=Tolerance(reduction=121),
    ),
    gradient(
        "bilinear.gradient",
        at(BASIC, 198),
        "Bilinear",
        _sum_of_interactions,
        {"x": draw(4, 3), "ps": {"weight": draw(3, 3, 2), "bias": draw(2)}},
        expected=lambda x, ps: (
            np.einsum("jio,nj->ni", ps["weight"], x) + np.einsum("jio,ni->nj", ps["weight"], x),
            {"weight": np.repeat((x.T @ x)[..., None], 2, axis=-1), "bias": np.full(2, 4.0)},
        ),
        wrt=(0, 1),
        tolerance=Tolerance(reduction=12),
    ),
    forward(
        "bilinear.axes",
        ("definition: z_o = sum_ij x1_i W_oij x2_j + b_o, the weight's axes reversed",),
        Bilinear((2, 3), 2),
        (np.asarray([1.0, 2.0]), np.asarray([1.0, 0.0, -1.0])),
        ps={"weight": np.arange(12.0).reshape(3, 2, 2), "bias": np.asarray([0.5, -0.5])},
        # x1 (weight[0] - weight[2]) = [1, 2] [[-8, -8], [-8, -8]]
        y=[-23.5, -24.5],
    ),
    fails(
        "bilinear.batches_differ",
        ("flux: Bilinear's inputs agree on the number of columns",),
        Bilinear((2, 3), 2),
        (np.ones((4, 2)), np.ones((5, 3))),
        message=r"Bilinear expects inputs with the same leading axes, got \(4, 2\) and \(5, 3\)",
    ),
    fails(
        "bilinear.wrong_size",
        ("luxport",),
        Bilinear((2, 3), 2),
        (np.ones((4, 2)), np.ones((4, 2))),
        message=r"Bilinear expects an input \(..., 3\), got \(4, 2\)",
    ),
]

CASES: list[Case] = [*MAXOUT, *SKIP, *PARALLEL, *FUSION, *REPEATED, *BILINEAR]
