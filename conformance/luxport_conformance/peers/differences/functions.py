"""Differences of activation functions and of the distributions of initializers."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

import luxport
from luxport import ops
from luxport_conformance.peers.differences.difference import Difference, Shown
from luxport_conformance.peers.differences.layers import X

__all__ = ["FUNCTIONS"]


def _show_softmax(torch: Any) -> Shown:
    x = np.array([1.0, np.inf, np.inf], np.float32)
    return Shown(ops.softmax(x), torch.softmax(torch.tensor(x), -1))


def _show_infinity(jax: Any) -> Shown:
    x = np.array([-np.inf], np.float32)
    return Shown(ops.swish(x), jax.nn.silu(x))


def _show_gelu(jax: Any) -> Shown:
    return Shown(ops.gelu_erf(X), jax.nn.gelu(X), {"x": X})


def _show_fast_gelu(nn: Any) -> Shown:
    there = nn.gelu_fast_approx(import_module("mlx.core").array(X))
    return Shown(ops.gelu_sigmoid(X), there, {"x": X})


def _show_few_digits(nn: Any) -> Shown:
    # The constants differ in digits that float32 hardly shows, so the errors are compared, multiplied by a million.
    there = np.asarray(nn.selu(import_module("mlx.core").array(X)))
    exact = ops.selu(X.astype(np.float64))
    return Shown(1e6 * (ops.selu(X) - exact), 1e6 * (there - exact))


def _show_cut(jax: Any) -> Shown:
    shape = (300, 400)
    drawn = (
        luxport.initializers.glorot_normal(luxport.rng(3), shape),
        jax.nn.initializers.glorot_normal()(jax.random.key(3), shape),
    )
    return Shown(*[np.abs(one).max() / np.std(one) for one in drawn])


FUNCTIONS: tuple[Difference, ...] = (
    Difference("infinity in softmax", "torch", "softmax", _show_softmax),
    Difference("formula at infinity", "jax", "swish", _show_infinity),
    Difference("gelu by tanh", "jax", "gelu_erf", _show_gelu, "ops.gelu_tanh(x)"),
    Difference("gelu by another sigmoid", "mlx.nn", "gelu_sigmoid", _show_fast_gelu, "x * ops.sigmoid(1.702 * x)"),
    Difference("constants of few digits", "mlx.nn", "selu", _show_few_digits),
    Difference("normal draws cut", "jax", "glorot_normal", _show_cut),
)
