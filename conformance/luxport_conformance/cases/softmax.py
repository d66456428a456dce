"""Cases of `luxport.ops.softmax`, `logsoftmax` and `logsumexp`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import ops
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_function, check_gradient, cite, draw
from luxport_conformance.compare import Tolerance

FILE = "nnlib:softmax.jl"
inf, nan = math.inf, math.nan

# The rows, along the last axis, are the columns of upstream's matrices.
SLOPED = np.array(
    [
        [-0.238639, 0.690384, -1.146370],
        [0.748142, 0.211427, -0.577988],
        [-0.283194, 0.254794, 0.718952],
        [-0.525461, -0.213572, 0.919720],
        [-1.5348, -0.314174, -0.620773],
        [-0.797842, -0.372663, 0.929977],
    ]
)
SLOPES = np.array(
    [
        [0.237703, -0.930163, 0.69246],
        [-0.621474, 0.0519798, 0.569494],
        [0.448193, 0.0549979, -0.503191],
        [0.546047, 0.3799, -0.925947],
        [0.564185, -0.477112, -0.0870738],
        [0.632273, 0.437428, -1.0697],
    ]
)
SIX_DIGITS = Tolerance(rounding=2e-6, reason="upstream writes the numbers with six digits")
LOW, HIGH = 0.11920292, 0.880797
EIGHT_DIGITS = Tolerance(rounding=1e-7, reason="upstream writes the numbers in single precision")

# (id, line of upstream's test, x, softmax of x, axis)
INFINITE: tuple[tuple[str, int, Any, Any, Any], ...] = (
    ("inf", 63, [[1.0, 3.0], [2.0, inf]], [[LOW, HIGH], [0.0, 1.0]], -1),
    ("both_inf", 64, [[1.0, 3.0], [-inf, inf]], [[LOW, HIGH], [0.0, 1.0]], -1),
    ("two_inf", 65, [[1.0, 3.0], [inf, inf]], [[LOW, HIGH], [0.5, 0.5]], -1),
    ("nan", 67, [[1.0, 3.0], [2.0, nan]], [[LOW, HIGH], [nan, nan]], -1),
    ("inf_first_axis", 68, [[1.0, 3.0], [2.0, inf]], [[0.26894143, 0.0], [0.7310586, 1.0]], 0),
    ("inf_all_axes", 69, [[1.0, 3.0], [2.0, inf]], [[0.0, 0.0], [0.0, 1.0]], None),
    ("inf_two_axes", 70, [[1.0, 3.0], [2.0, inf]], [[0.0, 0.0], [0.0, 1.0]], (0, 1)),
)

OPERATIONS: dict[str, Callable[..., Any]] = {
    "softmax": ops.softmax,
    "logsoftmax": ops.logsoftmax,
    "logsumexp": ops.logsumexp,
}


def _softmax(x: Any, axis: Any = -1) -> Any:
    return np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)


def _logsumexp(x: Any, axis: Any = -1) -> Any:
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=True))


def _check_every_axis(name: str) -> Case:
    operation = OPERATIONS[name]
    axes = (-1, 0, 1, 2, (0, 2), None)

    def expect_each(x: Any) -> Any:
        return tuple([np.log(_softmax(x, axis)) if name == "logsoftmax" else _softmax(x, axis) for axis in axes])

    return check_function(
        f"{name}.every_axis",
        cite(FILE, *((12, 18, 19, 20, 28) if name == "softmax" else (21, 29))),
        lambda x: tuple([operation(x, axis=axis) for axis in axes]),
        draw(3, 4, 2),
        expected=expect_each,
        tolerance=Tolerance(reduction=24),
    )


def _check_slope(name: str, lines: tuple[int, ...], weights: Any, axis: Any) -> Case:
    """Check the gradient of a weighted sum of the outputs by its formula."""
    operation = OPERATIONS[name]

    def expect_slope(x: Any, weights: Any) -> Any:
        y = _softmax(x, axis)
        if name == "softmax":
            return y * (weights - np.sum(weights * y, axis=axis, keepdims=True))
        if name == "logsoftmax":
            return weights - y * np.sum(weights, axis=axis, keepdims=True)
        return y * weights

    options = {"keepdims": True} if name == "logsumexp" else {}
    return check_gradient(
        f"{name}.gradient_{'all' if axis is None else axis % 2}",
        cite(FILE, *lines),
        lambda x, weights: luxport.namespace(x).sum(operation(x, axis=axis, **options) * weights),
        {"x": draw(3, 4), "weights": weights},
        expected=expect_slope,
        tolerance=Tolerance(reduction=12, magnitude=4.0),
    )


def _check_hessian(name: str, line: int) -> Case:
    operation = OPERATIONS[name]

    def compute_slopes(x: Any) -> Any:
        def sum_sines(x: Any) -> Any:
            xp = luxport.namespace(x)
            return xp.sum(xp.sin(operation(x, axis=0)))

        return luxport.grad(sum_sines)(x)

    def expect_by_differences(x: Any) -> Any:
        def sum_sines(x: Any) -> Any:
            lowered = x - _logsumexp(x, 0)
            y = {"softmax": np.exp(lowered), "logsoftmax": lowered, "logsumexp": _logsumexp(x, 0)}[name]
            return np.sum(np.sin(y))

        moves = 1e-4 * np.eye(x.size).reshape(x.size, *x.shape)

        def estimate_second(a: Any, b: Any) -> Any:
            return (sum_sines(x + a + b) - sum_sines(x + a - b) - sum_sines(x - a + b) + sum_sines(x - a - b)) / 4e-8

        return np.array([[estimate_second(a, b) for b in moves] for a in moves]).reshape(*x.shape, *x.shape)

    return check_function(
        f"{name}.hessian",
        cite(FILE, line),
        lambda x: luxport.jacobian(compute_slopes)(x),
        np.array([[1.0, 2.0, 3.0], [6.0, 5.0, 4.0]]),
        expected=expect_by_differences,
        tolerance=Tolerance(reduction=12, rounding=1e-6, reason="wanted by differences, whose error is 1e-7"),
        differentiates=True,
        compiles=False,  # the cases above compile the gradient
    )


CASES: list[Case] = [
    check_function("softmax.integers", cite(FILE, 5), ops.softmax, np.zeros(2, np.int32), expected=[0.5, 0.5]),
    _check_every_axis("softmax"),
    _check_every_axis("logsoftmax"),
    check_function("softmax.far", cite(FILE, 24), ops.softmax, [-1e5, -1e5], expected=[0.5, 0.5]),
    check_function("logsoftmax.far", cite(FILE, 25), ops.logsoftmax, [-1e5, -1e5], expected=2 * [-math.log(2)]),
    check_function(
        "logsoftmax.apart",
        cite(FILE, 32, 35),
        ops.logsoftmax,
        [[1.0, 2.0, 3000.0], [1.0, 1000.0, 1000.0]],
        expected=[[-2999.0, -2998.0, 0.0], [-999.0 - math.log(2), -math.log(2), -math.log(2)]],
    ),
    check_gradient(
        "logsoftmax.gradient_apart",
        cite(FILE, 38),
        lambda x: luxport.namespace(x).sum(ops.logsoftmax(x)),
        {"x": np.array([[1.0, 1000.0], [2.0, 2000.0], [3.0, 3000.0]])},
        expected=[[1.0, -1.0], [1.0, -1.0], [1.0, -1.0]],
    ),
    check_gradient(
        "softmax.gradient_apart",
        cite(FILE, 41),
        lambda x: luxport.namespace(x).sum(ops.softmax(x)),
        {"x": np.array([[1.0, 1000.0], [2.0, 2000.0], [3.0, 3000.0]])},
        expected=np.zeros((3, 2)),
        tolerance=Tolerance(magnitude=1.0),
    ),
    check_gradient(
        "logsoftmax.gradient",
        cite(FILE, 56),
        lambda x: luxport.namespace(x).sum(ops.logsoftmax(x)),
        {"x": SLOPED},
        expected=SLOPES,
        tolerance=SIX_DIGITS,
    ),
    check_gradient(
        "softmax.gradient",
        cite(FILE, 59),
        lambda x: luxport.namespace(x).sum(ops.softmax(x)),
        {"x": SLOPED},
        expected=np.zeros((6, 3)),
        tolerance=Tolerance(magnitude=1.0),
    ),
    *[
        check_function(
            f"softmax.{name}",
            cite(FILE, line),
            lambda x, axis=axis: ops.softmax(x, axis=axis),
            x,
            expected=y,
            tolerance=EIGHT_DIGITS,
        )
        for name, line, x, y, axis in INFINITE
    ],
    *[
        check_function(
            f"logsoftmax.{name}",
            cite(FILE, line),
            lambda x: luxport.namespace(x).exp(ops.logsoftmax(x)),
            x,
            expected=y,
            tolerance=EIGHT_DIGITS,
        )
        for (name, _, x, y, _), line in zip(INFINITE[:3], (72, 73, 74), strict=True)
    ],
    check_function(
        "softmax.minus_inf_alone",
        ("nnlib: softmax.jl subtracts the maximum, -inf from -inf",),
        ops.softmax,
        [[-inf, -inf], [-inf, 1.0]],
        expected=[[nan, nan], [0.0, 1.0]],
    ),
    check_gradient(
        "softmax.gradient_inf",
        ("luxport: no gradient flows to where x is inf, and none of it is NaN",),
        lambda x: luxport.namespace(x).sum(ops.softmax(x)[..., 0]),
        {"x": np.array([[1.0, inf], [inf, inf], [-inf, inf]])},
        expected=np.zeros((3, 2)),
    ),
    check_function(
        "logsumexp.formula",
        cite(FILE, 109, 110),
        lambda x: (ops.logsumexp(x), ops.logsumexp(x, axis=-1, keepdims=True), ops.logsumexp(x, axis=(0,))),
        draw(4, 3),
        expected=lambda x: (_logsumexp(x, None)[0, 0], _logsumexp(x), _logsumexp(x, 0)[0]),
        tolerance=Tolerance(reduction=12),
    ),
    check_function(
        "logsumexp.infinities",
        ("scipy: scipy.special.logsumexp is inf with an inf in the sum, -inf for -inf alone",),
        lambda x: ops.logsumexp(x, axis=-1),
        [[1.0, inf], [-inf, -inf], [-inf, 2.0], [nan, inf]],
        expected=[inf, -inf, 2.0, nan],
    ),
    _check_slope("softmax", (115, 117, 118), np.array([1.0, 2.0, 3.0, 4.0]), -1),
    _check_slope("softmax", (119,), np.array([[1.0], [2.0], [3.0]]), 0),
    _check_slope("softmax", (), draw(3, 4, seed=4), None),
    _check_slope("logsoftmax", (121, 122), np.array([1.0, 2.0, 3.0, 4.0]), -1),
    _check_slope("logsoftmax", (123,), np.array([[1.0], [2.0], [3.0]]), 0),
    _check_slope("logsumexp", (126,), draw(3, 1), -1),
    _check_slope("logsumexp", (), draw(1, 4), 0),
    _check_slope("logsumexp", (), draw(1, 1), None),
    _check_hessian("softmax", 133),
    _check_hessian("logsoftmax", 136),
    _check_hessian("logsumexp", 139),
]
