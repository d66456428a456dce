"""Calls and derivatives of every activation and its options, on a backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import ops
from luxport.backend import Backend, dtype_name
from luxport.ops import definition_of
from luxport_conformance.backends import BACKENDS as EVERY_BACKEND
from luxport_conformance.backends import find_abilities

BACKENDS = [name for name in EVERY_BACKEND if "float64" in find_abilities(name).dtypes]
DIFFERENTIATING = [name for name in BACKENDS if find_abilities(name).gradients]
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


def call(backend: Backend, f: Callable[..., Any], x: Any, dtype: str = "float64", **options: Any) -> np.ndarray:
    """Apply f to values as an array of the backend, and check that the dtype is kept."""
    y = f(backend.asarray(np.asarray(x, np.float64), dtype=dtype), **options)
    assert dtype_name(y) == dtype
    return backend.to_numpy(y)


def list_versions(backend: Backend, name: str) -> list[Callable[..., Any]]:
    """Return the programs of an operation: the backend's own, and the definition if that is another one."""
    own, definition = getattr(backend.ops, name, None), definition_of(getattr(ops, name))
    return (
        [definition] if own is None else [own] if getattr(own, "__wrapped__", None) is definition else [own, definition]
    )


def sum_outputs(f: Callable[..., Any], **options: Any) -> Callable[[Any], Any]:
    def total(x: Any) -> Any:
        return luxport.namespace(x).sum(f(x, **options))

    return total


def compute_derivatives(backend: Backend, f: Callable[..., Any], x: Any, dtype: str = "float64", **options: Any) -> Any:
    """Return the first and the second derivative of an elementwise function."""
    first = luxport.grad(sum_outputs(f, **options))

    def both(x: Any) -> Any:
        return first(x), luxport.grad(sum_outputs(first))(x)

    # JAX compiles every step of an eager gradient: as one program it takes a third of the time.
    run = luxport.jit(both) if backend.name == "jax" else both
    slope, curvature = run(backend.asarray(np.asarray(x, np.float64), dtype=dtype))
    assert dtype_name(slope) == dtype_name(curvature) == dtype
    return backend.to_numpy(slope).astype(np.float64), backend.to_numpy(curvature).astype(np.float64)


LAMBDA, ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def make_large_values(dtype: str) -> np.ndarray:
    # Half of the largest number, since JAX's derivative of tanh doubles the cotangent.
    largest = {"float16": 3e4, "float32": 1.5e38, "float64": 8e307, "bfloat16": 1.5e38}[dtype]
    points = [x for x in (1e-30, 1.0, 20.0, 100.0, 800.0, 1e4, 1e18, 1e30, 1e160) if x <= largest]
    return np.array([*points, largest])


GRID = np.concatenate([np.linspace(-9, 9, 73) + 0.01, [-88.0, -30.0, 30.0, 88.0]])
EPS = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
