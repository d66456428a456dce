"""Cases of first and second derivatives of every activation, near 0 and where it saturates."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import ops
from luxport_conformance.case import Case
from luxport_conformance.cases.activations import ELEMENTWISE
from luxport_conformance.cases.declare import check_program
from luxport_conformance.compare import Tolerance

SELU, SELU_AT_0 = 1.0507009873554805, 1.7580993408473766  # selu's scale, and its scale times its alpha
CUBE = 0.044715

# Points for smooth functions, and without 0 for those with a kink there. bfloat16 represents all of them exactly.
PLACES = [0.0, 2.0**-10, 0.5, 1.0, 3.0, 4.90625, 8.0, 20.0, 80.0, 9984.0]
APART = [2.0**-10, 0.75, 2.0, 4.90625, 8.0, 20.0, 80.0, 9984.0]

Derivatives = tuple[Any, Any]


def _derive_tanh(x: Any) -> Derivatives:
    t = np.exp(-2 * np.abs(x))
    slope = 4 * t / (1 + t) ** 2
    return slope, -2 * np.tanh(x) * slope


def _derive_sigmoid(x: Any) -> Derivatives:
    t = np.exp(-np.abs(x))
    slope = t / (1 + t) ** 2
    return slope, -np.sign(x) * slope * (1 - t) / (1 + t)


def _logistic(x: Any) -> Any:
    return np.where(x >= 0, 1, np.exp(-np.abs(x))) / (1 + np.exp(-np.abs(x)))


def _derive_times_x(x: Any, gate: Any, derivatives: Derivatives) -> Derivatives:
    slope, curvature = derivatives
    return gate + x * slope, 2 * slope + x * curvature


def _derive_gelu_tanh(x: Any) -> Derivatives:
    scale = math.sqrt(8 / math.pi)
    cubic, rise, bend = scale * (x + CUBE * x**3), scale * (1 + 3 * CUBE * x**2), scale * 6 * CUBE * x
    slope, curvature = _derive_sigmoid(cubic)
    return _derive_times_x(x, _logistic(cubic), (slope * rise, curvature * rise**2 + slope * bend))


def _derive_gelu_erf(x: Any) -> Derivatives:
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    gate = np.array([math.erfc(-at / math.sqrt(2)) / 2 for at in x])
    return _derive_times_x(x, gate, (density, -x * density))


def _derive_mish(x: Any) -> Derivatives:
    t, right = np.exp(-np.abs(x)), x > 0
    # 1 - gate², as a quotient whose two parts are scaled so that no exponential is above 1.
    left_to_1 = np.where(right, (2 * t * (1 + t) / ((1 + t) ** 2 + t**2)) ** 2, (2 * (1 + t) / ((1 + t) ** 2 + 1)) ** 2)
    part = t * np.where(right, 2 * t, t + 2)
    quotient = part / (part + np.where(right, 1 + 2 * t, 2))
    gate = np.where(right, 1 - quotient, quotient)
    rise, (bend, _) = _logistic(x), _derive_sigmoid(x)
    return _derive_times_x(x, gate, (left_to_1 * rise, left_to_1 * (bend - 2 * gate * rise**2)))


def _make_exponential_rule(scale: float, slope: float) -> Callable[[Any], Derivatives]:
    def derive(x: Any) -> Derivatives:
        fall = scale * np.exp(np.minimum(x, 0))
        return np.where(x > 0, slope, fall), np.where(x > 0, 0, fall)

    return derive


def _make_piecewise_rule(low: float, high: float, inside: float, below: float = 0.0, above: float = 0.0) -> Any:
    return lambda x: (np.where(x < low, below, np.where(x > high, above, inside)), 0 * x)


def _derive_hardswish(x: Any) -> Derivatives:
    inside = np.abs(x) < 3
    return np.where(inside, (2 * x + 3) / 6, x > 0), inside / 3


SMOOTH: dict[str, Callable[[Any], Derivatives]] = {
    "tanh": _derive_tanh,
    "sigmoid": _derive_sigmoid,
    "softplus": lambda x: (_logistic(x), _derive_sigmoid(x)[0]),
    "logsigmoid": lambda x: (_logistic(-x), -_derive_sigmoid(x)[0]),
    "logcosh": lambda x: (np.tanh(x), _derive_tanh(x)[0]),
    "swish": lambda x: _derive_times_x(x, _logistic(x), _derive_sigmoid(x)),
    "lisht": lambda x: _derive_times_x(x, np.tanh(x), _derive_tanh(x)),
    "tanhshrink": lambda x: (np.tanh(x) ** 2, -_derive_tanh(x)[1]),
    "mish": _derive_mish,
    "gelu_tanh": _derive_gelu_tanh,
    "gelu_sigmoid": _derive_gelu_tanh,
    "gelu_erf": _derive_gelu_erf,
    "erf": lambda x: (2 / math.sqrt(math.pi) * np.exp(-(x**2)), -4 * x / math.sqrt(math.pi) * np.exp(-(x**2))),
    "softsign": lambda x: ((1 + np.abs(x)) ** -2.0, -2 * np.sign(x) * (1 + np.abs(x)) ** -3.0),
}
KINKED: dict[str, Callable[[Any], Derivatives]] = {
    "relu": _make_piecewise_rule(0, math.inf, 1),
    "relu6": _make_piecewise_rule(0, 6, 1),
    "trelu": _make_piecewise_rule(1, math.inf, 1),
    "leakyrelu": _make_piecewise_rule(0, math.inf, 1, below=0.01),
    "hardtanh": _make_piecewise_rule(-1, 1, 1),
    "hardsigmoid": _make_piecewise_rule(-3, 3, 1 / 6),
    "softshrink": _make_piecewise_rule(-0.5, 0.5, 0, below=1, above=1),
    "hardswish": _derive_hardswish,
    "elu": _make_exponential_rule(1, 1),
    "celu": _make_exponential_rule(1, 1),
    "selu": _make_exponential_rule(SELU_AT_0, SELU),
}
ALIASES = {"gelu", "sigmoid_fast", "tanh_fast", "thresholdrelu"}
if missing := set(ELEMENTWISE) - SMOOTH.keys() - KINKED.keys() - ALIASES:
    raise AssertionError(f"derivatives of {missing} are missing")


def _compute_derivatives(x: Any, apart: Any) -> Any:
    """Return first and second derivatives of all functions, each function at its own copy of the points."""
    xp = luxport.namespace(x)

    def compute_slopes(places: Any) -> Any:
        return luxport.grad(lambda places: sum([xp.sum(getattr(ops, name)(at)) for name, at in places.items()]))(places)

    places = dict.fromkeys(SMOOTH, x) | dict.fromkeys(KINKED, apart)
    curvatures = luxport.grad(lambda places: sum([xp.sum(slope) for slope in compute_slopes(places).values()]))(places)
    return {"slope": compute_slopes(places), "curvature": curvatures}


def _expect_derivatives(x: Any, apart: Any) -> Any:
    x, apart = x.astype(np.float64), apart.astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):
        found = {name: f(x) for name, f in SMOOTH.items()} | {name: f(apart) for name, f in KINKED.items()}
    return {part: {name: pair[i] for name, pair in found.items()} for i, part in enumerate(("slope", "curvature"))}


CASES: list[Case] = [
    check_program(
        "activations.slopes_and_curvatures",
        ("mathematics: the derivatives of the formulas, in terms that are small where they are, in float64",),
        _compute_derivatives,
        {"x": np.array([-at for at in PLACES[:0:-1]] + PLACES), "apart": np.array([-at for at in APART[::-1]] + APART)},
        expected=_expect_derivatives,
        dtypes=("float16", "bfloat16", "float32", "float64"),
        differentiates=True,
        tolerance=Tolerance(
            factor=2.0,
            magnitude=1.0,
            reason="XLA's and TensorFlow's tanh is 1 from 7.9 on, in float32 two eps early; its slope loses four",
        ),
    )
]
