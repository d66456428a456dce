"""Keras's layers that luxport has as functions, or under another name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport.backend import Array, namespace
from luxport.core.anatomy import Parameters, States
from luxport.core.containers import WrapperLayer
from luxport.core.layer import Layer
from luxport.initializers import glorot_uniform, zeros
from luxport.porting.keras import functions
from luxport.porting.keras.steps import Step, collect_arrays, copy_to_host, make_function_step, read_sizes
from luxport.porting.torch.functions.einsum import einsum
from luxport.random import Rng

__all__ = ["einsum_dense", "normalization", "prelu", "time_distributed", "unit_normalization"]


class EinsumDense(Layer):
    """``activation(einsum(equation, x, weight) + bias)``: Keras's layer of this name.

    Shapes: as the equation says
    Params: weight (*shape); bias (*bias_shape), absent if that is None
    """

    equation: str
    shape: tuple[int, ...]
    bias_shape: tuple[int, ...] | None = None
    activation: Callable[..., Any] = luxport.identity

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the weight, then the bias."""
        weight = {"weight": glorot_uniform(rng, self.shape)}
        return weight if self.bias_shape is None else weight | {"bias": zeros(rng, self.bias_shape)}

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Sum products."""
        y = einsum(self.equation, x, ps["weight"])
        return self.activation(y + ps["bias"] if self.bias_shape is not None else y), st


class EachStep(WrapperLayer):
    """A layer on each step of a sequence (N, T, ...), all of which are a batch for it."""

    layer: Layer

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Make one axis of batch and time, and two again."""
        xp = namespace(x)
        n, t, *rest = x.shape
        y, st = self.layer(xp.reshape(x, (n * t, *rest)), ps, st)
        return namespace(y).reshape(y, (n, t, *y.shape[1:])), st


class Standardized(Layer):
    """``(x - mean) / max(sqrt(var), epsilon)``, or the other way round if `invert`: statistics are in the state."""

    shape: tuple[int, ...]
    invert: bool = False

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Start from mean 0 and variance 1."""
        return {"mean": np.zeros(self.shape, np.float32), "var": np.ones(self.shape, np.float32)}

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Normalize."""
        xp = namespace(x)
        size = xp.sqrt(st["var"])
        size = xp.maximum(size, xp.full_like(size, 1e-7))
        return (x * size + st["mean"] if self.invert else (x - st["mean"]) / size), st


def einsum_dense(layer: Any) -> Step:
    """Return an EinsumDense."""
    ps = collect_arrays(layer, weight="kernel", bias="bias")
    bias = ps["bias"].shape if "bias" in ps else None
    made = EinsumDense(layer.equation, ps["weight"].shape, bias, functions.activation(layer.activation))
    return Step(made, ps, needs="keras")


def prelu(layer: Any) -> Step:
    """Return a PReLU, whose weights spread over the last axes."""
    weight = copy_to_host(layer.alpha)
    return Step(luxport.PReLU(tuple(weight.shape)), {"weight": weight}, needs="keras")


def normalization(layer: Any) -> Step:
    """Return a Normalization, whose statistics are constants."""
    mean, variance = copy_to_host(layer.mean), copy_to_host(layer.variance)
    return Step(Standardized(tuple(mean.shape), bool(layer.invert)), {}, {"mean": mean, "var": variance}, needs="keras")


def unit_normalization(layer: Any) -> Step:
    """Return a UnitNormalization."""
    return make_function_step(_unit, "keras", axes=read_sizes(layer.axis))


def _unit(x: Array, axes: tuple[int, ...]) -> Array:
    xp = namespace(x)
    total = xp.sum(x * x, axis=axes, keepdims=True)
    return x / xp.sqrt(xp.maximum(total, xp.full_like(total, 1e-12)))


def time_distributed(port: Callable[[Any, str], Any]) -> Callable[[Any], Step]:
    """Return what makes a TimeDistributed around a layer."""

    def make(layer: Any) -> Step:
        inner, ps, st = port(layer.layer, layer.name)
        return Step(EachStep(inner), ps, st, needs="keras")

    return make
