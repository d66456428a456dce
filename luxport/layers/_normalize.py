"""Layers that normalize: `BatchNorm`, `GroupNorm`, `InstanceNorm`, `LayerNorm`, `RMSNorm`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any, cast

import numpy as np

from luxport import ops
from luxport.backend import Array, same_size
from luxport.core.anatomy import Parameters, States
from luxport.core.input_checks import check_axis, check_dtype, check_floating, check_sizes, shape_of, shape_text
from luxport.core.layer import Layer
from luxport.errors import LayerError
from luxport.initializers import Initializer, ones, zeros
from luxport.ops import Activation, identity
from luxport.random import Rng
from luxport.tree.static import Static

__all__ = ["BatchNorm", "GroupNorm", "InstanceNorm", "LayerNorm", "RMSNorm"]


class _Tracking(Layer):
    """What `BatchNorm` and `InstanceNorm` share: statistics over a batch or a sample, and running ones for testing."""

    channels: int
    activation: Activation = identity
    _: KW_ONLY
    affine: bool = True
    track_stats: bool = True
    epsilon: float = 1e-5
    momentum: float = 0.1
    init_scale: Initializer = ones
    init_bias: Initializer = zeros

    def __post_init__(self) -> None:
        check_sizes(type(self).__name__, channels=self.channels)

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the scale, then the bias."""
        return _bias_and_scale(self, rng, (self.channels,))

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Start from mean 0 and variance 1; training is on."""
        training = {"training": Static(True)}
        if not self.track_stats:
            return training
        shape = (self.channels,)
        return {"running_mean": np.zeros(shape, np.float32), "running_var": np.ones(shape, np.float32)} | training

    def _normalize(
        self, normalize: Callable[..., Any], x: Array, ps: Parameters, st: States, sizes: tuple[Any, ...], unit: str
    ) -> tuple[Array, States]:
        """Normalize by the statistics over the axes of these sizes, or by the running ones."""
        scale, bias = _read_affine(self, x, ps)
        training = st["training"]
        mean, var = (st["running_mean"], st["running_var"]) if self.track_stats else (None, None)
        if (training or mean is None) and None not in sizes and math.prod(sizes) in (0, 1):
            cure = ": DataLoader(partial=False) leaves out a last batch of one sample" if x.shape[0] == 1 else ""
            raise LayerError(f"expects more than one value per {unit} in training, got {shape_text(x)}{cure}")
        y, mean, var = normalize(
            *(x, scale, bias, mean, var), training=bool(training), momentum=self.momentum, epsilon=self.epsilon
        )
        tracked = {"running_mean": mean, "running_var": var} if self.track_stats else {}
        return self.activation(y), tracked | {"training": training}


class BatchNorm(_Tracking):
    """Normalize each channel over the batch and all positions, then scale, shift and activate.

    ``y = activation((x - mean) / sqrt(var + epsilon) * scale + bias)``. In training the mean and the biased
    variance are the batch's, and the running ones become ``(1 - momentum) running + momentum batch`` with the
    unbiased variance; in testing the running ones are used.

    Args:
        channels: how many channels x has
        activation: a function applied to the result, such as `relu`
        affine: whether the result is scaled and shifted by parameters
        track_stats: whether the state keeps running statistics, for testing
        epsilon: a small number added to the variance
        momentum: the share of the new statistics in the running ones, from 0 to 1
        init_scale: draws the scale
        init_bias: draws the bias

    Shapes: x (N, channels, ...) -> like x; (channels,) in testing
    Params: bias (channels,), scale (channels,); none if not ``affine``
    State:  running_mean (channels,), running_var (channels,), absent if not ``track_stats``; training
    Raises: ValueError when built with channels that is no int of at least 0; LayerError if axis 1 is not channels,
            or where the batch's statistics are taken if a channel has a single value or none;
            LayerTypeError if x is not floating, or its dtype is not the parameters'
    Source: Lux.jl ``BatchNorm``; S. Ioffe, C. Szegedy (2015)

    >>> import numpy as np, luxport
    >>> ps, st = luxport.setup(0, BatchNorm(1))
    >>> y, st = BatchNorm(1)(np.array([[1.0], [3.0]], np.float32), ps, st)
    >>> y.round(3).tolist(), st["running_mean"]
    ([[-1.0], [1.0]], array([0.2], dtype=float32))
    """

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Normalize by the batch's statistics or the running ones."""
        shape = tuple(shape_of(x))
        check_axis(x, 1 if len(shape) > 1 else 0, self.channels, "(N, {}, ...)")
        sizes = (shape[0], *shape[2:]) if len(shape) > 1 else ()
        return self._normalize(ops.batch_norm, x, ps, st, sizes, "channel")


class InstanceNorm(_Tracking):
    """Normalize each channel of each sample over its positions, then scale, shift and activate.

    ``y = activation((x - mean) / sqrt(var + epsilon) * scale + bias)``, as `BatchNorm`, but with a mean and a variance
    for each sample. Where running statistics are tracked, they follow the means over the samples and are used in
    testing; else testing is as training.

    Args:
        channels: how many channels x has
        activation: a function applied to the result, such as `relu`
        affine: whether the result is scaled and shifted by parameters
        track_stats: whether the state keeps running statistics, for testing
        epsilon: a small number added to the variance
        momentum: the share of the new statistics in the running ones, from 0 to 1
        init_scale: draws the scale
        init_bias: draws the bias

    Shapes: x (N, channels, d1, ...) -> like x
    Params: bias (channels,), scale (channels,); none unless ``affine``
    State:  running_mean (channels,), running_var (channels,), absent unless ``track_stats``; training
    Raises: ValueError when built with channels that is no int of at least 0; LayerError if axis 1 is not channels or
            the last, or where the sample's statistics are taken if it has a single value in a channel or none;
            LayerTypeError if x is not floating, or its dtype is not the parameters'
    Source: Lux.jl ``InstanceNorm``; D. Ulyanov, A. Vedaldi, V. Lempitsky (2016)

    >>> import numpy as np, luxport
    >>> ps, st = luxport.setup(0, InstanceNorm(1))
    >>> InstanceNorm(1)(np.array([[[1.0, 3.0]], [[5.0, 9.0]]], np.float32), ps, st)[0].round(3).tolist()
    [[[-1.0, 1.0]], [[-1.0, 1.0]]]
    """

    _: KW_ONLY
    affine: bool = False
    track_stats: bool = False

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Normalize by the sample's statistics or the running ones."""
        shape = tuple(shape_of(x))
        check_axis(x, 1 if len(shape) > 2 else len(shape), self.channels, "(N, {}, d1, ...)")
        return self._normalize(ops.instance_norm, x, ps, st, shape[2:], "channel and sample")


class GroupNorm(Layer):
    """Normalize each group of neighboring channels of each sample, then scale, shift and activate.

    ``y = activation((x - mean) / sqrt(var + epsilon) * scale + bias)``, mean and biased variance over the channels
    of the group and all positions.

    Args:
        channels: how many channels x has
        groups: how many groups they are in, each of as many
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
        return _bias_and_scale(self, rng, (self.channels,))

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Normalize each group."""
        check_axis(x, 1, self.channels, "(N, {}, ...)")
        scale, bias = _read_affine(self, x, ps)
        return self.activation(ops.group_norm(x, scale, bias, groups=self.groups, epsilon=self.epsilon)), st


class LayerNorm(Layer):
    """Normalize over trailing axes, then scale, shift and activate.

    ``y = activation((x - mean) / sqrt(var + epsilon) * scale + bias)``, mean and biased variance over these axes:
    each sample and each place along the other axes has its own. The batch is never among them.

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
        object.__setattr__(self, "shape", _sizes("LayerNorm", self.shape))

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the scale, then the bias."""
        shape = cast("tuple[int, ...]", self.shape)
        scale = {"scale": self.init_scale(rng, shape)} if self.affine else {}
        return {**scale, "bias": self.init_bias(rng, shape)} if self.affine and self.use_bias else scale

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Normalize each sample."""
        axes = _trailing(x, self.shape)
        scale, bias = _read_affine(self, x, ps, use_bias=self.use_bias)
        return self.activation(ops.layer_norm(x, scale, bias, axes=axes, epsilon=self.epsilon)), st


class RMSNorm(Layer):
    """``x / sqrt(mean(x²) + epsilon) * scale``, the mean over trailing axes.

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
        object.__setattr__(self, "shape", _sizes("RMSNorm", self.shape))

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the scale."""
        return {"scale": self.init_scale(rng, cast("tuple[int, ...]", self.shape))} if self.affine else {}

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Divide by the root of the mean square."""
        axes = _trailing(x, self.shape)
        scale, _ = _read_affine(self, x, ps, use_bias=False)
        return ops.rms_norm(x, scale, axes=axes, epsilon=self.epsilon), st


def _bias_and_scale(layer: Any, rng: Rng, shape: tuple[int, ...]) -> dict[str, Any]:
    """Draw both in the order of the fields; they stand in the order of Flux's, which flat vectors follow."""
    if not layer.affine:
        return {}
    scale = layer.init_scale(rng, shape)
    return {"bias": layer.init_bias(rng, shape), "scale": scale}


def _read_affine(layer: Any, x: Array, ps: Parameters, *, use_bias: bool = True) -> tuple[Array | None, Array | None]:
    """Return scale and bias, None for one that the layer has not, when x may meet them."""
    check_floating(x)
    if not layer.affine:
        return None, None
    check_dtype(x, ps["scale"])
    return ps["scale"], ps["bias"] if use_bias else None


def _sizes(layer: str, shape: Any) -> tuple[int, ...]:
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if not sizes:
        raise ValueError(f"{layer} expects one or more sizes, got ()")
    check_sizes(layer, **{f"shape[{i}]": n for i, n in enumerate(sizes)})
    return sizes


def _trailing(x: Array, shape: Any) -> tuple[int, ...]:
    """Return the axes of x that a shape names: as many at the end."""
    found = tuple(shape_of(x))[-len(shape) :]
    if len(found) != len(shape) or any(not same_size(n, m) for n, m in zip(found, shape, strict=True)):
        raise LayerError(f"expects (..., {', '.join(map(str, shape))}), got {shape_text(x)}")
    return tuple(range(-len(shape), 0))
