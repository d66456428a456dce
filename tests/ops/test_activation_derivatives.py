"""Derivatives of activations: finite everywhere, equal to the definition's, second, complex, and compiled ones."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from activation_calls import (
    ALPHA,
    LAMBDA,
    UNARY,
    VARIANTS,
    compute_derivatives,
    list_versions,
    make_large_values,
    sum_outputs,
)

import luxport
from luxport import ops
from luxport.backend import Backend, dtype_name, get_backend
from luxport.ops import definition_of
from luxport_conformance.compiling import compile_quickly


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("name", UNARY)
def test_gradients_are_finite(differentiating: Backend, name: str, dtype: str) -> None:
    x = np.concatenate([make_large_values(dtype), -make_large_values(dtype), [0.0, -0.0]])
    if name == "gelu_tanh" and differentiating.name == "torch":
        x = x[np.abs(x) <= 1e18]  # x**2 overflows in PyTorch's own gradient formula
    first, _ = compute_derivatives(differentiating, getattr(ops, name), x, dtype)
    assert np.isfinite(first).all(), dict(zip(x, first, strict=True))


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_derivatives_are_finite_differences_of_the_definition(
    differentiating: Backend, name: str, options: dict[str, Any]
) -> None:
    kinks = np.array([-6.0, -5.0, -3.0, -1.0, -0.5, -0.2, 0.0, 0.2, 0.5, 1.0, 3.0, 5.0, 6.0])
    x = np.array([v for v in np.linspace(-7.1, 7.3, 61) if np.abs(v - kinks).min() > 0.01])
    f = functools.partial(definition_of(getattr(ops, name)), **options)
    first, second = compute_derivatives(differentiating, getattr(ops, name), x, **options)
    h = 1e-4
    # Differences of fourth order for the first derivative and of second order for the second; tolerances are their
    # remainders, and roundings divided by h.
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
        # Not kinks, but places where two formulas meet: the derivatives are analytic.
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
    for version in list_versions(differentiating, name):
        first, _ = compute_derivatives(differentiating, version, x, **options)
        np.testing.assert_allclose(first, slope, rtol=4e-16)


# Analytic second derivatives at 0: sigmoid'' = 0, softplus'' = 1/4, logcosh'' = 1, swish'' = 1/2, …
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
def test_second_derivatives_where_formulas_meet_and_far_away(
    differentiating: Backend, name: str, options: dict[str, Any], x: list[float], second: float
) -> None:
    for version in list_versions(differentiating, name):
        _, got = compute_derivatives(differentiating, version, x, **options)
        np.testing.assert_allclose(got, np.full(len(x), second), rtol=1e-14, atol=1e-14)


ANALYTIC: dict[str, Callable[[Any, Any], Any]] = {
    "sigmoid": lambda xp, z: 1 / (1 + xp.exp(-z)),
    "swish": lambda xp, z: z / (1 + xp.exp(-z)),
    "softplus": lambda xp, z: xp.log(1 + xp.exp(z)),
    "logsigmoid": lambda xp, z: -xp.log(1 + xp.exp(-z)),
    "mish": lambda xp, z: z * xp.tanh(xp.log(1 + xp.exp(z))),
    "logcosh": lambda xp, z: xp.log(xp.cosh(z)),
    "tanh_fast": lambda xp, z: xp.tanh(z),
    "lisht": lambda xp, z: z * xp.tanh(z),
    "tanhshrink": lambda xp, z: z - xp.tanh(z),
    # Analytic as well, although NNlib does not list them.
    "gelu_tanh": lambda xp, z: z / 2 * (1 + xp.tanh((2 / math.pi) ** 0.5 * (z + 0.044715 * z * z * z))),
    "gelu_sigmoid": lambda xp, z: z / (1 + xp.exp(-((8 / math.pi) ** 0.5) * (z + 0.044715 * z * z * z))),
}
POINTS = np.array([0.4 + 0.6j, -0.7 + 0.2j, 1.2 - 0.9j, -0.3 - 1.1j])


@pytest.mark.parametrize("name", ANALYTIC)
def test_complex_values_equal_the_formulas(backend: Backend, name: str) -> None:
    y = getattr(ops, name)(backend.asarray(POINTS))
    assert dtype_name(y) == "complex128"
    np.testing.assert_allclose(backend.to_numpy(y), ANALYTIC[name](np, POINTS), rtol=1e-13)
    assert dtype_name(getattr(ops, name)(backend.asarray(POINTS, dtype="complex64"))) == "complex64"


@pytest.mark.parametrize("name", ANALYTIC)
def test_complex_gradients_equal_those_of_the_formulas(differentiating: Backend, name: str) -> None:
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
def test_complex_numbers_are_refused_where_an_order_is_needed(backend: Backend, name: str) -> None:
    with pytest.raises(TypeError) as caught:
        getattr(ops, name)(backend.asarray(np.array([1.0 + 1.0j])))
    assert str(caught.value) == (
        f"{name} expects real numbers, got complex ones: apply it to their real and imaginary parts"
    )


def test_derivatives_of_glu_are_analytic(differentiating: Backend) -> None:
    x = np.random.default_rng(1).normal(size=(2, 6))
    first, second = compute_derivatives(differentiating, luxport.glu, x)
    a, gate = x[:, :3], 1 / (1 + np.exp(-x[:, 3:]))
    rise = gate * (1 - gate)
    np.testing.assert_allclose(first, np.concatenate([gate, a * rise], axis=1), rtol=1e-12)
    # The gradient of the sum of the gradient: rows of the Hessian, added up.
    expected = np.concatenate([rise, rise + a * rise * (1 - 2 * gate)], axis=1)
    np.testing.assert_allclose(second, expected, rtol=1e-11, atol=1e-14)


def stack_all(names: list[str]) -> Callable[[Any], Any]:
    return lambda x: luxport.namespace(x).stack([getattr(ops, name)(x) for name in names])


def test_compiled_values_equal_eager_ones(differentiating: Backend) -> None:
    f = stack_all(UNARY)
    x = differentiating.asarray(np.linspace(-7.03, 7.1, 29))
    got, expected = compile_quickly(differentiating, f)(x), f(x)
    np.testing.assert_allclose(
        differentiating.to_numpy(got), differentiating.to_numpy(expected), rtol=1e-12, atol=1e-14
    )


def test_compiled_derivatives_equal_eager_ones(differentiating: Backend) -> None:
    # All activations that the backend overrides; JAX's were compiled above anyway.
    own = [name for name in UNARY if hasattr(differentiating.ops, name) and differentiating.name != "jax"]
    first = luxport.grad(sum_outputs(stack_all([*own, "sigmoid", "logcosh", "softsign"])))
    x = differentiating.asarray(np.linspace(-7.03, 7.1, 29))

    def both(x: Any) -> Any:
        return first(x), luxport.grad(sum_outputs(first))(x)

    for got, expected in zip(compile_quickly(differentiating, both)(x), both(x), strict=True):
        got, expected = differentiating.to_numpy(got), differentiating.to_numpy(expected)
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-11)


def test_derivatives_by_torch_func_equal_eager_ones() -> None:
    import torch

    x = torch.linspace(-7.03, 7.1, 29, dtype=torch.float64)
    for name in UNARY:
        f = getattr(ops, name)
        eager = compute_derivatives(get_backend("torch"), f, x.numpy())
        first = torch.func.vmap(torch.func.grad(f))(x)
        second = torch.func.vmap(torch.func.grad(torch.func.grad(f)))(x)
        forward = torch.func.jvp(f, (x,), (torch.ones_like(x),))[1]
        np.testing.assert_allclose(first.numpy(), eager[0], rtol=1e-12, atol=1e-13, err_msg=name)
        np.testing.assert_allclose(second.numpy(), eager[1], rtol=1e-11, atol=1e-13, err_msg=name)
        np.testing.assert_allclose(forward.numpy(), eager[0], rtol=1e-12, atol=1e-13, err_msg=name)


def test_forward_mode_of_tensorflow_equals_reverse_mode() -> None:
    backend = get_backend("tf")
    x = backend.asarray(np.linspace(-7.03, 7.1, 29))
    for name in UNARY:
        f = getattr(ops, name)
        forward = luxport.jvp(f, (x,), (backend.xp.ones_like(x),))[1]
        reverse = luxport.grad(sum_outputs(f))(x)
        np.testing.assert_allclose(
            backend.to_numpy(forward), backend.to_numpy(reverse), rtol=1e-12, atol=1e-13, err_msg=name
        )


@pytest.mark.parametrize("lying", ["in a row", "apart"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["gelu_erf", "gelu_tanh", "lisht", "mish", "softsign", "swish"])
def test_gates_of_pytorch_for_large_numbers(name: str, dtype: str, lying: str) -> None:
    """One test decides for all numbers of an array, so arrays of numbers of each size are tried separately."""
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
