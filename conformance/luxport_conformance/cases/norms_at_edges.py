"""Cases of normalization with epsilon 0, which is scale-invariant, of numbers whose squares overflow or underflow."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import BatchNorm, GroupNorm, InstanceNorm, Layer, LayerNorm, RMSNorm, ops
from luxport.backend import dtype_name
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_program, draw
from luxport_conformance.cases.sample_norms import set_up
from luxport_conformance.compare import Tolerance

# Layers for x (N, 4, 6), and the axes over which they normalize; for groups, of x reshaped to (N, 2, 2, 6).
NORMS: dict[str, tuple[Layer, tuple[int, ...]]] = {
    "layer": (LayerNorm((4, 6), affine=False, epsilon=0.0), (1, 2)),
    "root mean square": (RMSNorm(6, affine=False, epsilon=0.0), (2,)),
    "group": (GroupNorm(4, 2, affine=False, epsilon=0.0), (2, 3)),
    "instance": (InstanceNorm(4, affine=False, epsilon=0.0), (2,)),
    "batch": (BatchNorm(4, affine=False, epsilon=0.0, track_stats=False), (0, 2)),
}
STATES = {kind: luxport.train_mode(set_up(layer)[1]) for kind, (layer, _) in NORMS.items()}
SCALES = {"float16": 2.0**10, "bfloat16": 2.0**100, "float32": 2.0**100, "float64": 2.0**500}


def _compute_norms(x: Any, weights: Any, direction: Any, size: Any) -> Any:
    """Return each norm of huge and of tiny numbers, and its gradients times the magnitude of the numbers."""
    scale = SCALES[dtype_name(x)]
    xp = luxport.namespace(x)

    def compute_values(inputs: Any) -> Any:
        return {name: {kind: _call(kind, part, size) for kind, part in parts.items()} for name, parts in inputs.items()}

    def sum_weighted(inputs: Any) -> Any:
        found = compute_values(inputs)
        return sum(
            [
                xp.sum(y * (weights if kind in NORMS else weights[0, ...]))
                for parts in found.values()
                for kind, y in parts.items()
            ]
        )

    inputs = {
        name: {**dict.fromkeys(NORMS, x * by), "weight": direction * by}
        for name, by in (("huge", scale), ("tiny", 1.0 / scale))
    }
    slopes = luxport.grad(sum_weighted)(inputs)
    return {
        name: {kind: {"y": y, "slope": slopes[name][kind] * by} for kind, y in compute_values(inputs)[name].items()}
        for name, by in (("huge", scale), ("tiny", 1.0 / scale))
    }


def _call(kind: str, x: Any, size: Any) -> Any:
    if kind == "weight":
        return ops.weight_norm(x, size)
    return NORMS[kind][0](x, {}, STATES[kind])[0]


def _expect_norms(x: Any, weights: Any, direction: Any, size: Any) -> Any:
    """Compute all norms and their gradients by formulas in float64."""
    x, weights, direction, size = (part.astype(np.float64) for part in (x, weights, direction, size))
    found = {}
    for kind, (_, axes) in NORMS.items():
        shape = (x.shape[0], 2, 2, 6) if kind == "group" else x.shape
        found[kind] = _derive(x.reshape(shape), weights.reshape(shape), axes, centered=kind != "root mean square")
    norm = np.sqrt((direction**2).sum(0))
    unit, g = direction / norm, weights[0] * size
    found["weight"] = {"y": size * unit, "slope": (g - unit * (g * unit).sum(0)) / norm}
    found = {kind: {part: y.reshape(x.shape if kind in NORMS else y.shape) for part, y in parts.items()}
             for kind, parts in found.items()}  # fmt: skip
    return {"huge": found, "tiny": found}


def _derive(x: Any, g: Any, axes: tuple[int, ...], *, centered: bool) -> Any:
    """Return the normalized x, and the pullback of g, which is g without its mean and its projection on the result."""
    x = x - x.mean(axes, keepdims=True) if centered else x
    deviation = np.sqrt((x * x).mean(axes, keepdims=True))
    y = x / deviation
    slope = g - y * (g * y).mean(axes, keepdims=True) - (g.mean(axes, keepdims=True) if centered else 0.0)
    return {"y": y, "slope": slope / deviation}


CASES: list[Case] = [
    check_program(
        "norms.huge_and_tiny_numbers",
        ("mathematics: the formulas and their derivatives in float64, which know no size without an epsilon",),
        _compute_norms,
        {
            "x": draw(3, 4, 6),
            "weights": draw(3, 4, 6, seed=1),
            "direction": draw(4, 6, seed=2),
            "size": draw(1, 6, seed=3),
        },
        subject="normalize",
        expected=_expect_norms,
        dtypes=("float16", "bfloat16", "float32", "float64"),
        differentiates=True,
        tolerance=Tolerance(reduction=24, magnitude=4.0),
    )
]
