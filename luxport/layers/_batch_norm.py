"""Layers that normalize with running statistics: `BatchNorm`, `InstanceNorm`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

import numpy as np

from luxport import ops
from luxport.backend import Array
from luxport.core.input_checks import check_axis, check_sizes, shape_of, shape_text
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerError
from luxport.initializers import Initializer, ones, zeros
from luxport.layers._normalize import make_bias_and_scale, read_affine
from luxport.ops import Activation, identity
from luxport.random import Rng
from luxport.tree.static import Static

__all__ = ["BatchNorm", "InstanceNorm"]


class _Tracking(Layer):
    """A layer that normalizes by the statistics of its input, and in test mode by running ones."""

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
        return make_bias_and_scale(self, rng, (self.channels,))

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
        scale, bias = read_affine(self, x, ps)
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
    variance are those of the batch, and the running ones become ``(1 - momentum) running + momentum batch`` with the
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
            or if a channel of a batch whose statistics are used has a single value, or none;
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
    for each sample. If running statistics are tracked, they are averages over the samples, and are used in testing;
    otherwise testing does what training does.

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
            the last, or if a channel of a sample whose statistics are used has a single value, or none;
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
