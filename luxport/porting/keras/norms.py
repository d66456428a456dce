"""Keras's layers that normalize."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

import luxport
from luxport.backend import namespace
from luxport.core.anatomy import Parameters, States
from luxport.core.layer import Layer
from luxport.porting.keras.conventions import convert_momentum
from luxport.porting.keras.steps import Needs, Step, collect_arrays, copy_to_host, read_sizes
from luxport.random import Rng
from luxport.tree.static import Static

__all__ = ["batch_norm", "group_norm", "layer_norm", "rms_norm", "spectral"]


def _rank(layer: Any) -> int:
    return len(layer.get_build_config()["input_shape"])


def _find_channels(layer: Any) -> Needs:
    """Say where a norm expects the channels, which are along its axis."""
    rank = _rank(layer)
    axis = layer.axis % rank
    if axis not in (1, rank - 1):
        raise ValueError(f"axis={layer.axis} of {rank}")
    return "keras" if axis == 1 else "first"


def _norm(layer: Any, make: Callable[[bool], Layer], shape: tuple[int, ...], st: Any, needs: Needs) -> Step:
    """Return a norm with its scale and shift; one that it has not is frozen at what changes nothing."""
    ps = collect_arrays(layer, scale="gamma", bias="beta")
    if not ps:
        return Step(make(False), {}, st, needs)
    missing = [name for name in ("scale", "bias") if name not in ps]
    dtype = next(iter(ps.values())).dtype
    whole = {"scale": np.ones(shape, dtype), "bias": np.zeros(shape, dtype)} | ps
    if not missing:
        return Step(make(True), whole, st, needs)
    frozen, ps, st = luxport.freeze(make(True), whole, st, missing)
    return Step(frozen, ps, st, needs)


def batch_norm(layer: Any) -> Step:
    """Return a BatchNormalization."""
    statistics = collect_arrays(layer, running_mean="moving_mean", running_var="moving_variance")
    (channels,) = statistics["running_mean"].shape

    def make(affine: bool) -> Layer:
        return luxport.BatchNorm(
            channels, affine=affine, epsilon=float(layer.epsilon), momentum=convert_momentum(layer.momentum)
        )

    return _norm(layer, make, (channels,), statistics | {"training": Static(False)}, _find_channels(layer))


def group_norm(layer: Any) -> Step:
    """Return a GroupNormalization."""
    channels = layer.get_build_config()["input_shape"][layer.axis]

    def make(affine: bool) -> Layer:
        return luxport.GroupNorm(channels, layer.groups, affine=affine, epsilon=float(layer.epsilon))

    return _norm(layer, make, (channels,), {}, _find_channels(layer))


def _find_trailing(layer: Any) -> tuple[int, ...]:
    """Return the sizes of the last axes, over which a norm goes."""
    shape = layer.get_build_config()["input_shape"]
    axes = sorted(axis % len(shape) for axis in read_sizes(layer.axis))
    if axes != list(range(len(shape) - len(axes), len(shape))):
        raise ValueError(f"axis={layer.axis}, which are not the last ones")
    return tuple(shape[-len(axes) :])


def layer_norm(layer: Any) -> Step:
    """Return a LayerNormalization."""
    if layer.rms_scaling:
        raise ValueError("rms_scaling=True")
    shape = _find_trailing(layer)

    def make(affine: bool) -> Layer:
        return luxport.LayerNorm(shape, affine=affine, epsilon=float(layer.epsilon))

    return _norm(layer, make, shape, {}, "keras")


def rms_norm(layer: Any) -> Step:
    """Return an RMSNormalization."""
    shape = _find_trailing(layer)
    return Step(
        luxport.RMSNorm(shape, epsilon=float(layer.epsilon)), collect_arrays(layer, scale="scale"), needs="keras"
    )


class SpectralNormalization(luxport.SpectralNorm):
    """A `SpectralNorm` that keeps its weights until it is trained.

    Keras overwrites the kernel with the normalized one at each call in training, and leaves it as it is in testing: at
    first weights are multiplied by what they would be divided by, the `size` in the state, which training makes 1.
    """

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Make those of the norm, and a size of 1."""
        return super().initial_states(rng) | {"size": np.ones((), np.float32)}

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Divide the weights and call the layer with them."""
        size, norm = st["size"], {name: st[name] for name in ("layer", "u", "training")}
        if st["training"]:
            y, norm = super().__call__(x, ps, norm)
            return y, {**norm, "size": namespace(size).ones_like(size)}
        weights, _ = self._divide(ps, st["u"], 0)
        weights = {name: weight * namespace(size).astype(size, weight.dtype) for name, weight in weights.items()}
        y, inner = self.layer(x, {**ps, **weights}, st["layer"])
        return y, {**norm, "layer": inner, "size": size}


def spectral(port: Callable[[Any], list[Step]]) -> Callable[[Any], list[Step]]:
    """Return what makes a SpectralNormalization around a layer."""

    def make(layer: Any) -> list[Step]:
        if type(layer.layer).__name__.startswith(("Depthwise", "Separable")):
            raise ValueError(f"{type(layer.layer).__name__} has no axis of outputs")
        first, *others = port(layer.layer)
        weight, u = first.ps["weight"], copy_to_host(layer.vector_u)[0]
        axis = 0 if weight.ndim > 2 else -1
        rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1).astype(np.float64)
        size = np.linalg.norm(rows.T @ u) / (np.linalg.norm(u) or 1.0)
        made = SpectralNormalization(first.layer, axes=axis, iterations=layer.power_iterations)
        st = {"layer": first.st, "u": {"weight": u}, "size": np.asarray(size or 1.0, u.dtype)}
        return [replace(first, layer=made, st=st | {"training": Static(False)}), *others]

    return make
