"""Cases of `bias_activation`, which adds a bias to the channels and applies an activation, and of its gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import LayerTypeError, identity, ops
from luxport.ops import definition_of
from luxport_conformance.case import Case
from luxport_conformance.cases.activations import ELEMENTWISE
from luxport_conformance.cases.declare import check_function, check_program, check_refusal, cite, draw
from luxport_conformance.compare import Tolerance

FILE = "nnlib:bias_act.jl"

X, BIAS = draw(4, 3, seed=21), draw(3, seed=22)
INTEGERS, INTEGER_BIAS = np.array([[-3, 0, 2], [1, 3, -2]], np.int32), np.array([-2, 1, 2], np.int32)
NUMERIC = Tolerance(
    reduction=16, magnitude=4.0, rounding=1e-8, reason="four-point differences with steps of 1e-4 are exact to 1e-9"
)


def cbrt(x: Any) -> Any:
    """Return the real cube root, for which no backend has a fused operation."""
    xp = luxport.namespace(x)
    return xp.sign(x) * xp.abs(x) ** (1 / 3)


def _divide(x: Any) -> Any:
    return 1 / (x**2 + 2)


def _leaky_third(x: Any) -> Any:
    return ops.leakyrelu(x, a=0.33)


# NNlib's test leaves out hardsigmoid.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "identity": identity,
    "cbrt": cbrt,
    "x": lambda x: x,
    "fraction": _divide,
    "leaky_third": _leaky_third,
    **{name: getattr(ops, name) for name in ELEMENTWISE if name != "hardsigmoid"},
}
# The same functions for NumPy arrays.
ON_NUMPY: dict[str, Callable[..., Any]] = {
    **FUNCTIONS,
    "cbrt": np.cbrt,
    "leaky_third": lambda x: np.where(x > 0, x, 0.33 * x),
    **{name: definition_of(getattr(ops, name)) for name in ELEMENTWISE},
}


def _estimate_slope(f: Callable[..., Any], x: Any) -> Any:
    h = 1e-4
    return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)


def _compute_values(x: Any, bias: Any) -> Any:
    return {
        name: (ops.bias_activation(x, bias, activation=f), ops.bias_activation(x, None, activation=f))
        for name, f in FUNCTIONS.items()
    }


def _compute_gradients(x: Any, bias: Any) -> Any:
    xp = luxport.namespace(x)

    def compute_both(f: Any) -> Any:
        dx, db = luxport.grad(lambda x, b: xp.sum(ops.bias_activation(x, b, activation=f)), (0, 1))(x, bias)
        return dx, db, luxport.grad(lambda x: xp.sum(ops.bias_activation(x, None, activation=f)))(x)

    return {name: compute_both(f) for name, f in FUNCTIONS.items()}


def _expect_gradients(x: Any, bias: Any) -> Any:
    slopes = {
        name: (_estimate_slope(f, x + bias), _estimate_slope(f, x)) for name, f in ON_NUMPY.items() if name in FUNCTIONS
    }
    return {name: (biased, biased.sum(0), plain) for name, (biased, plain) in slopes.items()}


def _swish(x: Any) -> Any:
    return x / (1 + np.exp(-x))


def _derive_swish(x: Any) -> tuple[Any, Any]:
    s = 1 / (1 + np.exp(-x))
    d = s * (1 - s)
    return s + x * d, 2 * d + x * d * (1 - 2 * s)


def _make_second_order(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return the gradient of sum(g²) with respect to x, where g is the gradient of sum(y²) with respect to x."""

    def sum_squares(x: Any) -> Any:
        return luxport.namespace(x).sum(x * x)

    def program(x: Any, bias: Any) -> Any:
        inner = luxport.grad(lambda x: sum_squares(ops.bias_activation(x, bias, activation=f)))
        return luxport.grad(lambda x: sum_squares(inner(x)))(x)

    return program


def _derive_squares(f: Any, first: Any, second: Any) -> Any:
    """Return the gradient that `_make_second_order` computes, by the formula 2 h' h'' of h = f²."""
    return 2 * (2 * f * first) * (2 * first**2 + 2 * f * second)


def _expect_relu(x: Any, bias: Any) -> Any:
    u = x + bias
    return _derive_squares(np.maximum(u, 0), (u > 0).astype(u.dtype), 0 * u)


def _expect_swish(x: Any, bias: Any) -> Any:
    return _derive_squares(_swish(x + bias), *_derive_swish(x + bias))


def _expect_cbrt(x: Any, bias: Any) -> Any:
    u = (x + bias) / 3
    root = np.cbrt(u)
    return _derive_squares(root, 1 / (9 * root**2), -2 / (81 * root**5))


def _check_second_order(id: str, line: int, f: Callable[..., Any], expected: Callable[..., Any]) -> Case:
    return check_program(
        f"bias_activation.{id}",
        cite(FILE, line),
        _make_second_order(f),
        {"x": X, "bias": BIAS},
        expected=expected,
        differentiates=True,
        tolerance=Tolerance(reduction=64),
    )


CASES: list[Case] = [
    check_function(
        "bias_activation.passes_through",
        cite(FILE, 10),
        lambda x: ops.bias_activation(x, None) is x,
        X,
        expected=True,
        dtypes=("float32",),
        compiles=False,  # the identity of an object does not depend on a compiler
    ),
    check_function(
        "bias_activation.values",
        cite(FILE, 11, 12, 13, 14, 18, 22, 52, 53),
        _compute_values,
        *(X, BIAS),
        expected=lambda x0, x1: {name: (ON_NUMPY[name](x0 + x1), ON_NUMPY[name](x0)) for name in FUNCTIONS},
        tolerance=Tolerance(reduction=4, magnitude=1.0),
    ),
    check_program(
        "bias_activation.gradients",
        cite(FILE, 62, 71, 74),
        _compute_gradients,
        {"x": X, "bias": BIAS},
        expected=_expect_gradients,
        differentiates=True,
        tolerance=NUMERIC,
    ),
    *[
        check_function(id, cite(FILE, *lines), f, *(INTEGERS, INTEGER_BIAS), expected=expected, dtypes=("float32",))
        for id, lines, f, expected in (
            ("bias_activation.integers", (36,), ops.bias_activation, INTEGERS + INTEGER_BIAS),
            (
                "bias_activation.integers_to_tanh",
                (37, 38),
                lambda x, b: tuple([ops.bias_activation(x, bias, activation=ops.tanh) for bias in (b, None)]),
                (np.tanh(INTEGERS + INTEGER_BIAS), np.tanh(INTEGERS)),
            ),
        )
    ],
    *(
        check_refusal(
            f"bias_activation.refuses_true_line_{line}",
            cite(FILE, line),
            lambda x, f=f: ops.bias_activation(x, True, activation=f),  # type: ignore[arg-type]
            {"x": x},
            raises=LayerTypeError,
            message="expects an array as bias, got bool",
        )
        for line, f, x in ((41, identity, BIAS), (42, cbrt, BIAS), (43, cbrt, INTEGER_BIAS))
    ),
    _check_second_order("relu_twice", 94, ops.relu, _expect_relu),
    _check_second_order("swish_twice", 101, ops.swish, _expect_swish),
    _check_second_order("cbrt_twice", 109, lambda x: cbrt(x / 3), _expect_cbrt),
]
