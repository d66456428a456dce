"""Layers that normalise: `BatchNorm`."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

import numpy as np

from luxport import ops
from luxport.backend import Array
from luxport.errors import LayerError
from luxport.initializers import Initializer, ones, zeros
from luxport.layer import Layer, Parameters, States
from luxport.layers.checks import check_axis, check_dtype, check_floating, check_sizes, shape_of, shape_text
from luxport.ops import Activation, identity
from luxport.random import Rng
from luxport.static import Static

__all__ = ["BatchNorm"]


class BatchNorm(Layer):
    """Normalise each channel over the batch and all positions, then scale, shift and activate.

    ``y = activation((x - mean) / sqrt(var + epsilon) * scale + bias)``. In training the mean and the biased
    variance are the batch's, and the running ones become ``(1 - momentum) running + momentum batch`` with the
    unbiased variance; in testing the running ones are used.

    Shapes: x (N, channels, ...) -> like x; (channels,) in testing
    Params: scale (channels,), bias (channels,); none if not ``affine``
    State:  running_mean (channels,), running_var (channels,), absent if not ``track_stats``; training
    Raises: ValueError when built with channels that is no int of at least 0; LayerError if axis 1 is not channels,
            or where the batch's statistics are taken if a channel has a single value or none;
            LayerTypeError if x is not floating, or its dtype is not the parameters'
    Source: Lux.jl ``BatchNorm``; S. Ioffe, C. Szegedy (2015)
    """

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
        check_sizes("BatchNorm", channels=self.channels)

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the scale, then the bias."""
        if not self.affine:
            return {}
        shape = (self.channels,)
        return {"scale": self.init_scale(rng, shape), "bias": self.init_bias(rng, shape)}

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Start from mean 0 and variance 1; training is on."""
        training = {"training": Static(True)}
        if not self.track_stats:
            return training
        shape = (self.channels,)
        return {
            "running_mean": np.zeros(shape, np.float32),
            "running_var": np.ones(shape, np.float32),
        } | training

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Normalise by the batch's statistics or the running ones."""
        training = st["training"]
        scale, bias = (ps["scale"], ps["bias"]) if self.affine else (None, None)
        mean, var = (st["running_mean"], st["running_var"]) if self.track_stats else (None, None)
        check_axis(x, 1 if len(shape_of(x)) > 1 else 0, self.channels, "(N, {}, ...)")
        check_floating(x)
        if scale is not None:
            check_dtype(x, scale)
        if (training or mean is None) and _values_per_channel(x) in (0, 1):
            raise LayerError(f"expects more than one value per channel in training, got {shape_text(x)}")
        y, mean, var = ops.batch_norm(
            *(x, scale, bias, mean, var),
            training=bool(training),
            momentum=self.momentum,
            epsilon=self.epsilon,
        )
        tracked = {"running_mean": mean, "running_var": var} if self.track_stats else {}
        return self.activation(y), tracked | {"training": training}


def _values_per_channel(x: Array) -> int | None:
    """Count the values in a channel; None if a size is not known yet."""
    n = 1
    for axis, size in enumerate(x.shape):
        if axis != 1 and len(x.shape) > 1:
            if size is None:
                return None
            n *= size
    return n
