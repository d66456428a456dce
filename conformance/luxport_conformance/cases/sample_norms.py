"""Cases of layers that normalize each sample separately."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm, ops, sigmoid, tanh
from luxport_conformance.case import Case, Shape
from luxport_conformance.cases.declare import (
    check_fact,
    check_function,
    check_output,
    check_program,
    cite,
    draw,
    set_up,
)
from luxport_conformance.compare import Tolerance

FILE = "flux:layers/normalisation.jl"
SIX = np.arange(1.0, 13.0).reshape(2, 2, 3)
TRACKING = InstanceNorm(2, affine=True, track_stats=True)
TRACKING_SIGMOID = InstanceNorm(2, sigmoid, affine=True, track_stats=True)


def _normalize_over(*axes: int, epsilon: float = 1e-5) -> Callable[[Any], Any]:
    """Return a function that normalizes over these axes by the formula in NumPy."""
    return lambda x: (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


def _activate(f: Callable[[Any], Any], activation: Callable[[Any], Any] = lambda y: y) -> Callable[..., Any]:
    return lambda x, ps, st: activation(f(x))


def _logistic(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _check_trained_then_tested(id: str, lines: tuple[int, ...], layer: InstanceNorm, activation: Any) -> Case:
    ps, st = set_up(layer)

    def program(x: Any, ps: Any, st: Any) -> Any:
        _, st = layer(x, ps, luxport.train_mode(st))
        y, st = layer(x, ps, luxport.test_mode(st))
        return {"y": y, "mean": st["running_mean"], "var": st["running_var"]}

    mean, var = np.array([0.5, 0.8]), 0.9 + 0.1 * 1.5 * SIX.var(2).mean(0)
    normalized = (SIX - mean[:, None]) / np.sqrt(var[:, None] + 1e-5)
    return check_program(
        id,
        cite(FILE, *lines),
        program,
        {"x": SIX, "ps": ps, "st": st},
        subject="InstanceNorm",
        expected={"y": activation(normalized), "mean": mean, "var": var},
        tolerance=Tolerance(reduction=6),
    )


def check_same(id: str, lines: tuple[str, ...], subject: str, f: Any, g: Any, x: Any, reduction: int) -> Case:
    """Check that f(x) and g(x) are equal."""
    return check_function(
        id,
        lines,
        lambda x: f(x) - g(x),
        x,
        subject=subject,
        expected=np.zeros(np.shape(x)),
        tolerance=Tolerance(reduction=reduction, magnitude=2.0),
    )


def make_trained(layer: Any) -> Callable[[Any], Any]:
    """Return a function that calls a layer in train mode; each initial parameter and statistic is a constant array."""
    ps, st = luxport.tree.map(lambda leaf: float(leaf[0]), set_up(layer))

    def call(x: Any) -> Any:
        def fill(number: float) -> Any:
            return luxport.namespace(x).zeros_like(x[0, :, *(0 for _ in x.shape[2:])]) + number

        return layer(x, luxport.tree.map(fill, ps), luxport.train_mode(luxport.tree.map(fill, st)))[0]

    return call


def make_reshaped(layer: Any, shape: tuple[int, ...]) -> Callable[[Any], Any]:
    """Return a function that calls a layer on its input in another shape, and reshapes the output back."""
    call = make_trained(layer)

    def call_reshaped(x: Any) -> Any:
        xp = luxport.namespace(x)
        return xp.reshape(call(xp.reshape(x, shape)), tuple(x.shape))

    return call_reshaped


FIVE = np.arange(1.0, 49.0).reshape(3, 2, 1, 4, 2)
HIGH = np.arange(1.0, 3601.0).reshape(6, 2, 4, 3, 5, 5)

INSTANCE: list[Case] = [
    check_fact("instance_norm.parameters", cite(FILE, 241), lambda: list(set_up(TRACKING)[0]) == ["bias", "scale"]),
    check_fact("instance_norm.bias", cite(FILE, 243), lambda: set_up(TRACKING)[0]["bias"].tolist() == [0, 0]),
    check_fact("instance_norm.scale", cite(FILE, 244), lambda: set_up(TRACKING)[0]["scale"].tolist() == [1, 1]),
    _check_trained_then_tested("instance_norm.statistics", (269, 273, 276, 277, 278), TRACKING, lambda y: y),
    _check_trained_then_tested("instance_norm.sigmoid_statistics", (294,), TRACKING_SIGMOID, _logistic),
    check_fact(
        "instance_norm.affine", cite(FILE, 303, 304), lambda: len(set_up(InstanceNorm(2, sigmoid, affine=True))[0]) == 2
    ),
    check_output(
        "instance_norm.sigmoid_affine",
        cite(FILE, 309),
        InstanceNorm(2, sigmoid, affine=True),
        SIX,
        y=_activate(_normalize_over(2), _logistic),
        tolerance=Tolerance(reduction=3),
    ),
    check_fact("instance_norm.not_affine", cite(FILE, 316, 317), lambda: set_up(InstanceNorm(2, sigmoid))[0] == {}),
    check_output(
        "instance_norm.sigmoid",
        cite(FILE, 323),
        InstanceNorm(2, sigmoid),
        SIX,
        y=_activate(_normalize_over(2), _logistic),
        tolerance=Tolerance(reduction=3),
    ),
    check_same(
        "instance_norm.positions_in_one_axis",
        cite(FILE, 333),
        "InstanceNorm",
        make_trained(InstanceNorm(2, affine=True)),
        make_reshaped(InstanceNorm(2, affine=True), (3, 2, 8)),
        FIVE,
        8,
    ),
    check_output(
        "instance_norm.six_axes",
        cite(FILE, 342, 343, 344),
        TRACKING,
        HIGH,
        training=True,
        y=Shape(6, 2, 4, 3, 5, 5),
        state={"running_mean": Shape(2), "running_var": Shape(2)},
    ),
    check_same(
        "instance_norm.is_batch_norm",
        cite(FILE, 352),
        "InstanceNorm",
        make_trained(InstanceNorm(2, affine=True)),
        make_reshaped(BatchNorm(12), (1, 12, 4, 3, 5, 5)),
        HIGH,
        300,
    ),
    check_fact(
        "instance_norm.how_many_parameters",
        cite(FILE, 362, 363, 364),
        lambda: [
            len(set_up(layer)[0])
            for layer in (InstanceNorm(10), InstanceNorm(10, affine=True), InstanceNorm(10, affine=False))
        ],
        [0, 2, 0],
    ),
]


def _check_layer_norm(
    line: int, layer: LayerNorm, shape: tuple[int, ...], axes: tuple[int, ...], activation: Any = lambda y: y
) -> Case:
    x = draw(*shape)
    # The rounding error of x - mean is that of x, which is large relative to a small deviation.
    loss = float(np.abs(x).max() / x.std(axes).min())
    return check_output(
        f"layer_norm.line_{line}",
        cite(FILE, line),
        layer,
        x,
        y=_activate(_normalize_over(*axes), activation),
        tolerance=Tolerance(reduction=int(np.prod([shape[axis] for axis in axes])), magnitude=loss),
    )


LAYER: list[Case] = [
    _check_layer_norm(372, LayerNorm(2), (3, 2), (-1,)),
    _check_layer_norm(374, LayerNorm(2), (4, 3, 2), (-1,)),
    _check_layer_norm(376, LayerNorm(2), (5, 4, 3, 2), (-1,)),
    _check_layer_norm(378, LayerNorm(2, tanh), (2,), (-1,), np.tanh),
    _check_layer_norm(381, LayerNorm((3, 2)), (5, 4, 3, 2), (-2, -1)),
    _check_layer_norm(383, LayerNorm((4, 3, 2)), (5, 4, 3, 2), (-3, -2, -1)),
    check_fact("layer_norm.affine", cite(FILE, 386, 387), lambda: len(set_up(LayerNorm((4, 3, 2)))[0]) == 2),
    check_fact(
        "layer_norm.not_affine", cite(FILE, 389, 390), lambda: set_up(LayerNorm((4, 3, 2), affine=False))[0] == {}
    ),
    check_function(
        "normalize.last_axis_of_julia",
        cite("flux:layers/stateless.jl", 9),
        lambda x: ops.normalize(x),
        draw(2, 2, 3),
        expected=lambda x0: _normalize_over(0)(x0),
        tolerance=Tolerance(reduction=2),
    ),
]

SHARP = draw(3, 4, 5, seed=3)


def _check_by_definition(subject: str, layer: Any, f: Callable[[Any], Any]) -> Case:
    """Check a layer by its formula on random numbers, with a large epsilon and a random scale and bias."""
    ps = luxport.tree.map(lambda leaf: draw(*leaf.shape, seed=4 + leaf.size), set_up(layer)[0])
    ps = {name: leaf + (name == "scale") for name, leaf in ps.items()}
    return check_output(
        f"{subject}.by_definition",
        ("definition: (x - mean) / sqrt(var + epsilon) * scale + bias",),
        layer,
        SHARP,
        ps=ps,
        training=True,
        y=lambda x, ps, st: (
            f(x) * _spread_over_channels(ps["scale"], layer) + _spread_over_channels(ps.get("bias", 0.0), layer)
        ),
        tolerance=Tolerance(reduction=20),
    )


def _spread_over_channels(parameter: Any, layer: Any) -> Any:
    return np.reshape(parameter, (-1, 1)) if isinstance(layer, (InstanceNorm, GroupNorm)) else parameter


def _normalize_over_groups(x: Any) -> Any:
    return _normalize_over(2, 3, epsilon=0.5)(x.reshape(3, 2, 2, 5)).reshape(3, 4, 5)


DEFINITIONS: list[Case] = [
    _check_by_definition("instance_norm", InstanceNorm(4, affine=True, epsilon=0.5), _normalize_over(2, epsilon=0.5)),
    _check_by_definition("group_norm", GroupNorm(4, 2, epsilon=0.5), _normalize_over_groups),
    _check_by_definition("layer_norm", LayerNorm((5,), epsilon=0.5), _normalize_over(2, epsilon=0.5)),
    _check_by_definition(
        "rms_norm", RMSNorm(5, epsilon=0.5), lambda x: x / np.sqrt((x**2).mean(2, keepdims=True) + 0.5)
    ),
]


def _normalize_without_epsilon(x: Any) -> Any:
    sample, channel = x[None, ...], x[0, ...][:, None]
    return {
        "rms_norm": ops.rms_norm(x, epsilon=0.0),
        "layer_norm": ops.layer_norm(x, epsilon=0.0),
        "normalize": ops.normalize(x, axis=-1, epsilon=0.0),
        "group_norm": ops.group_norm(x, groups=1, epsilon=0.0),
        "instance_norm": ops.instance_norm(sample, training=True, epsilon=0.0)[0][0, ...],
        "batch_norm": ops.batch_norm(channel, training=True, epsilon=0.0)[0][:, 0][None, ...],
    }


NAMES = ("rms_norm", "layer_norm", "normalize", "group_norm", "instance_norm", "batch_norm")
LEAST: list[Case] = [
    check_program(
        f"norms.without_epsilon_of_{name}_numbers",
        ("definition: (x - mean) / sqrt(var), of two opposite numbers",),
        _normalize_without_epsilon,
        {"x": np.array([[size, -size]])},
        subject="rms_norm",
        expected=dict.fromkeys(NAMES, np.array([[1.0, -1.0]])),
        dtypes=("float32", "bfloat16", "float64"),
    )
    for name, size in (("the_least", 2.0**-120), ("small", 2.0**-70), ("the_largest", 2.0**120))
]


CASES: list[Case] = [*INSTANCE, *LAYER, *DEFINITIONS, *LEAST]
