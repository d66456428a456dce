"""The base of the layers that convolve: `Convolution`."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import KW_ONLY, field
from typing import Any, ClassVar, Self

from luxport.backend import Array, namespace
from luxport.core.layer import Layer
from luxport.initializers import Initializer, glorot_uniform, zeros
from luxport.layers._take_parameters import take_parameters
from luxport.layers._windows import Padding, PerAxis, Sizes, Windows
from luxport.ops import Activation, identity
from luxport.random import Rng

__all__ = ["Convolution"]


class Convolution(Layer):
    """A layer with a kernel and a bias, the windows that the kernel slides over, and channels in groups."""

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

    _given_weight: ClassVar[str]
    """The axes of the weight that `from_weight` takes."""

    def __post_init__(self) -> None:
        channels = self.in_channels, self.out_channels
        if min(*channels, self.groups) < 1 or any(n % self.groups for n in channels):
            raise ValueError(
                f"{type(self).__name__} expects in_channels and out_channels as positive channels that groups divides, "
                f"got {self.in_channels} and {self.out_channels} in groups={self.groups}"
            )

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the weight, then the bias."""
        shape = self._weight_shape
        weight = self.init_weight(rng, shape)
        if tuple(weight.shape) != shape:
            raise ValueError(f"{type(self).__name__} expects init_weight to return {shape}, got {tuple(weight.shape)}")
        return {"weight": weight} | ({"bias": self.init_bias(rng, (self.out_channels,))} if self.use_bias else {})

    @classmethod
    def from_weight(
        cls, weight: Array, bias: Any = True, activation: Activation = identity, **options: Any
    ) -> tuple[Self, dict[str, Any]]:
        """Build the layer that a weight belongs to, and its parameters: ``layer, ps``.

        The weight is (out, in / groups, *kernel) for `Conv` and `CrossCor`, (in, out / groups, *kernel) for
        `ConvTranspose`, and (in, multiplier, *kernel) for `DepthwiseConv`, whose parameter is a reshaped one.

        Args:
            weight: an array, which becomes the parameter of this name
            bias: an array with a number for each output, True for zeros, or False for none
            activation: a function applied to the result, such as `relu`
            **options: the other options of the layer, by name

        Raises: ValueError if the weight has no kernel or the bias is not one number per output channel
        Source: Flux.jl ``Conv(weight, bias, activation)``; NNlib ``depthwiseconv``

        >>> import luxport, numpy as np
        >>> layer, ps = luxport.Conv.from_weight(np.ones((4, 1, 3, 3)), groups=2)
        >>> layer, ps["bias"].shape
        (Conv((3, 3), 2, 4, groups=2), (4,))
        >>> luxport.ConvTranspose.from_weight(np.ones((4, 1, 3, 3)), groups=2)[0]
        ConvTranspose((3, 3), 4, 2, groups=2)
        >>> luxport.DepthwiseConv.from_weight(np.ones((2, 3, 5)), bias=False)[0]
        DepthwiseConv((5,), 2, 6, use_bias=False)
        """
        shape = tuple(weight.shape)
        if len(shape) < 3:
            raise ValueError(f"{cls.__name__} expects a weight {cls._given_weight}, got {shape}")
        channels = cls._count_channels(shape, options.get("groups", 1))
        layer = cls(shape[2:], *channels, activation, **{**options, "use_bias": bias is not False})
        if shape != layer._weight_shape:
            weight = namespace(weight).reshape(weight, layer._weight_shape)
        return layer, take_parameters(cls.__name__, weight, bias, layer.out_channels)

    @property
    @abstractmethod
    def _weight_shape(self) -> Sizes:
        """The shape of the parameter ``weight``."""

    @classmethod
    @abstractmethod
    def _count_channels(cls, shape: Sizes, groups: int) -> tuple[int, int]:
        """Return the input and output channels of the layer that a weight given to `from_weight` belongs to."""
