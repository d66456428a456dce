"""Activation functions on every backend: values, dtypes, options, and overrides compared with definitions.

The numbers that NNlib's tests expect are cases of the conformance suite.
"""

from __future__ import annotations

import functools
import math
import warnings
from typing import Any

import numpy as np
import pytest
from activation_calls import (
    ALIASES,
    ALPHA,
    BACKENDS,
    EPS,
    GRID,
    LAMBDA,
    UNARY,
    VARIANTS,
    call,
    list_versions,
    make_large_values,
)

import luxport
from luxport import ops
from luxport.backend import Backend, dtype_name, get_backend
from luxport.core.abstract_arrays import AbstractArray
from luxport.ops import activations, definition_of
from luxport_conformance.backends import find_abilities


# Expected values are limits of the formulas.
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
def test_values_at_infinities_are_limits(backend: Backend, name: str, left: float, right: float) -> None:
    y = call(backend, getattr(ops, name), [-math.inf, math.inf])
    np.testing.assert_allclose(y, [left, right], rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(("name", "options"), [v for v in VARIANTS if v != ("leakyrelu", {"a": 1.5})])
def test_numpy_gives_no_warning(name: str, options: dict[str, Any], dtype: str) -> None:
    x = np.concatenate([make_large_values(dtype), -make_large_values(dtype), [np.inf, -np.inf, np.nan]]).astype(dtype)
    with warnings.catch_warnings(), np.errstate(over="warn", invalid="warn", divide="warn"):
        warnings.simplefilter("error")
        y = getattr(ops, name)(x, **options)
        definition_of(getattr(ops, name))(x, **options)
    assert np.isfinite(y[: 2 * len(make_large_values(dtype))]).all()


# Half types run on backends that have them; options are tried only in float64.
@pytest.mark.parametrize(
    ("backend", "dtype", "name", "options"),
    [
        (backend, dtype, name, options)
        for backend in BACKENDS
        for dtype in find_abilities(backend).dtypes
        for name, options in VARIANTS
        if not options or dtype == "float64"
    ],
    indirect=["backend"],
)
def test_values_equal_the_definition(backend: Backend, name: str, options: dict[str, Any], dtype: str) -> None:
    x = backend.asarray(GRID, dtype=dtype)
    wide = backend.to_numpy(x).astype(np.float64)
    expected = definition_of(getattr(ops, name))(wide, **options)
    for version in list_versions(backend, name):
        y = version(x, **options)
        assert dtype_name(y) == dtype
        # A few roundings, each of a number no larger than x or a result.
        error = np.abs(backend.to_numpy(y).astype(np.float64) - expected)
        np.testing.assert_array_less(
            error, 6 * EPS[dtype] * np.maximum(1.0, np.maximum(np.abs(wide), np.abs(expected)))
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [*UNARY, "erf"])
def test_values_at_the_edges_equal_the_definition(backend: Backend, name: str, dtype: str) -> None:
    x = np.array([0.0, 0.5, 1.0, 3.0, 6.0, 1e4, 1e30, 1e30 if dtype == "float32" else 1e160, np.inf])
    x = np.append(np.concatenate([x, -x]), np.nan)
    with np.errstate(invalid="ignore"):
        expected = definition_of(getattr(ops, name))(x)
        y = call(backend, getattr(ops, name), x, dtype)
    # gelu_erf at -3 multiplies a rounding error of its gate by 3.
    np.testing.assert_allclose(y, expected, rtol=4 * EPS[dtype], atol=6 * EPS[dtype])


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "logsigmoid", "elu", "selu", "celu", "tanh", "erf"])
def test_small_results_keep_their_digits(backend: Backend, name: str) -> None:
    x = np.array([-60.0, -20.0, -3.0, -1e-3, -1e-10, 1e-10, 1e-3, 3.0, 20.0, 60.0])
    expm1 = [math.expm1(v) if v < 0 else v for v in x]
    by_hand = {  # the same functions by Python's math
        "sigmoid": [1.0 / (1.0 + math.exp(-v)) for v in x],
        "softplus": [math.log1p(math.exp(v)) if v < 0 else v + math.log1p(math.exp(-v)) for v in x],
        "logsigmoid": [v - math.log1p(math.exp(v)) if v < 0 else -math.log1p(math.exp(-v)) for v in x],
        "elu": expm1,
        "celu": expm1,
        "selu": [LAMBDA * (ALPHA if v < 0 else 1.0) * e for v, e in zip(x, expm1, strict=True)],
        "tanh": [math.tanh(v) for v in x],
        "erf": [math.erf(v) for v in x],
    }
    # TensorFlow's elu is exp(x) - 1, as in NNlib, with an absolute error. 2e-13 is the error of XLA's tanh in float64.
    atol = EPS["float64"] if (backend.name, name) == ("tf", "elu") else 0.0
    np.testing.assert_allclose(call(backend, getattr(ops, name), x), by_hand[name], rtol=2e-13, atol=atol)


@pytest.mark.parametrize(("dtype", "ulps"), [("float32", 5), ("float64", 5)])
def test_the_definition_of_erf_is_precise(dtype: str, ulps: int) -> None:
    x = np.concatenate([np.linspace(-7, 7, 20_001), np.logspace(-30, 0, 1000), [np.inf, -np.inf]]).astype(dtype)
    expected = np.array([math.erf(v) for v in x])
    error = np.abs(definition_of(ops.erf)(x).astype(np.float64) - expected)
    spacing = np.spacing(np.abs(expected).astype(dtype)).astype(np.float64)
    assert (error <= ulps * spacing).all()
    assert np.isnan(definition_of(ops.erf)(np.array(np.nan, dtype)))


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("dtype", ["int32", "int8"])
def test_integers_are_kept_or_promoted(backend: Backend, name: str, dtype: str) -> None:
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


def make_key(backend: Backend) -> tuple[Any, Any]:
    return backend.asarray(np.array([3, 4], np.int32)), backend.asarray(np.array(5, np.int32))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rrelu_draws_slopes_in_its_range(backend: Backend, dtype: str) -> None:
    x = backend.asarray(np.full((40, 25), -1.0), dtype=dtype)
    y = luxport.rrelu(x, *make_key(backend))
    assert dtype_name(y) == dtype
    slopes = -backend.to_numpy(y)
    assert ((slopes >= 1 / 8) & (slopes <= 1 / 3 + 1e-7)).all()
    # The mean of U(1/8, 1/3) is 11/48, and the standard error of 1000 draws is 0.0019.
    assert abs(slopes.mean() - 11 / 48) < 0.008
    assert len(np.unique(slopes)) > 990
    reference = luxport.rrelu(np.full((40, 25), -1.0, dtype), *make_key(get_backend("numpy")))
    np.testing.assert_allclose(-slopes, reference, rtol=2 * EPS[dtype])


def test_rrelu_has_options_and_derivatives(differentiating: Backend) -> None:
    x = differentiating.asarray(np.array([-0.4, 0.0, 1.0]))
    key, counter = make_key(differentiating)
    y = differentiating.to_numpy(luxport.rrelu(x, key, counter, lower=0.25, upper=0.5))
    assert -0.2 <= y[0] <= -0.1
    assert y[1:].tolist() == [0.0, 1.0]
    slopes = luxport.grad(lambda x: differentiating.xp.sum(luxport.rrelu(x, key, counter, lower=0.25, upper=0.5)))(x)
    slopes = differentiating.to_numpy(slopes)
    np.testing.assert_allclose(slopes[0], y[0] / -0.4)
    assert 0.25 <= slopes[1] <= 0.5
    assert slopes[2] == 1.0


@pytest.mark.parametrize("axis", [-1, 0, 1, -2])
def test_glu_is_its_formula(backend: Backend, axis: int) -> None:
    x = np.random.default_rng(1).normal(size=(4, 6, 2))
    first, second = np.split(x, 2, axis=axis)
    y = call(backend, luxport.glu, x, axis=axis)
    np.testing.assert_allclose(y, first / (1 + np.exp(-second)), rtol=1e-13)


def test_glu_needs_an_even_size(backend: Backend) -> None:
    x = backend.asarray(np.zeros((4, 3)))
    for axis, wanted in (
        (-1, "glu expects an even size along axis -1, got the shape (4, 3)"),
        (2, "glu expects axis as an axis of the array for the shape (4, 3), got 2"),
    ):
        with pytest.raises(ValueError) as caught:
            luxport.glu(x, axis=axis)
        assert str(caught.value) == wanted


def test_public_names_are_complete() -> None:
    assert set(UNARY) | set(ALIASES) | {"Activation", "glu", "identity", "rrelu"} == set(activations.__all__)
    for name in activations.__all__:
        assert getattr(luxport, name) is getattr(ops, name) is getattr(activations, name)
    for alias, name in ALIASES.items():
        assert getattr(luxport, alias) is getattr(luxport, name)


def test_backends_override_activations(backend: Backend) -> None:
    own = {name for name in UNARY if getattr(backend.ops, name, None) is not None}
    least = {"numpy": 5, "jax": len(UNARY), "torch": 18, "tf": 9, "strict": 0}
    assert len(own) >= least[backend.name]


@pytest.mark.parametrize("name", UNARY)
def test_shapes_are_computed_without_values(name: str) -> None:
    y: Any = getattr(ops, name)(AbstractArray((2, 4)))
    assert (y.shape, y.dtype) == ((2, 4), np.float32)


def test_the_shape_of_glu_is_computed_without_values() -> None:
    assert luxport.glu(AbstractArray((2, 4))).shape == (2, 2)


def test_options_are_keywords(backend: Backend) -> None:
    with pytest.raises(TypeError):
        luxport.leakyrelu(backend.asarray(np.zeros(2)), 0.2)  # type: ignore[misc]


def test_a_partial_may_be_the_activation_of_a_layer(backend: Backend) -> None:
    model = luxport.Dense(3, 2, functools.partial(luxport.leakyrelu, a=0.2))
    ps, st = luxport.setup(0, model, backend=backend, dtype="float64")
    x = np.random.default_rng(0).normal(size=(5, 3))
    y, _ = model(backend.asarray(x), ps, st)
    z = x @ backend.to_numpy(ps["weight"]) + backend.to_numpy(ps["bias"])
    np.testing.assert_allclose(backend.to_numpy(y), np.where(z > 0, z, 0.2 * z), rtol=1e-12)
