"""The transpose of a convolution: `ConvTranspose`."""

from __future__ import annotations

from dataclasses import KW_ONLY, field
from typing import ClassVar

from luxport import ops
from luxport.backend import Array
from luxport.core.input_checks import check_dtype
from luxport.core.layer_base import Parameters, States
from luxport.layers._conv_base import Convolution
from luxport.layers._windows import PerAxis, Sizes, Windows, check_spatial, read_sizes
from luxport.text import show

__all__ = ["ConvTranspose"]


class ConvTranspose(Convolution):
    """``activation(conv_transpose(x, weight) + bias)``: the sum of kernels, each multiplied by an element of x.

    This is the gradient of a `Conv` with the same options with respect to its input: it makes larger what that layer
    makes smaller. Padding is removed from the result; with `SamePad()` the sizes are multiplied by the stride. A `Conv`
    with a stride maps several sizes to one: `output_padding` says which of them the result has.

    Args:
        kernel: the sizes of the kernel, one for each spatial axis: (3, 3) for images
        in_channels: how many channels x has
        out_channels: how many channels y has
        activation: a function applied to the result, such as `relu`
        stride: the distance between the positions of the kernels: an int for all spatial axes, or one for each
        padding: an int for all sides, a tuple of an int or a pair (low, high) for each spatial axis, or `SamePad()`
        dilation: the distance between elements of the kernel: an int for all spatial axes, or one for each
        groups: into how many groups the channels are split, each of which is convolved separately
        use_bias: whether a bias is added
        cross_correlation: whether the kernel is left unflipped, as by PyTorch's transposed convolution
        init_weight: draws the weight, see `luxport.initializers`
        init_bias: draws the bias
        output_padding: how much longer the result is, below the stride: an int for all spatial axes, or one for each

    Shapes: x (N, in_channels, *sizes) -> y (N, out_channels, *larger), along each spatial axis
            ``(size - 1) stride + dilation (k - 1) + 1 - low - high + output_padding``
    Params: weight (in_channels, out_channels / groups, *kernel); bias (out_channels,), absent if not ``use_bias``
    State:  none
    Raises: ValueError when built if an option is out of range or groups does not divide the channels;
            LayerError if x has other axes or channels, or nothing is left; LayerTypeError if its dtype is not the
            weight's
    Source: Lux.jl ``ConvTranspose``; initial values as Flux's ``ConvTranspose``

    >>> import numpy as np, luxport
    >>> model = ConvTranspose((4, 4), 8, 1, stride=2, padding=luxport.SamePad())
    >>> ps, st = luxport.setup(0, model)
    >>> y, st = model(np.ones((4, 8, 14, 14), np.float32), ps, st)
    >>> ps["weight"].shape, y.shape
    ((8, 1, 4, 4), (4, 1, 28, 28))
    """

    _: KW_ONLY
    output_padding: PerAxis = 0
    _output_padding: Sizes = field(init=False, compare=False)

    _given_weight: ClassVar[str] = "(in, out / groups, *kernel)"

    def __post_init__(self) -> None:
        name = type(self).__name__
        super().__post_init__()
        windows = Windows.of(
            name, self.kernel, self.stride, self.padding, self.dilation, transposed=True, name="kernel"
        )
        more = read_sizes(name, "output_padding", self.output_padding, len(windows.window), least=0)
        if any(n >= s for n, s in zip(more, windows.stride, strict=True)):
            raise ValueError(
                f"{name} expects output_padding less than its stride {windows.stride}, got {show(self.output_padding)}"
            )
        object.__setattr__(self, "_windows", windows)
        object.__setattr__(self, "_output_padding", more)

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Convolve, add, activate."""
        weight, bias, windows = ps["weight"], ps["bias"] if self.use_bias else None, self._windows
        check_spatial(x, len(windows.window), self.in_channels)
        check_dtype(x, weight)
        y = ops.conv_transpose_nd(
            *(x, weight, bias),
            stride=windows.stride,
            padding=windows.padding,
            dilation=windows.dilation,
            output_padding=self._output_padding,
            groups=self.groups,
            flip=not self.cross_correlation,
        )
        return self.activation(y), st

    @property
    def _weight_shape(self) -> Sizes:
        return self.in_channels, self.out_channels // self.groups, *self._windows.window

    @classmethod
    def _count_channels(cls, shape: Sizes, groups: int) -> tuple[int, int]:
        return shape[0], shape[1] * groups
