"""Port Keras's normalization layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

import luxport
from luxport.backend import namespace
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.porting.keras.conventions import convert_momentum
from luxport.porting.keras.steps import Layout, Step, collect_arrays, copy_to_host, read_sizes
from luxport.random import Rng
from luxport.tree.static import Static

__all__ = ["port_batch_norm", "port_group_norm", "port_layer_norm", "port_rms_norm", "make_spectral_norm_port"]


def _count_axes(layer: Any) -> int:
    return len(layer.get_build_config()["input_shape"])


def _find_layout(layer: Any) -> Layout:
    """Return the layout that a norm needs to find the channels, which are along its axis."""
    rank = _count_axes(layer)
    axis = layer.axis % rank
    if axis not in (1, rank - 1):
        raise ValueError(f"it has axis={layer.axis} of {rank} axes, neither the first after the batch nor the last")
    return "keras" if axis == 1 else "first"


def _port_norm(layer: Any, make: Callable[[bool], Layer], shape: tuple[int, ...], st: Any, layout: Layout) -> Step:
    """Return a norm with its scale and bias; a missing scale is frozen at 1, a missing bias at 0."""
    ps = collect_arrays(layer, scale="gamma", bias="beta")
    if not ps:
        return Step(make(False), {}, st, layout)
    missing = [name for name in ("scale", "bias") if name not in ps]
    dtype = next(iter(ps.values())).dtype
    complete = {"scale": np.ones(shape, dtype), "bias": np.zeros(shape, dtype)} | ps
    if not missing:
        return Step(make(True), complete, st, layout)
    frozen, ps, st = luxport.freeze(make(True), complete, st, missing)
    return Step(frozen, ps, st, layout)


def port_batch_norm(layer: Any) -> Step:
    """Return a BatchNormalization."""
    statistics = collect_arrays(layer, running_mean="moving_mean", running_var="moving_variance")
    (channels,) = statistics["running_mean"].shape

    def make(affine: bool) -> Layer:
        return luxport.BatchNorm(
            channels, affine=affine, epsilon=float(layer.epsilon), momentum=convert_momentum(layer.momentum)
        )

    return _port_norm(layer, make, (channels,), statistics | {"training": Static(False)}, _find_layout(layer))


def port_group_norm(layer: Any) -> Step:
    """Return a GroupNormalization."""
    channels = layer.get_build_config()["input_shape"][layer.axis]

    def make(affine: bool) -> Layer:
        return luxport.GroupNorm(channels, layer.groups, affine=affine, epsilon=float(layer.epsilon))

    return _port_norm(layer, make, (channels,), {}, _find_layout(layer))


def _find_trailing(layer: Any) -> tuple[int, ...]:
    """Return the sizes of the axes over which a norm normalizes, which must be the last ones."""
    shape = layer.get_build_config()["input_shape"]
    axes = sorted(axis % len(shape) for axis in read_sizes(layer.axis))
    if axes != list(range(len(shape) - len(axes), len(shape))):
        raise ValueError(f"it has axis={layer.axis}, which are not the last axes")
    return tuple(shape[-len(axes) :])


def port_layer_norm(layer: Any) -> Step:
    """Return a LayerNormalization."""
    if layer.rms_scaling:
        raise ValueError("it has rms_scaling=True")
    shape = _find_trailing(layer)

    def make(affine: bool) -> Layer:
        return luxport.LayerNorm(shape, affine=affine, epsilon=float(layer.epsilon))

    return _port_norm(layer, make, shape, {}, "keras")


def port_rms_norm(layer: Any) -> Step:
    """Return an RMSNormalization."""
    shape = _find_trailing(layer)
    return Step(
        luxport.RMSNorm(shape, epsilon=float(layer.epsilon)), collect_arrays(layer, scale="scale"), layout="keras"
    )


class SpectralNormalization(luxport.SpectralNorm):
    """A `SpectralNorm` that uses its weights unchanged until it is trained, as Keras's does.

    Keras replaces the kernel by the normalized one in each training call, and uses it unchanged in test mode. Here the
    normalized weights are multiplied in test mode by `size` in the state, which is the spectral norm of the kernel at
    first, and 1 after a training call.
    """

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Return those of the norm, and a size of 1."""
        return super().initial_states(rng) | {"size": np.ones((), np.float32)}

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Normalize the weights, and call the layer with them."""
        size, norm = st["size"], {name: st[name] for name in ("layer", "u", "training")}
        if st["training"]:
            y, norm = super().__call__(x, ps, norm)
            return y, {**norm, "size": namespace(size).ones_like(size)}
        weights, _ = self._divide(ps, st["u"], 0)
        weights = {name: weight * namespace(size).astype(size, weight.dtype) for name, weight in weights.items()}
        y, inner = self.layer(x, {**ps, **weights}, st["layer"])
        return y, {**norm, "layer": inner, "size": size}


def make_spectral_norm_port(port: Callable[[Any], list[Step]]) -> Callable[[Any], list[Step]]:
    """Return a function that ports a SpectralNormalization, whose inner layer `port` converts."""

    def port_norm(layer: Any) -> list[Step]:
        if type(layer.layer).__name__.startswith(("Depthwise", "Separable")):
            raise ValueError(f"the weight of a {type(layer.layer).__name__} has no axis of output channels")
        first, *others = port(layer.layer)
        weight, u = first.ps["weight"], copy_to_host(layer.vector_u)[0]
        axis = 0 if weight.ndim > 2 else -1
        rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1).astype(np.float64)
        size = np.linalg.norm(rows.T @ u) / (np.linalg.norm(u) or 1.0)
        made = SpectralNormalization(first.layer, axes=axis, iterations=layer.power_iterations)
        st = {"layer": first.st, "u": {"weight": u}, "size": np.asarray(size or 1.0, u.dtype)}
        return [replace(first, layer=made, st=st | {"training": Static(False)}), *others]

    return port_norm
