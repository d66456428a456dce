"""Cases of the activation functions: NNlib's values at 0, 1 and -1, slopes, dtypes and extreme numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import luxport
from luxport import ops
from luxport.ops import definition_of
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import check_function, check_gradient, check_program, cite, draw
from luxport_conformance.compare import Tolerance

__all__ = ["CASES", "ELEMENTWISE", "WITH_PARAMETER"]

FILE = "nnlib:activations.jl"

ELEMENTWISE = (
    *("celu", "elu", "gelu", "gelu_erf", "gelu_sigmoid", "gelu_tanh", "hardsigmoid", "hardswish", "hardtanh"),
    *("leakyrelu", "lisht", "logcosh", "logsigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "softplus"),
    *("softshrink", "softsign", "swish", "tanh", "tanhshrink", "trelu"),
)
"""The element-wise activations: all but `rrelu`, which needs random numbers, and `glu`, which halves an axis."""

WITH_PARAMETER = {"leakyrelu": "a", "elu": "alpha", "celu": "alpha", "trelu": "theta", "softshrink": "lambda_"}

KEY, COUNTER = np.array([3, 4], np.int32), np.array(0, np.int32)

log, exp, tanh, cosh = math.log, math.exp, math.tanh, math.cosh
SELU, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def sigmoid(x: float) -> float:
    """Return 1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + exp(-x))


# name: (line of NNlib's test, value) at 0, 1 and -1.
TABLE: dict[str, tuple[tuple[int, float], tuple[int, float], tuple[int, float]]] = {
    "sigmoid": ((6, 0.5), (37, sigmoid(1.0)), (62, exp(-1.0) / (1.0 + exp(-1.0)))),
    "hardsigmoid": ((7, 0.5), (38, 4 / 6), (63, 2 / 6)),
    "hardtanh": ((8, 0.0), (39, 1.0), (64, -1.0)),
    "relu": ((9, 0.0), (40, 1.0), (65, 0.0)),
    "leakyrelu": ((10, 0.0), (41, 1.0), (66, -0.01)),
    "relu6": ((11, 0.0), (42, 1.0), (67, 0.0)),
    "elu": ((13, 0.0), (44, 1.0), (69, exp(-1.0) - 1.0)),
    "gelu": ((14, 0.0), (45, 0.8411919906082768), (70, -0.15880800939172324)),
    "gelu_tanh": ((15, 0.0), (46, 0.8411919906082768), (71, -0.15880800939172324)),
    "gelu_sigmoid": ((16, 0.0), (47, 0.8411919906082768), (72, -0.15880800939172324)),
    "gelu_erf": ((17, 0.0), (48, 0.8413447460685429), (73, -0.15865525393145707)),
    "swish": ((18, 0.0), (49, sigmoid(1.0)), (74, -sigmoid(-1.0))),
    "hardswish": ((19, 0.0), (50, 4 / 6), (75, -2 / 6)),
    "lisht": ((20, 0.0), (51, tanh(1.0)), (76, -1.0 * tanh(-1.0))),
    "softplus": ((21, log(2.0)), (52, log(exp(1.0) + 1.0)), (77, log(exp(-1.0) + 1.0))),
    "softsign": ((28, 0.0), (53, 0.5), (78, -0.5)),
    "selu": ((29, 0.0), (54, SELU), (79, SELU * SELU_ALPHA * (exp(-1.0) - 1.0))),
    "celu": ((30, 0.0), (55, 1.0), (80, exp(-1.0) - 1.0)),
    "trelu": ((31, 0.0), (56, 0.0), (81, 0.0)),
    "logcosh": ((32, log(cosh(0.0))), (57, log(cosh(1.0))), (82, log(cosh(-1.0)))),
    "mish": ((33, 0.0), (58, tanh(log(1.0 + exp(1.0)))), (83, -tanh(log(1.0 + exp(-1.0))))),
    "tanhshrink": ((34, 0.0), (59, 0.23840584404423515), (84, -0.23840584404423515)),
    "softshrink": ((35, 0.0), (60, 0.5), (85, -0.5)),
}


def _find_operation(name: str) -> Callable[..., Any]:
    return getattr(ops, name)


def _check_zero_and_ones(name: str) -> Case:
    lines, values = [line for line, _ in TABLE[name]], [value for _, value in TABLE[name]]
    return check_function(
        f"{name}.zero_and_ones", cite(FILE, *lines), _find_operation(name), [0.0, 1.0, -1.0], expected=np.array(values)
    )


def _check_point(id: str, lines: tuple[int, ...], name: str, x: Any, y: Any, **parameters: float) -> Case:
    f = partial(_find_operation(name), **parameters) if parameters else _find_operation(name)
    return check_function(f"{name}.{id}", cite(FILE, *lines), f, np.asarray(x), expected=np.asarray(y, np.float64))


def _check_slopes(id: str, lines: tuple[int, ...], name: str, x: Any, slopes: Any, **parameters: float) -> Case:
    f = _find_operation(name)
    return check_gradient(
        f"{name}.{id}",
        cite(FILE, *lines),
        lambda x: luxport.namespace(x).sum(f(x, **parameters)),
        {"x": np.asarray(x, np.float64)},
        expected=np.asarray(slopes, np.float64),
    )


def _check_integers(name: str, lines: tuple[int, int]) -> Case:
    f = _find_operation(name)
    return check_function(
        f"{name}.keeps_integers",
        cite(FILE, *lines),
        lambda x64, x32: (f(x64).dtype == x64.dtype, f(x32).dtype == x32.dtype),
        *(np.ones(1, np.int64), np.ones(1, np.int32)),
        expected=(True, True),
        dtypes=("float32",),
        compiles=False,  # a dtype is known before anything runs
    )


def _check_dtype(dtype: str) -> Case:
    calls: dict[str, Callable[..., Any]] = {name: _find_operation(name) for name in ELEMENTWISE}
    for name, parameter in WITH_PARAMETER.items():
        calls |= {f"{name} {value}": partial(_find_operation(name), **{parameter: value}) for value in (0.1, 0.5, 1)}
    return check_function(
        f"activations.keep_{dtype}",
        cite(FILE, 92, 100),
        lambda x: {name: call(x) for name, call in calls.items()},
        np.array([-10.0, -1.0, 0.0, 1.0, 10.0]),
        expected=dict.fromkeys(calls, Property(f"numbers in {dtype}", lambda y: y.dtype.name == dtype)),
        dtypes=(dtype,),
    )


def _compute_second_derivative(x: Any) -> Any:
    def sum_slopes(x: Any) -> Any:
        xp = luxport.namespace(x)
        return xp.sum(luxport.grad(lambda x: xp.sum(ops.softplus(x)))(x))

    return luxport.grad(sum_slopes)(x)


def _compute_each(x: Any) -> Any:
    return {name: _find_operation(name)(x) for name in ELEMENTWISE}


def _compute_gradient(f: Callable[..., Any], x: Any) -> Any:
    return luxport.grad(lambda x: luxport.namespace(x).sum(f(x)))(x)


def _compute_each_gradient(x: Any) -> Any:
    return {name: _compute_gradient(_find_operation(name), x) for name in ELEMENTWISE}


def _make_gradients_with_parameter(value: float) -> Callable[[Any], Any]:
    def compute_gradients(x: Any) -> Any:
        return {
            name: _compute_gradient(partial(_find_operation(name), **{parameter: value}), x)
            for name, parameter in WITH_PARAMETER.items()
        }

    return compute_gradients


def _expect_slopes(x: Any, names: Any = ELEMENTWISE, value: float | None = None) -> Any:
    """Differentiate the definitions on NumPy by four-point differences, whose error is about 1e-12."""
    h, slopes = 1e-4, {}
    for name in names:
        f: Any = definition_of(_find_operation(name))
        if value is not None:
            f = partial(f, **{WITH_PARAMETER[name]: value})
        slopes[name] = (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)
    return slopes


SLOPE = Tolerance(
    reduction=8, magnitude=1.0, rounding=1e-11, reason="four-point slopes with steps of 1e-4 are exact to 1e-11"
)
SIGNED = np.concatenate([2 + np.abs(np.sin(np.arange(5.0))), -2 - np.abs(np.sin(np.arange(5.0)))])

COMPLEX = np.array([0.4 + 0.6j, -0.7 + 0.2j, 1.2 - 0.9j, -0.3 - 1.1j])
HOLOMORPHIC: dict[str, Callable[[Any], Any]] = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "swish": lambda z: z / (1 + np.exp(-z)),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "logsigmoid": lambda z: -np.log(1 + np.exp(-z)),
    "mish": lambda z: z * np.tanh(np.log(1 + np.exp(z))),
    "logcosh": lambda z: np.log(np.cosh(z)),
    "tanh_fast": np.tanh,
    "lisht": lambda z: z * np.tanh(z),
    "tanhshrink": lambda z: z - np.tanh(z),
}
ORDERED = ("relu", "leakyrelu", "relu6", "elu", "selu", "celu", "hardsigmoid", "hardtanh", "hardswish", "trelu")

NAN = Property("NaN", lambda y: bool(np.isnan(y).all()))
NO_NAN = Property("no NaN", lambda y: not np.isnan(y).any())
FINITE = Property("finite numbers", lambda y: bool(np.isfinite(y).all()))


def _expect_between(low: float, high: float) -> Property:
    return Property(f"numbers in [{low}, {high}]", lambda y: bool(((low <= y) & (y <= high)).all()))


MINUS_INF_MAY_BE_NAN = (
    *("softsign", "gelu", "gelu_tanh", "gelu_sigmoid", "gelu_erf", "swish", "hardswish", "logcosh", "mish"),
)

CASES: list[Case] = [
    *map(_check_zero_and_ones, TABLE),
    _check_point("far", (22, 23), "softplus", [1e8, -1e8], [1e8, 0.0]),
    _check_slopes("slope_at_zero", (26,), "softplus", [0.0], [0.5]),
    check_program(
        "softplus.curvature_at_zero",
        cite(FILE, 27),
        _compute_second_derivative,
        {"x": np.array([0.0])},
        expected=[0.25],
        differentiates=True,
    ),
    check_function(
        "rrelu.zero_and_ones",
        cite(FILE, 12, 43, 68),
        lambda x, key, counter: ops.rrelu(x, key, counter),
        *([0.0, 1.0, -1.0], KEY, COUNTER),
        expected=Property(
            "0, 1 and a number in [-1/3, -1/8]", lambda y: y[0] == 0 and y[1] == 1 and -1 / 3 <= y[2] <= -1 / 8
        ),
    ),
    check_function(
        "rrelu.bounds",
        cite(FILE, 181),
        lambda x, key, counter: ops.rrelu(x, key, counter, lower=0.25, upper=0.5),
        *(np.full(100, -0.4), KEY, COUNTER),
        expected=_expect_between(-0.2000001, -0.0999999),
    ),
    check_function(
        "rrelu.slopes_spread",
        ("definition: a slope for each element, drawn from the whole of [lower, upper)",),
        lambda x, key, counter: ops.rrelu(x, key, counter, lower=0.25, upper=0.5),
        *(np.full(100, -0.4), KEY, COUNTER),
        expected=Property(
            "a mean near -0.15, and extremes near -0.2 and -0.1",
            lambda y: abs(y.mean() + 0.15) < 0.01 and y.min() < -0.195 and y.max() > -0.105,
        ),
    ),
    check_function(
        "elu.alpha",
        ("definition: alpha (exp(x) - 1) below 0",),
        lambda x: ops.elu(x, alpha=2.5),
        [-1.0, 2.0],
        expected=[2.5 * math.expm1(-1.0), 2.0],
    ),
    *map(_check_dtype, ("float16", "float32", "float64")),
    check_function(
        "activations.keep_shape",
        cite(FILE, 109, 114),
        lambda x: (
            _compute_each(x) | {name + "'": _find_operation(name)(x, **{p: 0.1}) for name, p in WITH_PARAMETER.items()}
        ),
        draw(5),
        expected=dict.fromkeys(
            [*ELEMENTWISE, *(f"{name}'" for name in WITH_PARAMETER)],
            Property("five numbers", lambda y: y.shape == (5,)),
        ),
    ),
    check_program(
        "activations.gradients",
        cite(FILE, 111, 352, 353, 354, 355),
        _compute_each_gradient,
        {"x": SIGNED},
        expected=_expect_slopes,
        differentiates=True,
        tolerance=SLOPE,
    ),
    *(
        check_program(
            f"activations.gradients_with_parameter_{value}",
            cite(FILE, 116, 358 + position, 361 + position),
            _make_gradients_with_parameter(value),
            {"x": np.concatenate([1 + (SIGNED[:5] - 2), -2 + (SIGNED[:5] - 2) * 0.9])},
            expected=lambda x, value=value: _expect_slopes(x, WITH_PARAMETER, value),
            differentiates=True,
            tolerance=SLOPE,
        )
        for position, value in enumerate((0.2, 0.7))
    ),
    *[
        check_function(id, cite(FILE, line), _compute_each, x, expected=expected)
        for id, line, x, expected in (
            ("activations.nan", 123, [np.nan, np.nan], dict.fromkeys(ELEMENTWISE, NAN)),
            ("activations.inf", 128, [np.inf, np.inf], {name: NO_NAN for name in ELEMENTWISE if name != "softsign"}),
            (
                "activations.minus_inf",
                131,
                [-np.inf, -np.inf],
                {name: NO_NAN for name in ELEMENTWISE if name not in MINUS_INF_MAY_BE_NAN},
            ),
        )
    ],
    *(
        check_function(
            f"activations.integers_{bits}",
            cite(FILE, 139 if bits == 64 else 140),
            _compute_each,
            np.ones(2, f"i{bits // 8}"),
            expected=dict.fromkeys(ELEMENTWISE, Property("real numbers", lambda y: y.dtype.kind in "if")),
            dtypes=("float32",),
        )
        for bits in (64, 32)
    ),
    *(
        _check_integers(name, lines)
        for name, lines in (
            ("relu", (145, 146)),
            ("relu6", (149, 150)),
            ("hardtanh", (153, 154)),
            ("trelu", (157, 158)),
        )
    ),
    _check_point("integer", (163,), "elu", np.array([42], np.int32), [42]),
    _check_point("points", (164, 166), "elu", [42.0, -4.0], [42.0, exp(-4) - 1]),
    _check_point("points", (170, 171), "mish", [-5.0, 9.0], [-0.033576237730161704, 9 * tanh(log(1 + exp(9)))]),
    check_function(
        "mish.keeps_dtype",
        cite(FILE, 173),
        lambda x: ops.mish(x).dtype == x.dtype,
        [[1.0, 1000.0], [2.0, 2000.0], [3.0, 3000.0]],
        expected=True,
        dtypes=("float32",),
        compiles=False,  # a dtype is known before anything runs
    ),
    _check_point("slope", (176, 177), "leakyrelu", [0.4, -0.4], [0.4, -0.12], a=0.3),
    _check_point("six", (179,), "relu6", [10.0], [6.0]),
    _check_point("integer", (184,), "celu", np.array([42], np.int32), [42]),
    _check_point("positive", (185,), "celu", [42.0], [42.0]),
    _check_point("alpha", (187,), "celu", [-4.0], [0.5 * (exp(-4.0 / 0.5) - 1)], alpha=0.5),
    _check_point("threshold", (191, 192, 193), "softshrink", [15.0, 4.0, -15.0], [10.0, 0.0, -10.0], lambda_=5.0),
    check_function(
        "logsigmoid.log_of_sigmoid",
        cite(FILE, 198),
        ops.logsigmoid,
        draw(10, 10),
        expected=lambda x: np.log(1 / (1 + np.exp(-x))),
        tolerance=Tolerance(magnitude=1.0),
    ),
    _check_point("far", (200,), "logsigmoid", [-100_000.0, 100_000.0], [-100_000.0, 0.0]),
    check_function("logcosh.thousand", cite(FILE, 204), lambda x: ops.logcosh(x) + log(2), [1000.0], expected=[1000.0]),
    _check_point("points", (207, 208), "hardsigmoid", [0.3, -0.3], [3.3 / 6, 2.7 / 6]),
    _check_point("far", (210,), "hardsigmoid", [-100_000.0, 100_000.0], [0.0, 1.0]),
    _check_point("ten", (214,), "hardtanh", [10.0], [1.0]),
    _check_point("point", (216,), "lisht", [2.5], [2.5 * tanh(2.5)]),
    _check_point("points", (219, 220, 221), "trelu", [0.5, 1.0, 1.1], [0.0, 0.0, 1.1]),
    _check_point("theta", (222,), "trelu", [0.9], [0.9], theta=0.5),
    _check_slopes("slope_far_right", (397, 398), "selu", [1000.0, 10_000.0], [1.0507009873554805] * 2),
    _check_slopes("slope_far_right", (399, 400), "elu", [1000.0, 10_000.0], [1.0, 1.0], alpha=2),
    _check_slopes("slope_at_minus_one", (401,), "elu", [-1.0], [2 * exp(-1)], alpha=2),
    _check_slopes("slope_hundred", (402, 405), "selu", [100.0, 1000.0, 10_000.0], [SELU] * 3),
    _check_slopes("slope_hundred", (403, 404), "elu", [100.0, 1000.0, 10_000.0], [1.0] * 3, alpha=3.5),
    _check_slopes("slope_ten", (406,), "selu", [10.0], [SELU]),
    *(
        _check_slopes("saturated", (416,), name, [-50.0, 50.0, -7.0, 7.0], slopes)
        for name, slopes in (
            ("hardsigmoid", [0, 0, 0, 0]),
            ("hardtanh", [0, 0, 0, 0]),
            ("relu6", [0, 0, 0, 0]),
            ("hardswish", [0, 1, 0, 1]),
        )
    ),
    *(
        check_function(f"{name}.complex", cite(FILE, 473), _find_operation(name), COMPLEX, expected=naive)
        for name, naive in HOLOMORPHIC.items()
    ),
    *(
        check_function(
            f"{name}.complex_far",
            cite(FILE, line),
            _find_operation(name),
            [600 + 2j, -600 + 2j, 80 - 50j, -80 + 50j],
            expected=FINITE,
        )
        for name, line in (("sigmoid", 484), ("softplus", 485), ("swish", 486))
    ),
    check_function("sigmoid.complex_zero", cite(FILE, 488), ops.sigmoid, [-800 + 0j], expected=[0j]),
    check_function(
        "softplus.complex_real_part",
        cite(FILE, 489),
        lambda z: luxport.namespace(z).real(ops.softplus(z)),
        [800 + 1j],
        expected=[800.0],
    ),
    *(
        Case(
            id=f"{name}.refuses_complex",
            subject=name,
            source=cite(FILE, 497),
            program=_find_operation(name),
            inputs={"x": np.array([1 + 1j])},
            raises=TypeError,
            dtypes=("float32",),
        )
        for name in (*ORDERED, "softshrink")
    ),
]
