"""Port Keras's EinsumDense, Normalization, UnitNormalization, PReLU and TimeDistributed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport.backend import Array, namespace
from luxport.core.containers import WrapperLayer
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.initializers import glorot_uniform, zeros
from luxport.porting.keras import functions
from luxport.porting.keras.steps import Step, collect_arrays, copy_to_host, make_function_step, read_sizes
from luxport.porting.torch.functions.einsum import einsum
from luxport.random import Rng

__all__ = [
    "make_time_distributed_port",
    "port_einsum_dense",
    "port_normalization",
    "port_prelu",
    "port_unit_normalization",
]


class EinsumDense(Layer):
    """Keras's EinsumDense: ``activation(einsum(equation, x, weight) + bias)``.

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
        """Compute the einsum, add the bias, and apply the activation."""
        y = einsum(self.equation, x, ps["weight"])
        return self.activation(y + ps["bias"] if self.bias_shape is not None else y), st


class EachStep(WrapperLayer):
    """Applies a layer to each step of a sequence (N, T, ...), as Keras's TimeDistributed does."""

    layer: Layer

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Call the layer once, with all steps of all sequences as its batch."""
        xp = namespace(x)
        n, t, *rest = x.shape
        y, st = self.layer(xp.reshape(x, (n * t, *rest)), ps, st)
        return namespace(y).reshape(y, (n, t, *y.shape[1:])), st


class Standardized(Layer):
    """Keras's Normalization: ``(x - mean) / max(sqrt(var), 1e-7)`` with fixed statistics; the inverse if `invert`."""

    shape: tuple[int, ...]
    invert: bool = False

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Return a mean of 0 and a variance of 1."""
        return {"mean": np.zeros(self.shape, np.float32), "var": np.ones(self.shape, np.float32)}

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Normalize, or undo the normalization."""
        xp = namespace(x)
        size = xp.sqrt(st["var"])
        size = xp.maximum(size, xp.full_like(size, 1e-7))
        return (x * size + st["mean"] if self.invert else (x - st["mean"]) / size), st


def port_einsum_dense(layer: Any) -> Step:
    """Return an EinsumDense."""
    ps = collect_arrays(layer, weight="kernel", bias="bias")
    bias = ps["bias"].shape if "bias" in ps else None
    made = EinsumDense(layer.equation, ps["weight"].shape, bias, functions.find_activation(layer.activation))
    return Step(made, ps, layout="keras")


def port_prelu(layer: Any) -> Step:
    """Return a PReLU, whose weight has the shape of a sample."""
    weight = copy_to_host(layer.alpha)
    return Step(luxport.PReLU(tuple(weight.shape)), {"weight": weight}, layout="keras")


def port_normalization(layer: Any) -> Step:
    """Return a Normalization, whose statistics are part of the state."""
    mean, variance = copy_to_host(layer.mean), copy_to_host(layer.variance)
    return Step(
        Standardized(tuple(mean.shape), bool(layer.invert)), {}, {"mean": mean, "var": variance}, layout="keras"
    )


def port_unit_normalization(layer: Any) -> Step:
    """Return a UnitNormalization."""
    return make_function_step(_normalize_length, "keras", axes=read_sizes(layer.axis))


def _normalize_length(x: Array, axes: tuple[int, ...]) -> Array:
    xp = namespace(x)
    total = xp.sum(x * x, axis=axes, keepdims=True)
    return x / xp.sqrt(xp.maximum(total, xp.full_like(total, 1e-12)))


def make_time_distributed_port(port: Callable[[Any, str], Any]) -> Callable[[Any], Step]:
    """Return a function that ports a TimeDistributed, whose inner layer `port` converts."""

    def port_each_step(layer: Any) -> Step:
        inner, ps, st = port(layer.layer, layer.name)
        return Step(EachStep(inner), ps, st, layout="keras")

    return port_each_step
