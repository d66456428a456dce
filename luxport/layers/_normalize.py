"""Layers that normalize each sample separately, without running statistics: `GroupNorm`, `LayerNorm`, `RMSNorm`."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any, cast

from luxport import ops
from luxport.backend import Array, match_sizes
from luxport.core.input_checks import check_axis, check_dtype, check_floating, check_sizes, shape_of, shape_text
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerError
from luxport.initializers import Initializer, ones, zeros
from luxport.ops import Activation, identity
from luxport.random import Rng

__all__ = ["GroupNorm", "LayerNorm", "RMSNorm", "make_bias_and_scale", "read_affine"]


class GroupNorm(Layer):
    """Normalize each group of neighboring channels of each sample, then scale, shift and activate.

    ``y = activation((x - mean) / sqrt(var + epsilon) * scale + bias)``, with the mean and the biased variance over the
    channels of the group and all positions.

    Args:
        channels: how many channels x has
        groups: into how many groups of one size the channels are split
        activation: a function applied to the result, such as `relu`
        affine: whether the result is scaled and shifted by parameters
        epsilon: a small number added to the variance
        init_scale: draws the scale
        init_bias: draws the bias

    Shapes: x (N, channels, ...) -> like x
    Params: bias (channels,), scale (channels,); none if not ``affine``
    State:  none
    Raises: ValueError when built with sizes that are no ints of at least 0, or groups that do not divide channels;
            LayerError if axis 1 is not channels, LayerTypeError if x is not floating or its dtype is not the
            parameters'
    Source: Lux.jl ``GroupNorm``; Y. Wu, K. He (2018)

    >>> import numpy as np, luxport
    >>> ps, st = luxport.setup(0, GroupNorm(4, 2))
    >>> GroupNorm(4, 2)(np.array([[1.0, 3.0, 5.0, 9.0]], np.float32), ps, st)[0].round(3).tolist()
    [[-1.0, 1.0, -1.0, 1.0]]
    """

    channels: int
    groups: int
    activation: Activation = identity
    _: KW_ONLY
    affine: bool = True
    epsilon: float = 1e-5
    init_scale: Initializer = ones
    init_bias: Initializer = zeros

    def __post_init__(self) -> None:
        check_sizes("GroupNorm", channels=self.channels, groups=self.groups)
        if self.groups == 0 or self.channels % self.groups:
            raise ValueError(f"GroupNorm expects groups that divide {self.channels} channels, got {self.groups}")

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the scale, then the bias."""
        return make_bias_and_scale(self, rng, (self.channels,))

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Normalize each group."""
        check_axis(x, 1, self.channels, "(N, {}, ...)")
        scale, bias = read_affine(self, x, ps)
        return self.activation(ops.group_norm(x, scale, bias, groups=self.groups, epsilon=self.epsilon)), st


class LayerNorm(Layer):
    """Normalize over trailing axes, then scale, shift and activate.

    ``y = activation((x - mean) / sqrt(var + epsilon) * scale + bias)``, with the mean and the biased variance over
    these axes, separately for each position along the others.

    Args:
        shape: the sizes of the trailing axes to normalize over: an int for the last one, or a tuple
        activation: a function applied to the result, such as `relu`
        affine: whether the result is scaled and shifted by parameters
        use_bias: whether it is shifted, if affine
        epsilon: a small number added to the variance
        init_scale: draws the scale
        init_bias: draws the bias

    Shapes: x (..., *shape) -> like x
    Params: scale (*shape), bias (*shape), which is absent if not ``use_bias``; none if not ``affine``
    State:  none
    Raises: ValueError when built without a size, or with sizes that are no ints of at least 0; LayerError if the
            trailing axes of x are not of the shape, LayerTypeError if x is not floating or its dtype is not the
            parameters'
    Source: Flux.jl ``LayerNorm``; J. Ba, J. Kiros, G. Hinton (2016)

    >>> import numpy as np, luxport
    >>> model = LayerNorm(2)
    >>> ps, st = luxport.setup(0, model)
    >>> y, st = model(np.array([[1.0, 3.0], [50.0, 10.0]], np.float32), ps, st)
    >>> y.round(3)
    array([[-1.,  1.],
           [ 1., -1.]], dtype=float32)
    """

    shape: int | tuple[int, ...]
    activation: Activation = identity
    _: KW_ONLY
    affine: bool = True
    use_bias: bool = True
    epsilon: float = 1e-5
    init_scale: Initializer = ones
    init_bias: Initializer = zeros

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _read_sizes("LayerNorm", self.shape))

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the scale, then the bias."""
        shape = cast("tuple[int, ...]", self.shape)
        scale = {"scale": self.init_scale(rng, shape)} if self.affine else {}
        return {**scale, "bias": self.init_bias(rng, shape)} if self.affine and self.use_bias else scale

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Normalize each sample."""
        axes = _find_trailing(x, self.shape)
        scale, bias = read_affine(self, x, ps, use_bias=self.use_bias)
        return self.activation(ops.layer_norm(x, scale, bias, axes=axes, epsilon=self.epsilon)), st


class RMSNorm(Layer):
    """``x / sqrt(mean(x²) + epsilon) * scale``, with the mean over trailing axes.

    Args:
        shape: the sizes of the trailing axes to normalize over: an int for the last one, or a tuple
        affine: whether the result is scaled by a parameter
        epsilon: a small number added to the mean of the squares
        init_scale: draws the scale

    Shapes: x (..., *shape) -> like x
    Params: scale (*shape); none if not ``affine``
    State:  none
    Raises: as `LayerNorm`
    Source: Lux.jl ``RMSNorm``; B. Zhang, R. Sennrich (2019)

    >>> import numpy as np, luxport
    >>> ps, st = luxport.setup(0, RMSNorm(2))
    >>> RMSNorm(2)(np.array([[1.0, 7.0]], np.float32), ps, st)[0].round(3)
    array([[0.2, 1.4]], dtype=float32)
    """

    shape: int | tuple[int, ...]
    _: KW_ONLY
    affine: bool = True
    epsilon: float = 1e-5
    init_scale: Initializer = ones

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _read_sizes("RMSNorm", self.shape))

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the scale."""
        return {"scale": self.init_scale(rng, cast("tuple[int, ...]", self.shape))} if self.affine else {}

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Divide by the root of the mean square."""
        axes = _find_trailing(x, self.shape)
        scale, _ = read_affine(self, x, ps, use_bias=False)
        return ops.rms_norm(x, scale, axes=axes, epsilon=self.epsilon), st


def make_bias_and_scale(layer: Any, rng: Rng, shape: tuple[int, ...]) -> dict[str, Any]:
    """Draw the scale, then the bias; return them in the order of Flux, on which flat vectors of parameters rely."""
    if not layer.affine:
        return {}
    scale = layer.init_scale(rng, shape)
    return {"bias": layer.init_bias(rng, shape), "scale": scale}


def read_affine(layer: Any, x: Array, ps: Parameters, *, use_bias: bool = True) -> tuple[Array | None, Array | None]:
    """Check x, and return scale and bias, None for one that the layer does not have."""
    check_floating(x)
    if not layer.affine:
        return None, None
    check_dtype(x, ps["scale"])
    return ps["scale"], ps["bias"] if use_bias else None


def _read_sizes(layer: str, shape: Any) -> tuple[int, ...]:
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if not sizes:
        raise ValueError(f"{layer} expects one or more sizes, got ()")
    check_sizes(layer, **{f"shape[{i}]": n for i, n in enumerate(sizes)})
    return sizes


def _find_trailing(x: Array, shape: Any) -> tuple[int, ...]:
    """Return the trailing axes of x that have a shape, as negative numbers."""
    found = tuple(shape_of(x))[-len(shape) :]
    if len(found) != len(shape) or any(not match_sizes(n, m) for n, m in zip(found, shape, strict=True)):
        raise LayerError(f"expects (..., {', '.join(map(str, shape))}), got {shape_text(x)}")
    return tuple(range(-len(shape), 0))
