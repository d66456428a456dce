"""Layers with reparameterized weights: `WeightNorm` and `SpectralNorm`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY
from typing import Any, ClassVar, cast

import numpy as np

from luxport import ops
from luxport.call_arguments import explain_call_errors
from luxport.core.abstract_arrays import AbstractArray
from luxport.core.containers import WrapperLayer
from luxport.core.initial_values import describe_values, initial_parameters
from luxport.core.input_checks import check_sizes
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.core.surgery import layer_map
from luxport.core.wrong_entries import check_groups
from luxport.errors import LayerError
from luxport.layers._bilinear import Bilinear
from luxport.layers._conv_transpose import ConvTranspose
from luxport.layers._freezing import FrozenLayer
from luxport.layers._tying import Tied
from luxport.ops._reparameterize import MOST_ITERATIONS
from luxport.random import Rng
from luxport.random.reproducible_sums import sum_rows
from luxport.text import show
from luxport.tree.static import Static

__all__ = ["SpectralNorm", "WeightNorm", "remove_spectral_norm", "remove_weight_norm"]


class WeightNorm(Layer):
    """A layer whose weights are computed from a direction v and a size g: ``w = g v / norm(v)``.

    There is a size for each position along one axis, and the norm is taken along all others. By default that axis is
    the one of the outputs: the last of a matrix (in, out) and of the weight of a `Bilinear`, the first of a weight
    (out, in, *kernel), the second of the weight of a `ConvTranspose`.

    Args:
        layer: a layer
        which: the name of the weight, or a tuple of names
        axes: the axis of the sizes, an int for all weights or a tuple with one for each; None for that of the outputs

    Shapes: the layer's
    Params: normalized {<name>_g, with size 1 along the other axes, <name>_v, like the weight}; unnormalized {the
            layer's other parameters}. The initial v is the weight that the layer draws, the initial g its norms
    State:  the layer's
    Raises: ValueError when built if the layer has no such parameters, or the axes do not fit them; LayerError when
            set up if the initial values of one are all zero
    Source: Lux.jl ``WeightNorm``, and Flux.jl's for the axis; T. Salimans, D. Kingma (2016)

    >>> import luxport
    >>> ps, st = luxport.setup(0, WeightNorm(luxport.Dense(2, 3)))
    >>> {name: array.shape for name, array in ps["normalized"].items()}, list(ps["unnormalized"])
    ({'weight_g': (1, 3), 'weight_v': (2, 3)}, ['bias'])
    """

    layer: Layer
    which: str | tuple[str, ...] = ("weight",)
    _: KW_ONLY
    axes: int | tuple[int | None, ...] | None = None

    _own_names: ClassVar[tuple[str, ...]] = ("normalized",)

    def __post_init__(self) -> None:
        _check_which(self)

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the layer's, and compute the norms of the weights."""
        normalized, others = {}, dict(self.layer.initial_parameters(rng))
        for name, axis in _find_kept_axes(self, others):
            weight = others.pop(name)
            shape = tuple(n if i == axis else 1 for i, n in enumerate(weight.shape))
            if isinstance(weight, AbstractArray):
                normalized |= {f"{name}_g": AbstractArray(shape), f"{name}_v": weight}
                continue
            weight = np.asarray(weight)
            rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1).astype(np.float64)
            norms = np.sqrt(sum_rows(rows * rows))
            if norms.size and not norms.any():
                raise LayerError(f"expects a direction as {name}, which is all zero", culprit="WeightNorm")
            normalized |= {f"{name}_g": norms.astype(np.float32).reshape(shape), f"{name}_v": weight}
        return {"normalized": normalized, "unnormalized": others}

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Make the layer's."""
        return self.layer.initial_states(rng)

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Compute the weights, and call the layer with them."""
        check_groups(self, ps, st)
        return self.layer(x, self._compute_weights(ps), st)

    def _compute_weights(self, ps: Parameters) -> dict[str, Any]:
        parts = ps["normalized"]
        return {
            **ps["unnormalized"],
            **{name: ops.weight_norm(parts[f"{name}_v"], parts[f"{name}_g"]) for name in self.which},
        }


class SpectralNorm(Layer):
    """A layer whose weights are divided by estimates of their largest singular values.

    A weight is reshaped to a matrix W with rows along one axis, by default that of the outputs as for `WeightNorm`. The
    estimate is ``norm(Wᵀu)``, with a vector u in the state. Each call in training improves u by power iteration, whose
    gradient is not taken. The initial u is random, with which the estimate is too small.

    Args:
        layer: a layer
        which: the name of the weight, or a tuple of names
        axes: the axis of the rows, an int for all weights or a tuple with one for each; None for that of the outputs
        iterations: how many steps of power iteration are taken at each call in training

    Shapes: the layer's
    Params: the layer's
    State:  layer {the layer's}; u {<name> (size along the axis,)}; training
    Raises: ValueError when built if the layer has no such parameters, the axes do not fit them, or iterations is no
            int of at least 0
    Source: T. Miyato et al. (2018); PyTorch ``torch.nn.utils.parametrizations.spectral_norm``

    >>> import luxport
    >>> ps, st = luxport.setup(0, SpectralNorm(luxport.Dense(2, 3)))
    >>> list(ps), st["u"]["weight"].shape
    (['weight', 'bias'], (3,))
    """

    layer: Layer
    which: str | tuple[str, ...] = ("weight",)
    _: KW_ONLY
    axes: int | tuple[int | None, ...] | None = None
    iterations: int = 1

    def __post_init__(self) -> None:
        check_sizes("SpectralNorm", iterations=self.iterations)
        if self.iterations > MOST_ITERATIONS:
            raise ValueError(f"SpectralNorm expects at most {MOST_ITERATIONS} iterations, got {self.iterations}")
        _check_which(self)

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the layer's."""
        return self.layer.initial_parameters(rng)

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Make the layer's, and draw the vectors; training is on."""
        layer = self.layer.initial_states(rng)
        shapes = _describe_parameters(self.layer)
        u = {name: rng.normal((shapes[name].shape[axis],)) for name, axis in _find_kept_axes(self, shapes)}
        return {"layer": layer, "u": u, "training": Static(True)}

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Divide the weights, and call the layer with them."""
        check_groups(self, ps, st)
        training = st["training"]
        weights, u = self._divide(ps, st["u"], self.iterations if training else 0)
        y, layer = self.layer(x, {**ps, **weights}, st["layer"])
        return y, {"layer": layer, "u": u if training else st["u"], "training": training}

    @property
    def _own_names(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("u", *self.which)

    def _divide(self, ps: Parameters, u: States, iterations: int) -> tuple[dict[str, Any], dict[str, Any]]:
        pairs = {
            name: ops.spectral_norm(ps[name], u[name], axis=axis, iterations=iterations)
            for name, axis in _find_kept_axes(self, ps)
        }
        return {name: weight for name, (weight, _) in pairs.items()}, {name: new for name, (_, new) in pairs.items()}


@explain_call_errors
def remove_weight_norm(model: Layer, ps: Parameters, st: States) -> tuple[Layer, dict[str, Any], dict[str, Any]]:
    """Return a model with its `WeightNorm`s removed, and parameters and states with which it computes the same.

    Args:
        model: a layer
        ps: its parameters
        st: its states

    Source: Flux.jl ``remove_weight_norms``

    >>> import luxport
    >>> model = luxport.Chain(WeightNorm(luxport.Dense(2, 3)), luxport.Dense(3, 1))
    >>> model, ps, st = remove_weight_norm(model, *luxport.setup(0, model))
    >>> model, list(ps["layer_1"])
    (Chain(Dense(2, 3), Dense(3, 1)), ['weight', 'bias'])
    """

    def unwrap(layer: Layer, ps: Any, st: Any, path: tuple[str, ...]) -> tuple[Layer, Any, Any]:
        if not isinstance(layer, WeightNorm):
            return layer, ps, st
        weights = layer._compute_weights(ps)
        return layer.layer, {name: weights[name] for name in _describe_parameters(layer.layer)}, st

    return layer_map(unwrap, model, ps, st)


@explain_call_errors
def remove_spectral_norm(model: Layer, ps: Parameters, st: States) -> tuple[Layer, dict[str, Any], dict[str, Any]]:
    """Return a model with its `SpectralNorm`s removed, and the weights that these use in testing.

    Args:
        model: a layer
        ps: its parameters
        st: its states
    """

    def unwrap(layer: Layer, ps: Any, st: Any, path: tuple[str, ...]) -> tuple[Layer, Any, Any]:
        if not isinstance(layer, SpectralNorm):
            return layer, ps, st
        return layer.layer, {**ps, **layer._divide(ps, st["u"], 0)[0]}, st["layer"]

    return layer_map(unwrap, model, ps, st)


def _describe_parameters(layer: Layer) -> Mapping[str, Any]:
    """Return a layer's parameters as abstract arrays, which have shapes but no values."""
    return describe_values(initial_parameters, layer)


def _check_which(layer: WeightNorm | SpectralNorm) -> None:
    """Check the names and the axes that a layer is built with, and convert them to tuples."""
    title = type(layer).__name__
    if not isinstance(layer.layer, Layer):
        raise TypeError(f"{title} expects a layer, got {show(layer.layer)}")
    arrays = {
        name: value for name, value in _describe_parameters(layer.layer).items() if not isinstance(value, Mapping)
    }
    which = (layer.which,) if isinstance(layer.which, str) else tuple(layer.which)
    if not which or len(set(which)) != len(which) or any(name not in arrays for name in which):
        raise ValueError(f"{title} expects names among {', '.join(arrays) or 'none'}, got {', '.join(which) or 'none'}")
    object.__setattr__(layer, "which", which)
    if layer.axes is None:
        return
    axes: Any = tuple(layer.axes) if isinstance(layer.axes, (tuple, list)) else (layer.axes,) * len(which)
    if len(axes) != len(which):
        raise ValueError(f"{title} expects as many axes as names, {len(which)}, got {axes}")
    for name, axis in zip(which, axes, strict=True):
        ndim = len(arrays[name].shape)
        if axis is not None and not (type(axis) is int and -ndim <= axis < ndim):
            raise ValueError(f"{title} expects an axis of {name} in [-{ndim}, {ndim}), got {show(axis)}")
    object.__setattr__(layer, "axes", axes)


def _find_kept_axes(layer: WeightNorm | SpectralNorm, arrays: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield each name with the axis of its array that is not normalized over: the given one, or that of the outputs."""
    axes = cast("tuple[int | None, ...]", layer.axes or (None,) * len(layer.which))
    for name, axis in zip(layer.which, axes, strict=True):
        ndim = len(arrays[name].shape)
        yield name, (_find_output_axis(layer.layer, ndim) if axis is None else axis) % ndim


def _find_output_axis(layer: Layer, ndim: int) -> int:
    """Return the axis of a layer's weight that belongs to the outputs."""
    while isinstance(layer, (WeightNorm, SpectralNorm, FrozenLayer, Tied, WrapperLayer)):
        layer = layer._find_wrapped() if isinstance(layer, WrapperLayer) else layer.layer
    if ndim < 3 or isinstance(layer, Bilinear):
        return -1
    return 1 if isinstance(layer, ConvTranspose) else 0
