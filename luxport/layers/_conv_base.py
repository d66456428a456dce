"""What layers that convolve share: `Convolution`."""

from __future__ import annotations

from dataclasses import KW_ONLY, field
from typing import Any

from luxport.backend import Array
from luxport.core.layer import Layer
from luxport.initializers import Initializer, glorot_uniform, zeros
from luxport.layers._take_parameters import take_parameters
from luxport.layers._windows import Padding, PerAxis, Sizes, Windows
from luxport.ops import Activation, identity
from luxport.random import Rng

__all__ = ["Convolution"]


class Convolution(Layer):
    """What `Conv` and its transpose share: channels, kernel and bias, and where the kernel goes."""

    kernel: Sizes
    in_channels: int
    out_channels: int
    activation: Activation = identity
    _: KW_ONLY
    stride: PerAxis = 1
    padding: Padding = 0
    dilation: PerAxis = 1
    groups: int = 1
    use_bias: bool = True
    cross_correlation: bool = False
    init_weight: Initializer = glorot_uniform
    init_bias: Initializer = zeros
    _windows: Windows = field(init=False, compare=False)

    def __post_init__(self) -> None:
        channels = self.in_channels, self.out_channels
        if min(*channels, self.groups) < 1 or any(n % self.groups for n in channels):
            raise ValueError(
                f"{type(self).__name__} expects in_channels and out_channels as positive channels that groups divides, "
                f"got {self.in_channels} and {self.out_channels} in groups={self.groups}"
            )

    def _draw_weight_and_bias(self, rng: Rng, rows: int, columns: int) -> dict[str, Any]:
        """Draw a weight (rows, columns, *kernel), then the bias."""
        shape = (rows, columns // self.groups, *self._windows.window)
        weight = self.init_weight(rng, shape)
        if tuple(weight.shape) != shape:
            raise ValueError(f"{type(self).__name__} expects init_weight to return {shape}, got {tuple(weight.shape)}")
        return {"weight": weight} | ({"bias": self.init_bias(rng, (self.out_channels,))} if self.use_bias else {})

    def _take_parameters(self, weight: Array, bias: Any) -> dict[str, Any]:
        """Return the parameters that a user hands in; a bias of True is zeros."""
        return take_parameters(type(self).__name__, weight, bias, self.out_channels)

    @classmethod
    def _read_sizes(cls, weight: Array, pattern: str) -> Sizes:
        """Return the shape of a weight that a user hands in.

        Raises: ValueError if it has no kernel
        """
        shape = tuple(weight.shape)
        if len(shape) < 3:
            raise ValueError(f"{cls.__name__} expects a weight {pattern}, got {shape}")
        return shape
