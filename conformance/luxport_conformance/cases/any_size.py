"""Cases of numbers whose squares overflow or underflow in float32: in norms, distances, pools and weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import luxport
from luxport import losses, ops
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_program, draw
from luxport_conformance.compare import Tolerance

INF = math.inf
_FORMULA = ("mathematics: the formula in float64",)
_SIZES = np.array([1.0, 1e30, 3e37, 1e18, 1e12, 1e-30])
_EPSILON = 1e-5
# Normalized axes of x (6, 4, 5), and options; magnitudes differ along the first axis, which batch_norm has as channels.
_NORMS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "layer_norm": ((2,), {}),
    "rms_norm": ((2,), {}),
    "normalize": ((1, 2), {"axis": (1, 2)}),
    "instance_norm": ((2,), {"training": True}),
    "group_norm": ((1, 2), {"groups": 1}),
    "batch_norm": ((1, 2), {"training": True}),
}


def _normalize(name: str, x: Any) -> Any:
    if name != "batch_norm":
        y = getattr(ops, name)(x, epsilon=_EPSILON, **_NORMS[name][1])
        return y[0] if isinstance(y, tuple) else y
    xp = luxport.namespace(x)
    y = ops.batch_norm(xp.permute_dims(x, (1, 0, 2)), epsilon=_EPSILON, training=True)[0]
    return xp.permute_dims(y, (1, 0, 2))


def _compute_norms(x: Any, c: Any, sizes: Any) -> Any:
    return {name: _normalize(name, x) for name in _NORMS}


def _compute_slopes_of_norms(x: Any, c: Any, sizes: Any) -> Any:
    """Return gradients times the magnitudes of the numbers, which makes them of order 1."""
    xp = luxport.namespace(x)
    return {name: sizes * luxport.grad(lambda x, name=name: xp.sum(_normalize(name, x) * c))(x) for name in _NORMS}


def _make_expected_norms(slopes: bool) -> Any:
    def expected(x: Any, c: Any, sizes: Any) -> Any:
        return {name: _expect_norm(name, x, c, sizes, slopes) for name in _NORMS}

    return expected


def _expect_norm(name: str, x: Any, c: Any, sizes: Any, slopes: bool) -> Any:
    axes = _NORMS[name][0]

    def average(values: Any) -> Any:
        return np.mean(values, axis=axes, keepdims=True)

    centered = x if name == "rms_norm" else x - average(x)
    factor = 1 / np.sqrt(average(centered * centered) + _EPSILON)
    y = centered * factor
    if not slopes:
        return y
    away = 0.0 if name == "rms_norm" else average(c)
    return sizes * factor * (c - away - y * average(c * y))


_TINY = 1e-12
# The rounded mean of seven equal numbers may differ from them.
_EQUAL = np.repeat(np.array([[5.1], [0.0], [-3000.3], [0.7]]), 7, axis=1)
_SHAPES_OF_EQUALS: dict[tuple[int, ...], tuple[str, ...]] = {
    (4, 7): ("layer_norm", "normalize"),
    (7, 4): ("batch_norm",),
    (4, 1, 7): ("group_norm", "instance_norm", "instance_norm, tracked"),
}


def _compute_norms_of_equals(x: Any) -> Any:
    return {
        "layer_norm": ops.layer_norm(x, epsilon=_TINY),
        "normalize": ops.normalize(x, axis=1, epsilon=_TINY),
        "batch_norm": ops.batch_norm(_transpose(x), epsilon=_TINY, training=True)[0],
        "group_norm": ops.group_norm(x[:, None, :], groups=1, epsilon=_TINY),
        "instance_norm": ops.instance_norm(x[:, None, :], epsilon=_TINY, training=True)[0],
        "instance_norm, tracked": _normalize_tracked(x),
    }


def _transpose(x: Any) -> Any:
    return luxport.namespace(x).permute_dims(x, (1, 0))


def _normalize_tracked(x: Any) -> Any:
    xp = luxport.namespace(x)
    one = xp.ones((1,), dtype=x.dtype)
    return ops.instance_norm(x[:, None, :], one, one * 0.0, one * 0.0, one, epsilon=_TINY, training=True)[0]


def _compute_slopes_of_equals(x: Any, c: Any) -> Any:
    xp = luxport.namespace(x)

    def compute_slope(name: str) -> Any:
        return luxport.grad(lambda x: xp.sum(xp.reshape(_compute_norms_of_equals(x)[name], c.shape) * c))(x)

    return {
        name: compute_slope(name) * math.sqrt(_TINY)
        for name in ("layer_norm", "normalize", "instance_norm", "group_norm")
    }


def _expect_slopes_of_equals(x: Any, c: Any) -> Any:
    slope = c - np.mean(np.asarray(c, np.float64), axis=1, keepdims=True)
    return dict.fromkeys(("layer_norm", "normalize", "instance_norm", "group_norm"), slope)


def _compute_lengths(x: Any, y: Any) -> Any:
    xp = luxport.namespace(x)
    return {
        "weight_norm": ops.weight_norm(x, xp.ones_like(x[:, :1])),
        "cosine": losses.cosine_similarity_loss(x, y, agg=None, epsilon=1e-37),
        "lp_pool": ops.global_lp_pool(x[:, None, :]) / xp.max(xp.abs(x), axis=-1)[:, None, None],
        "triplet": losses.triplet_margin_loss(x, -x, xp.zeros_like(x), agg=None) / xp.max(xp.abs(x) + 1.0, axis=-1),
    }


def _expect_lengths(x: Any, y: Any) -> Any:
    norm = np.sqrt(np.sum(x * x, axis=1, keepdims=True))
    largest = np.max(np.abs(x), axis=1)
    apart = [np.sqrt(np.sum((part + 1e-6) ** 2, axis=1)) for part in (2 * x, x)]
    return {
        "weight_norm": x / norm,
        "cosine": 1 - np.sum((x / norm) * (y / np.sqrt(np.sum(y * y, axis=1, keepdims=True))), axis=1),
        "lp_pool": (norm[:, 0] / largest)[:, None, None],
        "triplet": np.maximum(0, apart[0] - apart[1] + 1) / (largest + 1),
    }


def _compute_focal_slopes(y_hat: Any, y: Any) -> Any:
    def make_loss(gamma: float) -> Any:
        return lambda y_hat: losses.binary_focal_loss(y_hat, y, epsilon=0.0, gamma=gamma, agg="sum")

    return {str(gamma): luxport.grad(make_loss(gamma))(y_hat) for gamma in (0.25, 1.0, 2.0)}


def _draw_inputs(sizes: Any) -> dict[str, Any]:
    sizes = sizes[:, None, None]
    return {"x": draw(6, 4, 5) * sizes, "c": draw(6, 4, 5, seed=1), "sizes": sizes}


_OPTIONS: dict[str, Any] = {"source": _FORMULA, "dtypes": ("float32", "float64"), "tolerance": Tolerance(reduction=60)}

CASES: list[Case] = [
    Case(
        id="norms.of_any_size",
        subject="layer_norm",
        program=_compute_norms,
        inputs=_draw_inputs(_SIZES),
        expected=_make_expected_norms(False),
        **_OPTIONS,
    ),
    Case(
        id="norms.of_any_size_slopes",
        subject="layer_norm",
        program=_compute_slopes_of_norms,
        # A gradient is about the reciprocal of the magnitude: near 3e37 some backends flush it to 0.
        inputs=_draw_inputs(np.minimum(_SIZES, 1e32)),
        expected=_make_expected_norms(True),
        differentiates=True,
        **_OPTIONS,
    ),
    check_program(
        "norms.of_equal_numbers",
        ("mathematics: what is equal to its mean is 0 without it",),
        _compute_norms_of_equals,
        {"x": _EQUAL},
        subject="layer_norm",
        expected=lambda x: {name: np.zeros(shape) for shape, names in _SHAPES_OF_EQUALS.items() for name in names},
        dtypes=("float32", "float64", "bfloat16", "float16"),
    ),
    Case(
        id="norms.of_equal_numbers_slopes",
        subject="layer_norm",
        program=_compute_slopes_of_equals,
        inputs={"x": _EQUAL, "c": draw(4, 7, seed=1)},
        expected=_expect_slopes_of_equals,
        differentiates=True,
        **_OPTIONS,
    ),
    Case(
        id="lengths.of_any_size",
        subject="weight_norm",
        program=_compute_lengths,
        inputs={"x": draw(6, 5) * _SIZES[:, None], "y": draw(6, 5, seed=2) * _SIZES[::-1, None]},
        expected=_expect_lengths,
        **_OPTIONS,
    ),
    check_program(
        "binary_focal_loss.slopes_at_its_edges",
        ("mathematics: the limits of the formula",),
        _compute_focal_slopes,
        {"y_hat": np.array([0.0, 0.0, 1.0, 1.0]), "y": np.array([1.0, 0.0, 1.0, 0.0])},
        subject="losses",
        expected=dict.fromkeys(("0.25", "1.0", "2.0"), np.array([-INF, 0.0, 0.0, INF])),
        dtypes=("float32", "float16", "bfloat16", "float64"),
        differentiates=True,
    ),
    check_program(
        "mae.slopes_where_equal",
        ("mathematics: halfway between the slopes on either side, as the limit of huber_loss has it",),
        lambda y_hat, y: luxport.grad(lambda y_hat: losses.mae(y_hat, y, agg="sum"))(y_hat),
        {"y_hat": np.array([1.0, 2.0, -3.0, INF]), "y": np.array([1.0, 1.0, 3.0, 0.0])},
        subject="losses",
        expected=np.array([0.0, 1.0, -1.0, 1.0]),
        dtypes=("float32", "float16", "bfloat16", "float64"),
        differentiates=True,
    ),
]
