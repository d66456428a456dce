"""Cases of layers whose weights are computed from other parameters, such as `WeightNorm`."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import (
    Chain,
    Conv,
    Dense,
    FlattenLayer,
    SpectralNorm,
    WeightNorm,
    ops,
    remove_spectral_norm,
    remove_weight_norm,
)
from luxport_conformance.case import Case, Shape
from luxport_conformance.cases.declare import check_error, check_fact, check_function, check_program, cite, draw, set_up
from luxport_conformance.compare import Tolerance

FILE = "flux:test_common/normalization.jl"
NORMED = WeightNorm(Dense(3, 2))
CHAIN = Chain(
    WeightNorm(Conv((3,), 1, 2)),
    Conv((3,), 2, 2),
    WeightNorm(Conv((3,), 2, 3)),
    FlattenLayer(),
    WeightNorm(Dense(18, 4)),
    Dense(4, 1),
)


def _check_plain_agrees(id: str, line: int, model: Any, x: Any, terms: int) -> Case:
    ps, st = set_up(model)

    def program(x: Any, ps: Any, st: Any) -> Any:
        plain, plain_ps, plain_st = remove_weight_norm(model, ps, st)
        return plain(x, plain_ps, plain_st)[0] - model(x, ps, st)[0]

    return check_program(
        id,
        cite(FILE, line),
        program,
        {"x": x, "ps": ps, "st": st},
        subject="WeightNorm",
        expected=np.zeros(luxport.output_shape(model, np.shape(x))),
        tolerance=Tolerance(reduction=terms, magnitude=1.0),
        compiles=False,  # models are built outside of compiled programs
    )


def _compute_gradients(x: Any, ps: Any) -> Any:
    xp = luxport.namespace(x)
    return luxport.grad(lambda ps: xp.sum(NORMED(x, ps, {})[0]))(ps)


def _expect_gradients(x: Any, ps: Any) -> Any:
    """Compute the gradients by the paper's formulas, from the plain weight's gradient and its part along v."""
    v, g = ps["normalized"]["weight_v"], ps["normalized"]["weight_g"]
    plain = x.sum(0)[:, None] * np.ones((1, 2))
    size = np.sqrt((v**2).sum(0, keepdims=True))
    along = (plain * v / size).sum(0, keepdims=True)
    return {
        "normalized": {"weight_g": along, "weight_v": g / size * (plain - along * v / size)},
        "unnormalized": {"bias": np.full(2, float(len(x)))},
    }


def _check_gradients(id: str, lines: tuple[int, ...], expected: Any) -> Case:
    return check_program(
        id,
        cite(FILE, *lines),
        _compute_gradients,
        {"x": draw(4, 3), "ps": set_up(NORMED)[0]},
        subject="WeightNorm",
        expected=expected,
        differentiates=True,
        tolerance=Tolerance(reduction=4 * 3),
    )


def _remove_norm(i: int) -> Any:
    plain: Any = remove_weight_norm(CHAIN, *set_up(CHAIN))[0]
    return plain[i - 1]


def _check_types(id: str, lines: tuple[int, ...], layer: Any, wanted: tuple[tuple[int, type], ...]) -> Case:
    return check_fact(
        id, cite(FILE, *lines), lambda: all(isinstance(layer(i), kind) for i, kind in wanted), subject="WeightNorm"
    )


SPECTRAL = SpectralNorm(Dense(3, 2))


def _compute_spectral_difference(x: Any, ps: Any, st: Any) -> Any:
    plain, plain_ps, plain_st = remove_spectral_norm(SPECTRAL, ps, st)
    return plain(x, plain_ps, plain_st)[0] - SPECTRAL(x, ps, st)[0]


def _find_largest_singular_value(weight: Any) -> float:
    return float(np.linalg.svd(weight, compute_uv=False)[0])


CASES: list[Case] = [
    check_function(
        "weight_norm.values",
        ("paper: g v / |v|, one size for each column",),
        ops.weight_norm,
        *(draw(3, 2), draw(1, 2, seed=1)),
        subject="weight_norm",
        expected=lambda v, g: g * v / np.sqrt((v**2).sum(0, keepdims=True)),
        tolerance=Tolerance(reduction=3),
    ),
    _check_plain_agrees("weight_norm.plain", 6, NORMED, draw(4, 3), 6),
    check_error(
        "weight_norm.unknown",
        cite(FILE, 8, 9),
        lambda: WeightNorm(Dense(1, 2), "weights"),
        raises=ValueError,
        message="WeightNorm expects names among weight, bias, got weights",
    ),
    check_error(
        "weight_norm.all_zero",
        cite(FILE, 11, 12),
        lambda: set_up(WeightNorm(Dense(1, 2), "bias")),
        message="WeightNorm expects a direction as bias, which is all zero",
    ),
    _check_gradients(
        "weight_norm.gradient_shapes",
        (21, 22, 23),
        {"normalized": {"weight_g": Shape(1, 2), "weight_v": Shape(3, 2)}, "unnormalized": {"bias": Shape(2)}},
    ),
    # With one input, as upstream, the gradient of the direction is 0; here there are three.
    _check_gradients("weight_norm.gradients", (32, 33), _expect_gradients),
    check_fact(
        "weight_norm.removed", cite(FILE, 38), lambda: remove_weight_norm(NORMED, *set_up(NORMED))[0] == Dense(3, 2)
    ),
    check_program(
        "weight_norm.removed_parameters",
        cite(FILE, 39, 40),
        lambda ps: remove_weight_norm(NORMED, ps, {})[1],
        {"ps": set_up(NORMED)[0]},
        expected=lambda ps: {"weight": ps["normalized"]["weight_v"], "bias": ps["unnormalized"]["bias"]},
        tolerance=Tolerance(reduction=3, rounding=2.0**-22, reason="the first sizes are rounded to float32"),
        compiles=False,
    ),
    _check_types(
        "weight_norm.in_chain",
        (52, 53, 54, 55, 56),
        lambda i: CHAIN[i],
        ((0, WeightNorm), (1, Conv), (2, WeightNorm), (4, WeightNorm), (5, Dense)),
    ),
    _check_types(
        "weight_norm.removed_from_chain",
        (59, 60, 61, 62, 63),
        _remove_norm,
        ((1, Conv), (2, Conv), (3, Conv), (5, Dense), (6, Dense)),
    ),
    _check_plain_agrees("weight_norm.plain_chain", 66, CHAIN, draw(1, 1, 12), 18 + 9),
    check_function(
        "spectral_norm.many_steps",
        ("definition: the largest singular value, by NumPy's SVD",),
        lambda weight, u: ops.spectral_norm(weight, u, axis=1, iterations=12)[0],
        *(draw(5, 3) * [1.0, 3.0, 0.3], draw(3, seed=1)),
        subject="spectral_norm",
        expected=lambda x0, x1: x0 / _find_largest_singular_value(x0),
        tolerance=Tolerance(reduction=2 * 5),
        compiles=False,
    ),
    check_program(
        "spectral_norm.removed",
        ("definition: in testing the layer with the weights divided",),
        _compute_spectral_difference,
        {"x": draw(4, 3), "ps": set_up(SPECTRAL)[0], "st": luxport.test_mode(set_up(SPECTRAL)[1])},
        expected=np.zeros((4, 2)),
        tolerance=Tolerance(reduction=3, magnitude=1.0),
        compiles=False,
    ),
]
