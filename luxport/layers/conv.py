"""Layers that convolve: `Conv` and `CrossCor`."""

from __future__ import annotations

from dataclasses import KW_ONLY, field
from typing import Any, Self

from luxport import ops
from luxport.backend import Array, namespace
from luxport.initializers import Initializer, glorot_uniform, zeros
from luxport.layer import Layer, Parameters, States
from luxport.layers.checks import check_dtype
from luxport.layers.padding import Padding, PerAxis, Windows
from luxport.ops import Activation, identity
from luxport.random import Rng

__all__ = ["Conv", "CrossCor"]


class Conv(Layer):
    """``activation(conv(x, weight) + bias)`` over the spatial axes: a true convolution, whose kernel is flipped.

    The kernel has a size per spatial axis (an int: one axis); stride and dilation are an int for all axes or one
    each. A pad is an int, one entry per spatial axis, a (low, high) pair per spatial axis, or `SamePad()`; outside
    x there are zeros. With `groups`, the channels are cut into as many blocks that do not see each other. With
    `cross_correlation` the kernel is not flipped, as in PyTorch, Keras and JAX: that is `CrossCor`.

    Shapes: x (N, in_channels, *spatial) -> y (N, out_channels, *places), along each spatial axis
            ``(size + low + high - dilation (k - 1) - 1) // stride + 1`` places
    Params: weight (out_channels, in_channels / groups, *kernel); bias (out_channels,), absent if not ``use_bias``
    State:  none
    Raises: ValueError when built if an option is out of range or groups does not divide the channels;
            LayerError if x has other axes or channels, or no room for the kernel; LayerTypeError if its dtype is
            not the weight's
    Source: Lux.jl ``Conv``; initial values as Flux's ``Conv``

    >>> import numpy as np, luxport
    >>> model = Conv((3, 3), 1, 8, luxport.relu, stride=2, padding=luxport.SamePad())
    >>> ps, st = luxport.setup(0, model)
    >>> y, st = model(np.ones((4, 1, 28, 28), np.float32), ps, st)
    >>> ps["weight"].shape, y.shape
    ((8, 1, 3, 3), (4, 8, 14, 14))
    """

    kernel: PerAxis
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
        name, channels = type(self).__name__, (self.in_channels, self.out_channels)
        if min(*channels, self.groups) < 1 or any(n % self.groups for n in channels):
            raise ValueError(
                f"{name} expects positive numbers of channels that groups divides, "
                f"got {self.in_channels} -> {self.out_channels} in groups={self.groups}"
            )
        windows = Windows.of(name, self.kernel, self.stride, self.padding, self.dilation)
        object.__setattr__(self, "_windows", windows)

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the weight, then the bias."""
        shape = (self.out_channels, self.in_channels // self.groups, *self._windows.window)
        weight = self.init_weight(rng, shape)
        if tuple(weight.shape) != shape:
            raise ValueError(f"{type(self).__name__} expects init_weight to return {shape}, got {tuple(weight.shape)}")
        return {"weight": weight} | ({"bias": self.init_bias(rng, (self.out_channels,))} if self.use_bias else {})

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Convolve, add, activate."""
        weight, bias, windows = ps["weight"], ps["bias"] if self.use_bias else None, self._windows
        windows.check(x, self.in_channels)
        check_dtype(x, weight)
        y = ops.conv(
            *(x, weight, bias),
            stride=windows.stride,
            padding=windows.padding,
            dilation=windows.dilation,
            groups=self.groups,
            flip=not self.cross_correlation,
        )
        return self.activation(y), st

    @classmethod
    def from_weight(
        cls, weight: Array, bias: Any = True, activation: Activation = identity, **options: Any
    ) -> tuple[Self, dict[str, Any]]:
        """Build the layer that a weight belongs to, and its parameters: ``layer, ps``.

        The bias is an array, True for zeros, or False for none.

        Raises: ValueError if the weight has no kernel or the bias is not one number per output channel
        Source: Flux.jl ``Conv(weight, bias, activation)``

        >>> import numpy as np
        >>> layer, ps = Conv.from_weight(np.ones((4, 1, 3, 3)), groups=2)
        >>> layer, ps["bias"].shape
        (Conv((3, 3), 2, 4, groups=2), (4,))
        """
        shape = tuple(weight.shape)
        if len(shape) < 3:
            raise ValueError(f"{cls.__name__} expects a weight (out, in / groups, *kernel), got {shape}")
        layer = cls(
            shape[2:], shape[1] * options.get("groups", 1), shape[0], activation, use_bias=bias is not False, **options
        )
        if bias is False:
            return layer, {"weight": weight}
        if bias is True:
            bias = namespace(weight).zeros_like(weight[:, *[0] * (len(shape) - 1)])
        if tuple(bias.shape) != shape[:1]:
            raise ValueError(
                f"{cls.__name__} expects a bias {shape[:1]} for its weight {shape}, got {tuple(bias.shape)}"
            )
        return layer, {"weight": weight, "bias": bias}


class CrossCor(Conv):
    """`Conv` without the flip of the kernel: ``activation(cross_correlation(x, weight) + bias)``.

    What PyTorch, Keras and JAX call a convolution. Options, shapes, parameters and errors are those of `Conv`.

    Source: Flux.jl ``CrossCor``

    >>> CrossCor((3, 3), 1, 8)
    CrossCor((3, 3), 1, 8)
    """

    cross_correlation: bool = field(default=True, init=False)
