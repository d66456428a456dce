"""Cases of the layers that normalize each sample by itself, and of second derivatives through those that normalize."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import BatchNorm, Dropout, GroupNorm, InstanceNorm, LayerNorm, RMSNorm, ops, sigmoid, tanh
from luxport_conformance.case import Case, Shape
from luxport_conformance.cases.declare import at, computation, draw, fact, forward, function
from luxport_conformance.compare import Tolerance

FILE = "flux:layers/normalisation.jl"
SIX = np.arange(1.0, 13.0).reshape(2, 2, 3)
TRACKING = InstanceNorm(2, affine=True, track_stats=True)
TRACKING_SIGMOID = InstanceNorm(2, sigmoid, affine=True, track_stats=True)
UPSTREAM = Tolerance(reduction=6, rounding=1e-5, reason="upstream asks for atol=1e-5")


def _initial(layer: Any) -> Any:
    return luxport.setup(0, layer, backend="numpy")


def _over(*axes: int, epsilon: float = 1e-5) -> Callable[[Any], Any]:
    """Normalize over these axes: the formula in NumPy."""
    return lambda x: (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


def _by(f: Callable[[Any], Any], activation: Callable[[Any], Any] = lambda y: y) -> Callable[..., Any]:
    return lambda x, ps, st: activation(f(x))


def _logistic(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _trained_then_tested(id: str, lines: tuple[int, ...], layer: InstanceNorm, activation: Any) -> Case:
    ps, st = _initial(layer)

    def program(x: Any, ps: Any, st: Any) -> Any:
        _, st = layer(x, ps, luxport.train_mode(st))
        y, st = layer(x, ps, luxport.test_mode(st))
        return {"y": y, "mean": st["running_mean"], "var": st["running_var"]}

    mean, var = np.array([0.5, 0.8]), 0.9 + 0.1 * 1.5 * SIX.var(2).mean(0)
    normalized = (SIX - mean[:, None]) / np.sqrt(var[:, None] + 1e-5)
    return computation(
        id,
        at(FILE, *lines),
        "InstanceNorm",
        program,
        {"x": SIX, "ps": ps, "st": st},
        expected={"y": activation(normalized), "mean": mean, "var": var},
        tolerance=Tolerance(reduction=6),
    )


def _same(id: str, lines: tuple[str, ...], subject: str, f: Any, g: Any, x: Any, reduction: int) -> Case:
    """Two ways of computing the same."""
    return function(
        id,
        lines,
        subject,
        lambda x: f(x) - g(x),
        x,
        expected=np.zeros(np.shape(x)),
        tolerance=Tolerance(reduction=reduction, magnitude=2.0),
    )


def _trained(layer: Any) -> Callable[[Any], Any]:
    """Call a layer in training with its initial scale, bias and statistics, each of which is one number."""
    ps, st = luxport.tree.map(lambda leaf: float(leaf[0]), _initial(layer))

    def call(x: Any) -> Any:
        def filled(number: float) -> Any:
            return luxport.namespace(x).zeros_like(x[0, :, *(0 for _ in x.shape[2:])]) + number

        return layer(x, luxport.tree.map(filled, ps), luxport.train_mode(luxport.tree.map(filled, st)))[0]

    return call


def _reshaped(layer: Any, shape: tuple[int, ...]) -> Callable[[Any], Any]:
    """Call a layer with its input in another shape, and give the result the input's."""
    call = _trained(layer)

    def reshaped(x: Any) -> Any:
        xp = luxport.namespace(x)
        return xp.reshape(call(xp.reshape(x, shape)), tuple(x.shape))

    return reshaped


FIVE = np.arange(1.0, 49.0).reshape(3, 2, 1, 4, 2)
HIGH = np.arange(1.0, 3601.0).reshape(6, 2, 4, 3, 5, 5)
QUARTERS = np.arange(1.0, 25.0).reshape(2, 4, 3)
# Rows are upstream's columns: a channel each, of two samples.
GROUPS = [
    [[-1.4638476, -0.87830865, -0.29276967], [0.29276943, 0.87830853, 1.4638474]] * 2,
    [[-1.4638476, -0.8783083, -0.29276943], [0.29276943, 0.8783083, 1.4638472]] * 2,
]
GROUPS_SIGMOID = [
    [[0.18787955, 0.2935284, 0.42732593], [0.57267404, 0.70647156, 0.81212044]] * 2,
    [[0.18787955, 0.29352847, 0.42732602], [0.57267404, 0.70647156, 0.8121204]] * 2,
]

INSTANCE: list[Case] = [
    fact(
        "instance_norm.parameters",
        at(FILE, 241),
        "InstanceNorm",
        lambda: list(_initial(TRACKING)[0]) == ["bias", "scale"],
    ),
    fact("instance_norm.bias", at(FILE, 243), "InstanceNorm", lambda: _initial(TRACKING)[0]["bias"].tolist() == [0, 0]),
    fact(
        "instance_norm.scale", at(FILE, 244), "InstanceNorm", lambda: _initial(TRACKING)[0]["scale"].tolist() == [1, 1]
    ),
    _trained_then_tested("instance_norm.statistics", (269, 273, 276, 277, 278), TRACKING, lambda y: y),
    _trained_then_tested("instance_norm.sigmoid_statistics", (294,), TRACKING_SIGMOID, _logistic),
    fact(
        "instance_norm.affine",
        at(FILE, 303, 304),
        "InstanceNorm",
        lambda: len(_initial(InstanceNorm(2, sigmoid, affine=True))[0]) == 2,
    ),
    forward(
        "instance_norm.sigmoid_affine",
        at(FILE, 309),
        InstanceNorm(2, sigmoid, affine=True),
        SIX,
        y=_by(_over(2), _logistic),
        tolerance=Tolerance(reduction=3),
    ),
    fact(
        "instance_norm.not_affine",
        at(FILE, 316, 317),
        "InstanceNorm",
        lambda: _initial(InstanceNorm(2, sigmoid))[0] == {},
    ),
    forward(
        "instance_norm.sigmoid",
        at(FILE, 323),
        InstanceNorm(2, sigmoid),
        SIX,
        y=_by(_over(2), _logistic),
        tolerance=Tolerance(reduction=3),
    ),
    _same(
        "instance_norm.positions_in_one_axis",
        at(FILE, 333),
        "InstanceNorm",
        _trained(InstanceNorm(2, affine=True)),
        _reshaped(InstanceNorm(2, affine=True), (3, 2, 8)),
        FIVE,
        8,
    ),
    forward(
        "instance_norm.six_axes",
        at(FILE, 342, 343, 344),
        TRACKING,
        HIGH,
        training=True,
        y=Shape(6, 2, 4, 3, 5, 5),
        state={"running_mean": Shape(2), "running_var": Shape(2)},
    ),
    _same(
        "instance_norm.is_batch_norm",
        at(FILE, 352),
        "InstanceNorm",
        _trained(InstanceNorm(2, affine=True)),
        _reshaped(BatchNorm(12), (1, 12, 4, 3, 5, 5)),
        HIGH,
        300,
    ),
    fact(
        "instance_norm.how_many_parameters",
        at(FILE, 362, 363, 364),
        "InstanceNorm",
        lambda: [
            len(_initial(layer)[0])
            for layer in (InstanceNorm(10), InstanceNorm(10, affine=True), InstanceNorm(10, affine=False))
        ],
        [0, 2, 0],
    ),
]


def _layer(
    line: int, layer: LayerNorm, shape: tuple[int, ...], axes: tuple[int, ...], activation: Any = lambda y: y
) -> Case:
    x = draw(*shape)
    # The rounding of a difference is that of its terms: values that lie close together lose what they have in common.
    loss = float(np.abs(x).max() / x.std(axes).min())
    return forward(
        f"layer_norm.line_{line}",
        at(FILE, line),
        layer,
        x,
        y=_by(_over(*axes), activation),
        tolerance=Tolerance(reduction=int(np.prod([shape[axis] for axis in axes])), magnitude=loss),
    )


LAYER: list[Case] = [
    _layer(372, LayerNorm(2), (3, 2), (-1,)),
    _layer(374, LayerNorm(2), (4, 3, 2), (-1,)),
    _layer(376, LayerNorm(2), (5, 4, 3, 2), (-1,)),
    _layer(378, LayerNorm(2, tanh), (2,), (-1,), np.tanh),
    _layer(381, LayerNorm((3, 2)), (5, 4, 3, 2), (-2, -1)),
    _layer(383, LayerNorm((4, 3, 2)), (5, 4, 3, 2), (-3, -2, -1)),
    fact("layer_norm.affine", at(FILE, 386, 387), "LayerNorm", lambda: len(_initial(LayerNorm((4, 3, 2)))[0]) == 2),
    fact(
        "layer_norm.not_affine",
        at(FILE, 389, 390),
        "LayerNorm",
        lambda: _initial(LayerNorm((4, 3, 2), affine=False))[0] == {},
    ),
    function(
        "normalize.last_axis_of_julia",
        at("flux:layers/stateless.jl", 9),
        "normalize",
        lambda x: ops.normalize(x),
        draw(2, 2, 3),
        expected=lambda x0: _over(0)(x0),
        tolerance=Tolerance(reduction=2),
    ),
]

SHARP = draw(3, 4, 5, seed=3)


def _by_definition(subject: str, layer: Any, f: Callable[[Any], Any]) -> Case:
    """Hold a layer to its formula on random numbers, with an epsilon that shows, a scale and a bias that differ."""
    ps = luxport.tree.map(lambda leaf: draw(*leaf.shape, seed=4 + leaf.size), _initial(layer)[0])
    ps = {name: leaf + (name == "scale") for name, leaf in ps.items()}
    return forward(
        f"{subject}.by_definition",
        ("definition: (x - mean) / sqrt(var + epsilon) * scale + bias",),
        layer,
        SHARP,
        ps=ps,
        training=True,
        y=lambda x, ps, st: f(x) * _per_channel(ps["scale"], layer) + _per_channel(ps.get("bias", 0.0), layer),
        tolerance=Tolerance(reduction=20),
    )


def _per_channel(parameter: Any, layer: Any) -> Any:
    return np.reshape(parameter, (-1, 1)) if isinstance(layer, (InstanceNorm, GroupNorm)) else parameter


def _over_groups(x: Any) -> Any:
    return _over(2, 3, epsilon=0.5)(x.reshape(3, 2, 2, 5)).reshape(3, 4, 5)


DEFINITIONS: list[Case] = [
    _by_definition("instance_norm", InstanceNorm(4, affine=True, epsilon=0.5), _over(2, epsilon=0.5)),
    _by_definition("group_norm", GroupNorm(4, 2, epsilon=0.5), _over_groups),
    _by_definition("layer_norm", LayerNorm((5,), epsilon=0.5), _over(2, epsilon=0.5)),
    _by_definition("rms_norm", RMSNorm(5, epsilon=0.5), lambda x: x / np.sqrt((x**2).mean(2, keepdims=True) + 0.5)),
]

GROUP: list[Case] = [
    fact(
        "group_norm.parameters",
        at(FILE, 400),
        "GroupNorm",
        lambda: list(_initial(GroupNorm(4, 2))[0]) == ["bias", "scale"],
    ),
    fact(
        "group_norm.bias", at(FILE, 402), "GroupNorm", lambda: _initial(GroupNorm(4, 2))[0]["bias"].tolist() == [0] * 4
    ),
    fact(
        "group_norm.scale",
        at(FILE, 403),
        "GroupNorm",
        lambda: _initial(GroupNorm(4, 2))[0]["scale"].tolist() == [1] * 4,
    ),
    fact("group_norm.no_statistics", at(FILE, 407, 408), "GroupNorm", lambda: _initial(GroupNorm(4, 2))[1] == {}),
    forward("group_norm.values", at(FILE, 412), GroupNorm(4, 2), QUARTERS, y=GROUPS, tolerance=UPSTREAM),
    forward(
        "group_norm.sigmoid", at(FILE, 432), GroupNorm(4, 2, sigmoid), QUARTERS, y=GROUPS_SIGMOID, tolerance=UPSTREAM
    ),
    _same(
        "group_norm.positions_in_one_axis",
        at(FILE, 439),
        "GroupNorm",
        _trained(GroupNorm(2, 2)),
        _reshaped(GroupNorm(2, 2), (3, 2, 8)),
        FIVE,
        8,
    ),
    _same(
        "group_norm.is_instance_norm",
        at(FILE, 445),
        "GroupNorm",
        _trained(GroupNorm(4, 4)),
        _trained(InstanceNorm(4, affine=True)),
        np.arange(1.0, 241.0).reshape(5, 4, 3, 2, 2),
        12,
    ),
    _same(
        "group_norm.is_batch_norm",
        at(FILE, 451),
        "GroupNorm",
        _trained(GroupNorm(4, 4)),
        _trained(BatchNorm(4)),
        np.arange(1.0, 49.0).reshape(1, 4, 3, 2, 2),
        12,
    ),
]

CUBES = draw(6, 3, 4)
TURN = draw(6, 3, 4, seed=1)


def _second(name: str, layer: Any, axes: tuple[int, ...], *, centered: bool = True) -> Case:
    """The derivative of a gradient along a direction, for the sum of cubes of the outputs."""
    call = _trained(layer)

    def program(x: Any, turn: Any) -> Any:
        xp = luxport.namespace(x)
        slope = luxport.grad(lambda x: xp.sum(call(x) ** 3) / 3.0)
        return luxport.grad(lambda x: xp.sum(slope(x) * turn))(x)

    def along(x: Any, turn: Any) -> float:
        """Take the gradient in closed form: that of y is y², and x gets its part that changes y."""
        mean = x.mean(axes, keepdims=True) if centered else 0.0
        root = np.sqrt(((x - mean) ** 2).mean(axes, keepdims=True) + 1e-5)
        y = (x - mean) / root
        g = y**2
        lost = y * (g * y).mean(axes, keepdims=True) + (g.mean(axes, keepdims=True) if centered else 0.0)
        return float(((g - lost) / root * turn).sum())

    def expected(x: Any, turn: Any) -> Any:
        slopes = np.empty_like(x)
        for i in np.ndindex(*x.shape):
            ends = []
            for step in (-2e-3, -1e-3, 1e-3, 2e-3):
                moved = x.copy()
                moved[i] += step
                ends.append(along(moved, turn))
            slopes[i] = (8 * (ends[2] - ends[1]) - (ends[3] - ends[0])) / 12e-3
        return slopes

    return computation(
        f"second_derivative.{name}",
        ("definition: the slope, in float64, of the gradient in closed form",),
        type(layer).__name__,
        program,
        {"x": CUBES, "turn": TURN},
        expected=expected,
        differentiates=True,
        dtypes=("float64",),
        tolerance=Tolerance(
            rounding=1e-8, reason="a slope over steps of 1e-3 is wrong by some 1e-12 of fifth derivatives"
        ),
    )


def _no_curvature(id: str, line: int, layer: Any, x: Any, magnitude: float) -> Case:
    ps, st = _initial(layer)

    def program(x: Any, ps: Any, st: Any) -> Any:
        xp = luxport.namespace(x)
        slope = luxport.grad(lambda x: xp.sum(layer(x, ps, st)[0]))
        return luxport.jacobian(slope)(x)

    shape = np.shape(x)
    return computation(
        id,
        at(FILE, line),
        type(layer).__name__,
        program,
        {"x": np.asarray(x), "ps": ps, "st": luxport.train_mode(st)},
        expected=np.zeros((*shape, *shape)),
        differentiates=True,
        dtypes=("float64",),
        compiles=False,
        tolerance=Tolerance(reduction=3, magnitude=magnitude),
    )


SECOND: list[Case] = [
    _no_curvature("second_derivative.dropout_sum", 460, Dropout(0.5), [1.0, 2.0, 3.0], 0.0),
    _no_curvature("second_derivative.batch_norm_sum", 463, BatchNorm(3), [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]], 4.0),
    _second("batch_norm", BatchNorm(3), (0, 2)),
    _second("group_norm", GroupNorm(3, 1), (1, 2)),
    _second("instance_norm", InstanceNorm(3), (2,)),
    _second("layer_norm", LayerNorm((3, 4), affine=False), (1, 2)),
    _second("rms_norm", RMSNorm(4, affine=False), (2,), centered=False),
]

CASES: list[Case] = [*INSTANCE, *LAYER, *GROUP, *DEFINITIONS, *SECOND]
