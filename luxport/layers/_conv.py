"""Layers that convolve: `Conv`, and its special forms `CrossCor` and `DepthwiseConv`."""

from __future__ import annotations

from dataclasses import KW_ONLY, field
from typing import ClassVar, Literal, TypeAlias, get_args

from luxport import ops
from luxport.backend import Array
from luxport.core.input_checks import check_dtype
from luxport.core.layer_base import Parameters, States
from luxport.layers._conv_base import Convolution
from luxport.layers._windows import Sizes, Windows, check_spatial
from luxport.ops.windows import check_room
from luxport.text import show

__all__ = ["Conv", "CrossCor", "DepthwiseConv"]

PaddingMode: TypeAlias = Literal["zeros", "reflect", "edge", "circular"]


class Conv(Convolution):
    """``activation(conv(x, weight) + bias)`` over the spatial axes: a true convolution, which flips the kernel.

    Args:
        kernel: the sizes of the kernel, one for each spatial axis: (3, 3) for images
        in_channels: how many channels x has
        out_channels: how many channels y has
        activation: a function applied to the result, such as `relu`
        stride: the distance between positions of the kernel: an int for all spatial axes, or one for each
        padding: an int for all sides, a tuple of an int or a pair (low, high) for each spatial axis, or `SamePad()`
        dilation: the distance between elements of the kernel: an int for all spatial axes, or one for each
        groups: into how many groups the channels are split, each of which is convolved separately
        use_bias: whether a bias is added
        cross_correlation: whether the kernel is left unflipped, as in PyTorch, Keras, JAX and `CrossCor`
        init_weight: draws the weight, see `luxport.initializers`
        init_bias: draws the bias
        padding_mode: outside x: "zeros", its outer elements ("edge"), x mirrored ("reflect") or repeated ("circular")

    Shapes: x (N, in_channels, *spatial) -> y (N, out_channels, *places), along each spatial axis
            ``(size + low + high - dilation (k - 1) - 1) // stride + 1`` places
    Params: weight (out_channels, in_channels / groups, *kernel); bias (out_channels,), absent if not ``use_bias``
    State:  none
    Raises: ValueError when built if an option is out of range or groups does not divide the channels;
            LayerError if x has other axes or channels, or is too small for the kernel or the padding; LayerTypeError
            if its dtype is not the weight's
    Source: Lux.jl ``Conv``; initial values as Flux's ``Conv``; modes of padding as PyTorch's ``padding_mode``

    >>> import numpy as np, luxport
    >>> model = Conv((3, 3), 1, 8, luxport.relu, stride=2, padding=luxport.SamePad())
    >>> ps, st = luxport.setup(0, model)
    >>> y, st = model(np.ones((4, 1, 28, 28), np.float32), ps, st)
    >>> ps["weight"].shape, y.shape
    ((8, 1, 3, 3), (4, 8, 14, 14))
    """

    _: KW_ONLY
    padding_mode: PaddingMode = "zeros"

    _given_weight: ClassVar[str] = "(out, in / groups, *kernel)"

    def __post_init__(self) -> None:
        name = type(self).__name__
        super().__post_init__()
        if self.padding_mode not in get_args(PaddingMode):
            raise ValueError(
                f"{name} expects padding_mode as one of {', '.join(get_args(PaddingMode))}, "
                f"got {show(self.padding_mode)}{': edge repeats borders' if self.padding_mode == 'replicate' else ''}"
            )
        windows = Windows.of(name, self.kernel, self.stride, self.padding, self.dilation, name="kernel")
        object.__setattr__(self, "_windows", windows)

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Pad, convolve, add, activate."""
        weight, bias, windows = ps["weight"], ps["bias"] if self.use_bias else None, self._windows
        check_spatial(x, len(windows.window), self.in_channels)
        check_dtype(x, weight)
        padding = windows.padding
        if self.padding_mode != "zeros":
            check_room(x, windows.window, windows.stride, padding, windows.dilation)
            x = _PAD[self.padding_mode](x, padding=padding)
            padding = ((0, 0),) * len(padding)
        y = ops.conv_nd(
            *(x, weight, bias),
            stride=windows.stride,
            padding=padding,
            dilation=windows.dilation,
            groups=self.groups,
            flip=not self.cross_correlation,
        )
        return self.activation(y), st

    @property
    def _weight_shape(self) -> Sizes:
        return self.out_channels, self.in_channels // self.groups, *self._windows.window

    @classmethod
    def _count_channels(cls, shape: Sizes, groups: int) -> tuple[int, int]:
        return shape[1] * groups, shape[0]


class CrossCor(Conv):
    """`Conv` without flipping the kernel: ``activation(cross_correlation(x, weight) + bias)``.

    This is what PyTorch, Keras and JAX call a convolution.

    Args:
        kernel: the sizes of the kernel, one for each spatial axis: (3, 3) for images
        in_channels: how many channels x has
        out_channels: how many channels y has
        activation: a function applied to the result, such as `relu`
        stride: the distance between positions of the kernel: an int for all spatial axes, or one for each
        padding: an int for all sides, a tuple of an int or a pair (low, high) for each spatial axis, or `SamePad()`
        dilation: the distance between elements of the kernel: an int for all spatial axes, or one for each
        groups: into how many groups the channels are split, each of which is convolved separately
        use_bias: whether a bias is added
        init_weight: draws the weight, see `luxport.initializers`
        init_bias: draws the bias
        padding_mode: outside x: "zeros", its outer elements ("edge"), x mirrored ("reflect") or repeated ("circular")

    Shapes: as `Conv`
    Params: as `Conv`
    State:  none
    Raises: as `Conv`
    Source: Flux.jl ``CrossCor``

    >>> CrossCor((3, 3), 1, 8)
    CrossCor((3, 3), 1, 8)
    """

    cross_correlation: bool = field(default=True, init=False)


class DepthwiseConv(Conv):
    """`Conv` of each channel separately: there are as many groups as input channels.

    Output channels ``m c`` to ``m c + m - 1`` depend on input channel c, where m = out_channels / in_channels.

    Args:
        kernel: the sizes of the kernel, one for each spatial axis: (3, 3) for images
        in_channels: how many channels x has
        out_channels: how many channels y has, a multiple of in_channels
        activation: a function applied to the result, such as `relu`
        stride: the distance between positions of the kernel: an int for all spatial axes, or one for each
        padding: an int for all sides, a tuple of an int or a pair (low, high) for each spatial axis, or `SamePad()`
        dilation: the distance between elements of the kernel: an int for all spatial axes, or one for each
        use_bias: whether a bias is added
        cross_correlation: whether the kernel is left unflipped, as in PyTorch, Keras, JAX and `CrossCor`
        init_weight: draws the weight, see `luxport.initializers`
        init_bias: draws the bias
        padding_mode: outside x: "zeros", its outer elements ("edge"), x mirrored ("reflect") or repeated ("circular")

    Shapes: as `Conv`
    Params: weight (out_channels, 1, *kernel); bias (out_channels,), absent if not ``use_bias``
    State:  none
    Raises: as `Conv`
    Source: Flux.jl ``DepthwiseConv``

    >>> import luxport
    >>> luxport.setup(0, DepthwiseConv((3, 3), 4, 8))[0]["weight"].shape
    (8, 1, 3, 3)
    """

    groups: int = field(default=1, init=False)

    _given_weight: ClassVar[str] = "(in, multiplier, *kernel)"

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", self.in_channels)
        super().__post_init__()

    @classmethod
    def _count_channels(cls, shape: Sizes, groups: int) -> tuple[int, int]:
        return shape[0], shape[0] * shape[1]


_PAD = {"reflect": ops.pad_reflect, "edge": ops.pad_edge, "circular": ops.pad_circular}
