"""Cases of gradients of activations: their dtypes, after an affine map, second derivatives, complex numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

import luxport
from luxport import ops
from luxport.ops import definition_of
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.activations import COMPLEX, ELEMENTWISE, HOLOMORPHIC, WITH_PARAMETER
from luxport_conformance.cases.declare import check_function, check_program, cite, draw
from luxport_conformance.compare import Tolerance

FILE = "nnlib:activations.jl"
SUITE = "nnlib:testsuite/activations.jl"

STEP = 1e-3
NUMERIC = Tolerance(
    reduction=16, magnitude=4.0, rounding=1e-8, reason="four-point differences with steps of 1e-3 are exact to 1e-8"
)


def _find_operation(name: str, value: float | None = None) -> Callable[..., Any]:
    f: Callable[..., Any] = getattr(ops, name)
    return f if value is None else partial(f, **{WITH_PARAMETER[name]: value})


def _find_definition(name: str, value: float | None = None) -> Callable[..., Any]:
    f = definition_of(getattr(ops, name))
    return f if value is None else partial(f, **{WITH_PARAMETER[name]: value})


def _estimate_slope(f: Callable[..., Any], x: Any) -> Any:
    h = STEP
    return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)


def _estimate_curvature(f: Callable[..., Any], x: Any) -> Any:
    h = STEP
    return (16 * (f(x + h) + f(x - h)) - (f(x + 2 * h) + f(x - 2 * h)) - 30 * f(x)) / (12 * h * h)


def _differentiate_all(losses: Mapping[str, Callable[..., Any]], *args: Any) -> dict[str, tuple[Any, ...]]:
    """Differentiate all losses in one gradient, each with respect to its own copy of the arguments: compiling a
    gradient for each loss would take some tenths of a second per loss."""
    copies = {name: args for name in losses}
    return luxport.grad(lambda copies: sum([loss(*copies[name]) for name, loss in losses.items()]))(copies)


def _check_gradient_dtype(dtype: str) -> Case:
    def program(x: Any) -> Any:
        xp = luxport.namespace(x)
        found = _differentiate_all(
            {name: lambda x, name=name: xp.sum(_find_operation(name)(x)) for name in ELEMENTWISE}, x
        )
        return {name: gradient for name, (gradient,) in found.items()}

    return check_program(
        f"activations.gradients_keep_{dtype}",
        cite(FILE, 329),
        program,
        {"x": np.array([-10.0, -1.0, 0.0, 1.0, 10.0])},
        expected=dict.fromkeys(ELEMENTWISE, Property(f"numbers in {dtype}", lambda y: y.dtype.name == dtype)),
        dtypes=(dtype,),
        differentiates=True,
    )


# (name, value of its parameter, lines of NNlib's test)
AFFINE: tuple[tuple[str, float | None, tuple[int, ...]], ...] = (
    *(("sigmoid", None, (378, 379)), ("relu", None, (380, 381)), ("selu", None, (382, 383)), ("elu", 2, (384, 385))),
    *(("logsigmoid", None, (387, 388)), ("leakyrelu", 0.2, (391,)), ("leakyrelu", 0.7, (392,))),
)


def _compute_after_affine(x: Any, weight: Any, bias: Any, c: Any) -> Any:
    xp = luxport.namespace(x)

    def make_losses(c: Any) -> dict[str, Callable[..., Any]]:
        functions = {f"{name} {value}": _find_operation(name, value) for name, value, _ in AFFINE}
        return {name: lambda x, w, b, f=f: xp.sum(f(xp.matmul(x, w) + b) * c) for name, f in functions.items()}

    many = _differentiate_all(make_losses(c), x, weight, bias)
    one = _differentiate_all(make_losses(c[0, :]), x[0, :], weight, bias)
    return {name: {"many": many[name], "one": one[name]} for name in many}


def _expect_after_affine(x: Any, weight: Any, bias: Any, c: Any) -> Any:
    def derive_gradients(f: Any) -> Any:
        pulled = _estimate_slope(f, x @ weight + bias) * c
        return {
            "many": (pulled @ weight.T, x.T @ pulled, pulled.sum(0)),
            "one": (weight @ pulled[0], np.outer(x[0], pulled[0]), pulled[0]),
        }

    return {f"{name} {value}": derive_gradients(_find_definition(name, value)) for name, value, _ in AFFINE}


POINTS = np.array([-0.9, -0.2, 0.1, 0.3, 1.2])
VECTOR = draw(5, seed=3)


def _check_second_order(
    id: str, lines: tuple[int, int], names: tuple[str, ...], value: float | None, point: float
) -> Case:
    """Check the second derivative of sin(f) at a point, and the Hessian of sum(f(x + 0.1)^2) times a vector."""

    def program(point: Any, x: Any, vector: Any) -> Any:
        xp = luxport.namespace(x)

        functions = {name: _find_operation(name, value) for name in names}

        def compute_slopes(zs: Any) -> Any:
            return luxport.grad(lambda zs: sum([xp.sin(f(zs[name])) for name, f in functions.items()]))(zs)

        def sum_products(xs: Any) -> Any:
            gradients = luxport.grad(lambda xs: sum([xp.sum(f(xs[name] + 0.1) ** 2) for name, f in functions.items()]))
            return sum([xp.sum(gradient * vector) for gradient in gradients(xs).values()])

        # Each function has its own copy of the point, so one gradient of the sum gives the second derivative of each.
        second = luxport.grad(lambda zs: sum(compute_slopes(zs).values()))(dict.fromkeys(names, point))
        hessian = luxport.grad(sum_products)(dict.fromkeys(names, x))
        return {name: (second[name], hessian[name]) for name in names}

    def expected(point: Any, x: Any, vector: Any) -> Any:
        def derive(f: Any) -> Any:
            return _estimate_curvature(lambda z: np.sin(f(z)), point), vector * _estimate_curvature(
                lambda x: f(x + 0.1) ** 2, x
            )

        return {name: derive(_find_definition(name, value)) for name in names}

    return check_program(
        f"activations.{id}",
        cite(FILE, *lines),
        program,
        {"point": np.array(point), "x": POINTS, "vector": VECTOR},
        expected=expected,
        differentiates=True,
        tolerance=NUMERIC,
    )


FAR = np.concatenate([np.arange(6.0, 200.0, 3.0), [1e3, 1e6, np.inf]])


def _check_far(name: str, lines: tuple[int, ...], expected: Callable[[Any], Any]) -> Case:
    f = getattr(ops, name)
    return check_function(
        f"{name}.beyond_six",
        cite(FILE, *lines),
        lambda x: (f(x), f(-x)),
        FAR,
        expected=lambda x: (expected(x), expected(-x)),
    )


# sigmoid_fast of a complex number is computed as sigmoid.
COMPLEX_ACTS: dict[str, Callable[[Any], Any]] = {**HOLOMORPHIC, "sigmoid_fast": HOLOMORPHIC["sigmoid"]}


def _compute_complex_gradients(re: Any, im: Any) -> Any:
    """Differentiate by real and imaginary parts, which depends on no convention for complex gradients."""
    xp = luxport.namespace(re)
    dtype = xp.complex64 if re.dtype == xp.float32 else xp.complex128

    def make_loss(f: Any) -> Callable[..., Any]:
        def sum_squares(re: Any, im: Any) -> Any:
            y = f(xp.astype(re, dtype) + xp.astype(im, dtype) * 1j)
            return xp.sum(xp.real(y) ** 2 + xp.imag(y) ** 2)

        return sum_squares

    return _differentiate_all({name: make_loss(_find_operation(name)) for name in COMPLEX_ACTS}, re, im)


def _expect_complex_gradients(re: Any, im: Any) -> Any:
    z = re + 1j * im

    def derive_gradients(f: Any) -> Any:
        pulled = 2 * np.conj(f(z)) * _estimate_slope(f, z)
        return pulled.real, -pulled.imag

    return {name: derive_gradients(f) for name, f in COMPLEX_ACTS.items()}


IS_COMPLEX = Property("four complex numbers", lambda y: y.dtype.kind == "c" and y.shape == (4,))


def _compute_gradients_of_complex(z: Any) -> Any:
    xp = luxport.namespace(z)

    def make_loss(f: Any) -> Callable[..., Any]:
        return lambda z: xp.sum(xp.real(f(z)) ** 2 + xp.imag(f(z)) ** 2)

    found = _differentiate_all({name: make_loss(_find_operation(name)) for name in COMPLEX_ACTS}, z)
    return {name: gradient for name, (gradient,) in found.items()}


CASES: list[Case] = [
    *map(_check_gradient_dtype, ("float16", "float32", "float64")),
    check_program(
        "activations.after_affine",
        tuple(source for *_, lines in AFFINE for source in cite(FILE, *lines)),
        _compute_after_affine,
        {"x": draw(3, 5), "weight": draw(5, 2, seed=1), "bias": draw(2, seed=2), "c": draw(3, 2, seed=3)},
        expected=_expect_after_affine,
        differentiates=True,
        tolerance=NUMERIC,
    ),
    _check_second_order("second_order", (430, 435), ELEMENTWISE, None, 0.23),
    _check_second_order("second_order_with_parameter", (442, 447), tuple(WITH_PARAMETER), 0.3, 0.45),
    _check_far("tanh_fast", (259, 260, 295, 296), np.tanh),
    _check_far(
        "sigmoid_fast",
        (275, 276, 311, 312),
        lambda x: 1 / (1 + np.exp(-x)) if x[0] > 0 else np.exp(x) / (1 + np.exp(x)),
    ),
    check_function(
        "activations.complex",
        cite(SUITE, 24, 25),
        lambda z: {name: _find_operation(name)(z) for name in COMPLEX_ACTS},
        COMPLEX,
        expected=lambda z: {name: f(z) for name, f in COMPLEX_ACTS.items()},
    ),
    check_program(
        "activations.complex_gradients",
        cite(FILE, 474, 477) + cite(SUITE, 33),
        _compute_complex_gradients,
        {"re": np.real(COMPLEX), "im": np.imag(COMPLEX)},
        expected=_expect_complex_gradients,
        differentiates=True,
        tolerance=NUMERIC,
    ),
    check_program(
        "activations.complex_gradient_types",
        cite(SUITE, 32),
        _compute_gradients_of_complex,
        {"z": COMPLEX},
        expected=dict.fromkeys(COMPLEX_ACTS, IS_COMPLEX),
        differentiates=True,
    ),
    check_function(
        "activations.complex_far",
        cite(SUITE, 41),
        lambda z: (ops.sigmoid(z), ops.softplus(z), ops.swish(z)),
        [600 + 2j, -600 + 2j, 80 - 50j, -80 + 50j],
        expected=(Property("finite numbers", lambda y: bool(np.isfinite(y).all())),) * 3,
    ),
]
