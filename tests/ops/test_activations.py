"""Activation functions on every backend: dtypes, derivatives, and each override's definition.

Lines are those of NNlib.jl 0.9's test/activations.jl, unless they name src/activations.jl; the numbers that it expects
are cases of the conformance suite.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import luxport
from luxport import ops
from luxport.backend import Backend, get_backend
from luxport.core.abstract_arrays import AbstractArray
from luxport.ops import activations, definition_of
from luxport_conformance.arrays import dtype_name
from luxport_conformance.backends import BACKENDS as EVERY_BACKEND
from luxport_conformance.backends import abilities, compiled, holding

BACKENDS = [name for name in EVERY_BACKEND if "float64" in abilities(name).dtypes]
DIFFERENTIATING = [name for name in BACKENDS if abilities(name).gradients]

UNARY = [
    *("celu", "elu", "gelu_erf", "gelu_sigmoid", "gelu_tanh", "hardsigmoid", "hardswish", "hardtanh", "leakyrelu"),
    *("lisht", "logcosh", "logsigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "softplus", "softshrink"),
    *("softsign", "swish", "tanh", "tanhshrink", "trelu"),
]
ALIASES = {"gelu": "gelu_tanh", "sigmoid_fast": "sigmoid", "tanh_fast": "tanh", "thresholdrelu": "trelu"}
PARAMETRIC: dict[str, list[dict[str, Any]]] = {
    "leakyrelu": [{"a": 0.2}, {"a": 1.5}],
    "elu": [{"alpha": 0.3}, {"alpha": 2.0}],
    "celu": [{"alpha": 0.5}, {"alpha": 2.0}],
    "trelu": [{"theta": 0.5}, {"theta": -1.0}],
    "softshrink": [{"lambda_": 0.2}, {"lambda_": 5.0}],
}
VARIANTS = [(name, options) for name in UNARY for options in ({}, *PARAMETRIC.get(name, []))]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    found = get_backend(request.param)
    with holding(found, "float64"):
        yield found


@pytest.fixture(params=DIFFERENTIATING)
def differentiating(request: pytest.FixtureRequest) -> Iterator[Backend]:
    found = get_backend(request.param)
    with holding(found, "float64"):
        yield found


def called(backend: Backend, f: Callable[..., Any], x: Any, dtype: str = "float64", **options: Any) -> np.ndarray:
    """Apply f to host values as an array of the backend, and check that the dtype came through."""
    y = f(backend.asarray(np.asarray(x, np.float64), dtype=dtype), **options)
    assert dtype_name(y) == dtype
    return backend.to_numpy(y)


def versions(backend: Backend, name: str) -> list[Callable[..., Any]]:
    """Return what a call of the operation runs and, if that is another program, the definition."""
    own, definition = getattr(backend.ops, name, None), definition_of(getattr(ops, name))
    return (
        [definition] if own is None else [own] if getattr(own, "__wrapped__", None) is definition else [own, definition]
    )


def summed(f: Callable[..., Any], **options: Any) -> Callable[[Any], Any]:
    def total(x: Any) -> Any:
        return luxport.namespace(x).sum(f(x, **options))

    return total


def derivatives(backend: Backend, f: Callable[..., Any], x: Any, dtype: str = "float64", **options: Any) -> Any:
    """Return the first and the second derivative of an elementwise f."""
    first = luxport.grad(summed(f, **options))

    def both(x: Any) -> Any:
        return first(x), luxport.grad(summed(first))(x)

    # JAX compiles every step of an eager gradient: one program takes a third of the time.
    run = luxport.jit(both) if backend.name == "jax" else both
    slope, curvature = run(backend.asarray(np.asarray(x, np.float64), dtype=dtype))
    assert dtype_name(slope) == dtype_name(curvature) == dtype
    return backend.to_numpy(slope).astype(np.float64), backend.to_numpy(curvature).astype(np.float64)


LAMBDA, ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


# ---- NaN, infinities, large numbers


# Limits of the formulas.
@pytest.mark.parametrize(
    ("name", "left", "right"),
    [
        ("sigmoid", 0.0, 1.0),
        ("logsigmoid", -math.inf, 0.0),
        ("softplus", 0.0, math.inf),
        ("logcosh", math.inf, math.inf),
        ("elu", -1.0, math.inf),
        ("selu", -LAMBDA * ALPHA, math.inf),
        ("hardtanh", -1.0, 1.0),
        ("softshrink", -math.inf, math.inf),
        ("lisht", math.inf, math.inf),
        ("tanhshrink", -math.inf, math.inf),
    ],
)
def test_values_at_infinities(backend: Backend, name: str, left: float, right: float) -> None:
    y = called(backend, getattr(ops, name), [-math.inf, math.inf])
    np.testing.assert_allclose(y, [left, right], rtol=1e-15)


def far_out(dtype: str) -> np.ndarray:
    # Half the largest number: JAX's derivative of tanh doubles what flows into it.
    largest = {"float16": 3e4, "float32": 1.5e38, "float64": 8e307, "bfloat16": 1.5e38}[dtype]
    points = [x for x in (1e-30, 1.0, 20.0, 100.0, 800.0, 1e4, 1e18, 1e30, 1e160) if x <= largest]
    return np.array([*points, largest])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(("name", "options"), [v for v in VARIANTS if v != ("leakyrelu", {"a": 1.5})])
def test_numpy_warns_of_nothing(name: str, options: dict[str, Any], dtype: str) -> None:
    x = np.concatenate([far_out(dtype), -far_out(dtype), [np.inf, -np.inf, np.nan]]).astype(dtype)
    with warnings.catch_warnings(), np.errstate(over="warn", invalid="warn", divide="warn"):
        warnings.simplefilter("error")
        y = getattr(ops, name)(x, **options)
        definition_of(getattr(ops, name))(x, **options)
    assert np.isfinite(y[: 2 * len(far_out(dtype))]).all()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("name", UNARY)
def test_gradients_are_finite(differentiating: Backend, name: str, dtype: str) -> None:
    x = np.concatenate([far_out(dtype), -far_out(dtype), [0.0, -0.0]])
    if name == "gelu_tanh" and differentiating.name == "torch":
        x = x[np.abs(x) <= 1e18]  # x**2 overflows in PyTorch's own gradient
    first, _ = derivatives(differentiating, getattr(ops, name), x, dtype)
    assert np.isfinite(first).all(), dict(zip(x, first, strict=True))


# ---- Each backend's own version against the definition


GRID = np.concatenate([np.linspace(-9, 9, 73) + 0.01, [-88.0, -30.0, 30.0, 88.0]])
EPS = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}


# Half types by the backends that have them; options in float64 only.
@pytest.mark.parametrize(
    ("backend", "dtype", "name", "options"),
    [
        (backend, dtype, name, options)
        for backend in BACKENDS
        for dtype in abilities(backend).dtypes
        for name, options in VARIANTS
        if not options or dtype == "float64"
    ],
    indirect=["backend"],
)
def test_values_are_the_definition_s(backend: Backend, name: str, options: dict[str, Any], dtype: str) -> None:
    x = backend.asarray(GRID, dtype=dtype)
    wide = backend.to_numpy(x).astype(np.float64)
    expected = definition_of(getattr(ops, name))(wide, **options)
    for version in versions(backend, name):
        y = version(x, **options)
        assert dtype_name(y) == dtype
        # A few roundings, each of them of a number no larger than x or a result.
        error = np.abs(backend.to_numpy(y).astype(np.float64) - expected)
        np.testing.assert_array_less(
            error, 6 * EPS[dtype] * np.maximum(1.0, np.maximum(np.abs(wide), np.abs(expected)))
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [*UNARY, "erf"])
def test_values_at_the_edges_are_the_definition_s(backend: Backend, name: str, dtype: str) -> None:
    x = np.array([0.0, 0.5, 1.0, 3.0, 6.0, 1e4, 1e30, 1e30 if dtype == "float32" else 1e160, np.inf])
    x = np.append(np.concatenate([x, -x]), np.nan)
    with np.errstate(invalid="ignore"):
        expected = definition_of(getattr(ops, name))(x)
        y = called(backend, getattr(ops, name), x, dtype)
    # gelu_erf at -3 multiplies a rounding of its gate by 3.
    np.testing.assert_allclose(y, expected, rtol=4 * EPS[dtype], atol=6 * EPS[dtype])


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "logsigmoid", "elu", "selu", "celu", "tanh", "erf"])
def test_small_results_keep_their_digits(backend: Backend, name: str) -> None:
    x = np.array([-60.0, -20.0, -3.0, -1e-3, -1e-10, 1e-10, 1e-3, 3.0, 20.0, 60.0])
    expm1 = [math.expm1(v) if v < 0 else v for v in x]
    by_hand = {  # the same functions in Python's mathematics
        "sigmoid": [1.0 / (1.0 + math.exp(-v)) for v in x],
        "softplus": [math.log1p(math.exp(v)) if v < 0 else v + math.log1p(math.exp(-v)) for v in x],
        "logsigmoid": [v - math.log1p(math.exp(v)) if v < 0 else -math.log1p(math.exp(-v)) for v in x],
        "elu": expm1,
        "celu": expm1,
        "selu": [LAMBDA * (ALPHA if v < 0 else 1.0) * e for v, e in zip(x, expm1, strict=True)],
        "tanh": [math.tanh(v) for v in x],
        "erf": [math.erf(v) for v in x],
    }
    # TensorFlow's elu is exp(x) - 1, as NNlib's: an absolute error. 2e-13: XLA's tanh in float64.
    atol = EPS["float64"] if (backend.name, name) == ("tf", "elu") else 0.0
    np.testing.assert_allclose(called(backend, getattr(ops, name), x), by_hand[name], rtol=2e-13, atol=atol)


@pytest.mark.parametrize(("dtype", "ulps"), [("float32", 5), ("float64", 5)])
def test_definition_of_erf(dtype: str, ulps: int) -> None:
    x = np.concatenate([np.linspace(-7, 7, 20_001), np.logspace(-30, 0, 1000), [np.inf, -np.inf]]).astype(dtype)
    expected = np.array([math.erf(v) for v in x])
    error = np.abs(definition_of(ops.erf)(x).astype(np.float64) - expected)
    spacing = np.spacing(np.abs(expected).astype(dtype)).astype(np.float64)
    assert (error <= ulps * spacing).all()
    assert np.isnan(definition_of(ops.erf)(np.array(np.nan, dtype)))


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_derivatives_are_finite_differences_of_the_definition(
    differentiating: Backend, name: str, options: dict[str, Any]
) -> None:
    kinks = np.array([-6.0, -5.0, -3.0, -1.0, -0.5, -0.2, 0.0, 0.2, 0.5, 1.0, 3.0, 5.0, 6.0])
    x = np.array([v for v in np.linspace(-7.1, 7.3, 61) if np.abs(v - kinks).min() > 0.01])
    f = functools.partial(definition_of(getattr(ops, name)), **options)
    first, second = derivatives(differentiating, getattr(ops, name), x, **options)
    h = 1e-4
    # Fourth order for the first derivative, second order for the second: their remainders, and roundings over h.
    slope = (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)
    np.testing.assert_allclose(first, slope, rtol=0, atol=2e-11 * 8)
    np.testing.assert_allclose(second, (f(x + h) - 2 * f(x) + f(x - h)) / h**2, rtol=0, atol=5e-7)


# NNlib.jl src/activations.jl:485 (hardswish), 944-967, 996-1000 (the others).
@pytest.mark.parametrize(
    ("name", "options", "x", "slope"),
    [
        ("relu", {}, [-0.0, 0.0], [0.0, 0.0]),
        ("relu6", {}, [0.0, 6.0], [0.0, 0.0]),
        ("hardtanh", {}, [-1.0, 1.0], [0.0, 0.0]),
        ("hardsigmoid", {}, [-3.0, 3.0], [0.0, 0.0]),
        ("hardswish", {}, [-3.0, 3.0], [-0.5, 1.5]),
        ("leakyrelu", {}, [-0.0, 0.0], [0.01, 0.01]),
        ("leakyrelu", {"a": 0.2}, [-0.0, 0.0], [0.2, 0.2]),
        ("elu", {}, [-0.0, 0.0], [1.0, 1.0]),
        ("elu", {"alpha": 2.0}, [-0.0, 0.0], [1.0, 1.0]),
        ("selu", {}, [-0.0, 0.0], [LAMBDA * ALPHA, LAMBDA * ALPHA]),
        ("celu", {}, [-0.0, 0.0], [1.0, 1.0]),
        ("celu", {"alpha": 2.0}, [-0.0, 0.0], [1.0, 1.0]),
        ("trelu", {}, [1.0], [0.0]),
        ("trelu", {"theta": 0.5}, [0.5], [0.0]),
        ("softshrink", {}, [-0.5, 0.5], [0.0, 0.0]),
        ("softshrink", {"lambda_": 2.0}, [-2.0, 2.0], [0.0, 0.0]),
        # No kinks, but formulas that meet: the derivatives are the analytic ones.
        ("sigmoid", {}, [-0.0, 0.0], [0.25, 0.25]),
        ("softplus", {}, [-0.0, 0.0], [0.5, 0.5]),
        ("logsigmoid", {}, [-0.0, 0.0], [0.5, 0.5]),
        ("logcosh", {}, [-0.0, 0.0], [0.0, 0.0]),
        ("softsign", {}, [-0.0, 0.0], [1.0, 1.0]),
        ("swish", {}, [-0.0, 0.0], [0.5, 0.5]),
        ("mish", {}, [-0.0, 0.0], [0.6, 0.6]),
        ("gelu_tanh", {}, [-0.0, 0.0], [0.5, 0.5]),
        ("gelu_erf", {}, [-0.0, 0.0], [0.5, 0.5]),
    ],
)
def test_derivatives_at_kinks(
    differentiating: Backend, name: str, options: dict[str, Any], x: list[float], slope: list[float]
) -> None:
    for version in versions(differentiating, name):
        first, _ = derivatives(differentiating, version, x, **options)
        np.testing.assert_allclose(first, slope, rtol=4e-16)


# The analytic second derivatives: sigmoid'' = 0, softplus'' = 1/4, logcosh'' = 1, swish'' = 1/2 at 0, …
@pytest.mark.parametrize(
    ("name", "options", "x", "second"),
    [
        *[("sigmoid", {}, [0.0], 0.0), ("softplus", {}, [0.0], 0.25), ("logsigmoid", {}, [0.0], -0.25)],
        *[("logcosh", {}, [0.0], 1.0), ("swish", {}, [0.0], 0.5), ("lisht", {}, [0.0], 2.0)],
        *[("selu", {}, [1e3, 1e4], 0.0), ("elu", {"alpha": 2.0}, [1e3, 1e4], 0.0)],
        ("elu", {"alpha": 2.0}, [-1.0], 2 * math.exp(-1)),
        *[(name, {}, [-50.0, 50.0, -7.0, 7.0], 0.0) for name in ("hardsigmoid", "hardtanh", "relu6", "hardswish")],
    ],
)
def test_second_derivatives_where_formulas_meet_and_far_from_it(
    differentiating: Backend, name: str, options: dict[str, Any], x: list[float], second: float
) -> None:
    for version in versions(differentiating, name):
        _, got = derivatives(differentiating, version, x, **options)
        np.testing.assert_allclose(got, np.full(len(x), second), rtol=1e-14, atol=1e-14)


# ---- Integers, booleans, complex numbers


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("dtype", ["int32", "int8"])
def test_integers(backend: Backend, name: str, dtype: str) -> None:  # activations.jl:135-160
    values = [-4, -1, 0, 1, 2, 7]
    y = getattr(ops, name)(backend.asarray(np.array(values), dtype=dtype))
    kept = name in ("relu", "relu6", "hardtanh", "trelu")
    assert dtype_name(y) == (dtype if kept else "float32")
    expected = definition_of(getattr(ops, name))(np.array(values, np.float64))
    np.testing.assert_allclose(backend.to_numpy(y), expected, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("name", [*UNARY, "erf", "glu"])
def test_booleans_are_refused(backend: Backend, name: str) -> None:
    with pytest.raises(TypeError, match=f"^{name} expects numbers, got booleans: convert them with luxport.to"):
        getattr(ops, name)(backend.asarray(np.array([True, False])))


ANALYTIC: dict[str, Callable[[Any, Any], Any]] = {  # activations.jl:458-467
    "sigmoid": lambda xp, z: 1 / (1 + xp.exp(-z)),
    "swish": lambda xp, z: z / (1 + xp.exp(-z)),
    "softplus": lambda xp, z: xp.log(1 + xp.exp(z)),
    "logsigmoid": lambda xp, z: -xp.log(1 + xp.exp(-z)),
    "mish": lambda xp, z: z * xp.tanh(xp.log(1 + xp.exp(z))),
    "logcosh": lambda xp, z: xp.log(xp.cosh(z)),
    "tanh_fast": lambda xp, z: xp.tanh(z),
    "lisht": lambda xp, z: z * xp.tanh(z),
    "tanhshrink": lambda xp, z: z - xp.tanh(z),
    # Analytic too, though NNlib does not list them.
    "gelu_tanh": lambda xp, z: z / 2 * (1 + xp.tanh((2 / math.pi) ** 0.5 * (z + 0.044715 * z * z * z))),
    "gelu_sigmoid": lambda xp, z: z / (1 + xp.exp(-((8 / math.pi) ** 0.5) * (z + 0.044715 * z * z * z))),
}
POINTS = np.array([0.4 + 0.6j, -0.7 + 0.2j, 1.2 - 0.9j, -0.3 - 1.1j])  # activations.jl:469


@pytest.mark.parametrize("name", ANALYTIC)
def test_complex_values(backend: Backend, name: str) -> None:  # activations.jl:471-473
    y = getattr(ops, name)(backend.asarray(POINTS))
    assert dtype_name(y) == "complex128"
    np.testing.assert_allclose(backend.to_numpy(y), ANALYTIC[name](np, POINTS), rtol=1e-13)
    assert dtype_name(getattr(ops, name)(backend.asarray(POINTS, dtype="complex64"))) == "complex64"


@pytest.mark.parametrize("name", ANALYTIC)
def test_complex_gradients(differentiating: Backend, name: str) -> None:  # activations.jl:477-478
    xp = differentiating.xp
    z = differentiating.asarray(POINTS)

    def square(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda z: xp.sum(xp.real(f(z)) ** 2 + xp.imag(f(z)) ** 2)

    got = luxport.vjp(square(getattr(ops, name)), z)[1](xp.ones((), dtype=xp.float64))[0]
    naive = luxport.vjp(square(functools.partial(ANALYTIC[name], xp)), z)[1](xp.ones((), dtype=xp.float64))[0]
    np.testing.assert_allclose(differentiating.to_numpy(got), differentiating.to_numpy(naive), rtol=1e-12)


@pytest.mark.parametrize(
    "name",
    [
        *("relu", "leakyrelu", "relu6", "elu", "selu", "celu", "hardsigmoid", "hardtanh", "hardswish", "trelu"),
        *("softshrink", "softsign", "gelu_erf", "erf"),
    ],
)
def test_complex_numbers_have_no_order(backend: Backend, name: str) -> None:  # activations.jl:492-498
    with pytest.raises(TypeError) as caught:
        getattr(ops, name)(backend.asarray(np.array([1.0 + 1.0j])))
    assert str(caught.value) == (
        f"{name} expects real numbers, got complex ones: apply it to their real and imaginary parts"
    )


# ---- rrelu, glu


def key_and_counter(backend: Backend) -> tuple[Any, Any]:
    return backend.asarray(np.array([3, 4], np.int32)), backend.asarray(np.array(5, np.int32))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rrelu(backend: Backend, dtype: str) -> None:
    x = backend.asarray(np.full((40, 25), -1.0), dtype=dtype)
    y = luxport.rrelu(x, *key_and_counter(backend))
    assert dtype_name(y) == dtype
    slopes = -backend.to_numpy(y)
    assert ((slopes >= 1 / 8) & (slopes <= 1 / 3 + 1e-7)).all()  # activations.jl:68
    # The mean of U(1/8, 1/3) is 11/48; that of 1000 draws strays by 0.0019.
    assert abs(slopes.mean() - 11 / 48) < 0.008
    assert len(np.unique(slopes)) > 990
    reference = luxport.rrelu(np.full((40, 25), -1.0, dtype), *key_and_counter(get_backend("numpy")))
    np.testing.assert_allclose(-slopes, reference, rtol=2 * EPS[dtype])


def test_rrelu_options_and_derivatives(differentiating: Backend) -> None:
    x = differentiating.asarray(np.array([-0.4, 0.0, 1.0]))
    key, counter = key_and_counter(differentiating)
    y = differentiating.to_numpy(luxport.rrelu(x, key, counter, lower=0.25, upper=0.5))
    assert -0.2 <= y[0] <= -0.1  # activations.jl:181
    assert y[1:].tolist() == [0.0, 1.0]  # activations.jl:12, 43
    slopes = luxport.grad(lambda x: differentiating.xp.sum(luxport.rrelu(x, key, counter, lower=0.25, upper=0.5)))(x)
    slopes = differentiating.to_numpy(slopes)
    np.testing.assert_allclose(slopes[0], y[0] / -0.4)
    assert 0.25 <= slopes[1] <= 0.5
    assert slopes[2] == 1.0


@pytest.mark.parametrize("axis", [-1, 0, 1, -2])
def test_glu(backend: Backend, axis: int) -> None:
    x = np.random.default_rng(1).normal(size=(4, 6, 2))
    first, second = np.split(x, 2, axis=axis)
    y = called(backend, luxport.glu, x, axis=axis)
    np.testing.assert_allclose(y, first / (1 + np.exp(-second)), rtol=1e-13)


def test_glu_derivatives(differentiating: Backend) -> None:
    x = np.random.default_rng(1).normal(size=(2, 6))
    first, second = derivatives(differentiating, luxport.glu, x)
    a, gate = x[:, :3], 1 / (1 + np.exp(-x[:, 3:]))
    rise = gate * (1 - gate)
    np.testing.assert_allclose(first, np.concatenate([gate, a * rise], axis=1), rtol=1e-12)
    # The gradient of the gradient's sum: rows of the Hessian added up.
    expected = np.concatenate([rise, rise + a * rise * (1 - 2 * gate)], axis=1)
    np.testing.assert_allclose(second, expected, rtol=1e-11, atol=1e-14)


def test_glu_wants_an_even_size(backend: Backend) -> None:
    x = backend.asarray(np.zeros((4, 3)))
    for axis, wanted in (
        (-1, "glu expects an even size along axis -1, got the shape (4, 3)"),
        (2, "glu expects axis as an axis of the array for the shape (4, 3), got 2"),
    ):
        with pytest.raises(ValueError) as caught:
            luxport.glu(x, axis=axis)
        assert str(caught.value) == wanted


# ---- Names, layers, transforms


def test_public_names() -> None:
    assert set(UNARY) | set(ALIASES) | {"Activation", "glu", "identity", "rrelu"} == set(activations.__all__)
    for name in activations.__all__:
        assert getattr(luxport, name) is getattr(ops, name) is getattr(activations, name)
    for alias, name in ALIASES.items():
        assert getattr(luxport, alias) is getattr(luxport, name)


def test_every_override_belongs_to_an_operation(backend: Backend) -> None:
    own = {name for name in UNARY if getattr(backend.ops, name, None) is not None}
    least = {"numpy": 5, "jax": len(UNARY), "torch": 18, "tf": 9, "strict": 0}
    assert len(own) >= least[backend.name]


@pytest.mark.parametrize("name", UNARY)
def test_shapes_without_values(name: str) -> None:
    y: Any = getattr(ops, name)(AbstractArray((2, 4)))
    assert (y.shape, y.dtype) == ((2, 4), np.float32)


def test_shape_of_glu_without_values() -> None:
    assert luxport.glu(AbstractArray((2, 4))).shape == (2, 2)


def test_parameters_are_keywords(backend: Backend) -> None:
    with pytest.raises(TypeError):
        luxport.leakyrelu(backend.asarray(np.zeros(2)), 0.2)  # type: ignore[misc]


def test_a_partial_is_an_activation_of_a_layer(backend: Backend) -> None:
    model = luxport.Dense(3, 2, functools.partial(luxport.leakyrelu, a=0.2))
    ps, st = luxport.setup(0, model, backend=backend, dtype="float64")
    x = np.random.default_rng(0).normal(size=(5, 3))
    y, _ = model(backend.asarray(x), ps, st)
    z = x @ backend.to_numpy(ps["weight"]) + backend.to_numpy(ps["bias"])
    np.testing.assert_allclose(backend.to_numpy(y), np.where(z > 0, z, 0.2 * z), rtol=1e-12)


def everything(names: list[str]) -> Callable[[Any], Any]:
    return lambda x: luxport.namespace(x).stack([getattr(ops, name)(x) for name in names])


def test_compiled_is_eager(differentiating: Backend) -> None:
    f = everything(UNARY)
    x = differentiating.asarray(np.linspace(-7.03, 7.1, 29))
    got, expected = compiled(differentiating, f)(x), f(x)
    np.testing.assert_allclose(
        differentiating.to_numpy(got), differentiating.to_numpy(expected), rtol=1e-12, atol=1e-14
    )


def test_compiled_derivatives_are_eager_ones(differentiating: Backend) -> None:
    # All that a backend has its own version of; JAX's are compiled anyway, and were above.
    own = [name for name in UNARY if hasattr(differentiating.ops, name) and differentiating.name != "jax"]
    first = luxport.grad(summed(everything([*own, "sigmoid", "logcosh", "softsign"])))
    x = differentiating.asarray(np.linspace(-7.03, 7.1, 29))

    def both(x: Any) -> Any:
        return first(x), luxport.grad(summed(first))(x)

    for got, expected in zip(compiled(differentiating, both)(x), both(x), strict=True):
        got, expected = differentiating.to_numpy(got), differentiating.to_numpy(expected)
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-11)


def test_torch_func() -> None:
    import torch

    x = torch.linspace(-7.03, 7.1, 29, dtype=torch.float64)
    for name in UNARY:
        f = getattr(ops, name)
        eager = derivatives(get_backend("torch"), f, x.numpy())
        first = torch.func.vmap(torch.func.grad(f))(x)
        second = torch.func.vmap(torch.func.grad(torch.func.grad(f)))(x)
        forward = torch.func.jvp(f, (x,), (torch.ones_like(x),))[1]
        np.testing.assert_allclose(first.numpy(), eager[0], rtol=1e-12, atol=1e-13, err_msg=name)
        np.testing.assert_allclose(second.numpy(), eager[1], rtol=1e-11, atol=1e-13, err_msg=name)
        np.testing.assert_allclose(forward.numpy(), eager[0], rtol=1e-12, atol=1e-13, err_msg=name)


def test_forward_mode_of_tensorflow() -> None:
    backend = get_backend("tf")
    x = backend.asarray(np.linspace(-7.03, 7.1, 29))
    for name in UNARY:
        f = getattr(ops, name)
        forward = luxport.jvp(f, (x,), (backend.xp.ones_like(x),))[1]
        reverse = luxport.grad(summed(f))(x)
        np.testing.assert_allclose(
            backend.to_numpy(forward), backend.to_numpy(reverse), rtol=1e-12, atol=1e-13, err_msg=name
        )


@pytest.mark.parametrize("lying", ["in a row", "apart"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["gelu_erf", "gelu_tanh", "lisht", "mish", "softsign", "swish"])
def test_gates_of_pytorch_far_out(name: str, dtype: str, lying: str) -> None:
    """One look decides for all numbers of an array: arrays of every size of numbers are tried, each by itself."""
    import torch

    op = getattr(ops, name)
    sizes = [1.0, 25.0, 35.0, 700.0, 1e3, 9e5, 2e6, 1e9, 1e19, 1e30, 1e38, math.inf]
    for size in sizes:
        x = torch.tensor([[-size, 0.5], [-0.5, size]], dtype=getattr(torch, dtype))
        x = x.mT if lying == "apart" else x
        found = []
        for f in (op, definition_of(op)):
            variable = x.clone(memory_format=torch.preserve_format).requires_grad_()
            y = f(variable)
            (slope,) = torch.autograd.grad(y.sum(), variable, create_graph=True)
            (second,) = torch.autograd.grad(slope.sum(), variable)
            found.append((y.detach(), slope.detach(), second if size < 1e7 else torch.zeros(())))
        torch.testing.assert_close(*found, rtol=2e-5, atol=2e-6)
