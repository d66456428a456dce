"""Layers that convolve: `Conv`, its transpose `ConvTranspose`, and special forms of `Conv`."""

from __future__ import annotations

from dataclasses import KW_ONLY, field
from typing import Any, Literal, Self, TypeAlias, get_args

from array_api_compat import device

from luxport import ops
from luxport.backend import Array, namespace
from luxport.errors import LayerError
from luxport.initializers import Initializer, glorot_uniform, zeros
from luxport.layer import Layer, Parameters, States
from luxport.layers.checks import check_dtype, shape_text
from luxport.layers.padding import Padding, PerAxis, Windows, check_spatial, sizes_of
from luxport.ops import Activation, identity
from luxport.ops.windows import Sizes, transposed_sizes
from luxport.random import Rng

__all__ = ["Conv", "ConvTranspose", "CrossCor", "DepthwiseConv"]

PaddingMode: TypeAlias = Literal["zeros", "reflect", "edge", "circular"]


class Conv(Layer):
    """``activation(conv(x, weight) + bias)`` over the spatial axes: a true convolution, whose kernel is flipped.

    The kernel has a size per spatial axis (an int: one axis); stride and dilation are an int for all axes or one
    each. A pad is an int, one entry per spatial axis, a (low, high) pair per spatial axis, or `SamePad()`. Outside
    x there are zeros; or with `padding_mode` "reflect" x mirrored without its outermost elements, with "edge" these
    repeated, with "circular" x again. With `groups`, the channels are cut into as many blocks that do not see each
    other. With `cross_correlation` the kernel is not flipped, as in PyTorch, Keras and JAX: that is `CrossCor`.

    Shapes: x (N, in_channels, *spatial) -> y (N, out_channels, *places), along each spatial axis
            ``(size + low + high - dilation (k - 1) - 1) // stride + 1`` places
    Params: weight (out_channels, in_channels / groups, *kernel); bias (out_channels,), absent if not ``use_bias``
    State:  none
    Raises: ValueError when built if an option is out of range or groups does not divide the channels;
            LayerError if x has other axes or channels, or no room for the kernel or the padding; LayerTypeError if
            its dtype is not the weight's
    Source: Lux.jl ``Conv``; initial values as Flux's ``Conv``; modes of padding as PyTorch's ``padding_mode``

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
    padding_mode: PaddingMode = "zeros"
    init_weight: Initializer = glorot_uniform
    init_bias: Initializer = zeros
    _windows: Windows = field(init=False, compare=False)

    def __post_init__(self) -> None:
        name = type(self).__name__
        _check_channels(name, self.in_channels, self.out_channels, self.groups)
        if self.padding_mode not in get_args(PaddingMode):
            raise ValueError(
                f"{name} expects padding_mode as one of {', '.join(get_args(PaddingMode))}, got {self.padding_mode!r}"
            )
        windows = Windows.of(name, self.kernel, self.stride, self.padding, self.dilation)
        object.__setattr__(self, "_windows", windows)

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the weight, then the bias."""
        return _initial(self, rng, (self.out_channels, self.in_channels // self.groups, *self._windows.window))

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Pad, convolve, add, activate."""
        weight, bias, windows = ps["weight"], ps["bias"] if self.use_bias else None, self._windows
        windows.check(x, self.in_channels)
        check_dtype(x, weight)
        padding = windows.padding
        if self.padding_mode != "zeros":
            x = _PAD[self.padding_mode](x, padding=padding)
            padding = ((0, 0),) * len(padding)
        y = ops.conv(
            *(x, weight, bias),
            stride=windows.stride,
            padding=padding,
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
        out, part, *kernel = _weight_shape(cls, weight, "(out, in / groups, *kernel)")
        options["use_bias"] = bias is not False
        layer = cls(tuple(kernel), part * options.get("groups", 1), out, activation, **options)
        return layer, _given(layer, weight, bias)


class CrossCor(Conv):
    """`Conv` without the flip of the kernel: ``activation(cross_correlation(x, weight) + bias)``.

    What PyTorch, Keras and JAX call a convolution. Its options are those of `Conv`.

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
    """`Conv` of each channel by itself: as many groups as input channels.

    Output channels ``m c`` to ``m c + m - 1`` see input channel c, where m = out_channels / in_channels. Its
    options are those of `Conv`.

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", self.in_channels)
        super().__post_init__()

    @classmethod
    def from_weight(
        cls, weight: Array, bias: Any = True, activation: Activation = identity, **options: Any
    ) -> tuple[Self, dict[str, Any]]:
        """Build the layer that a weight (in, multiplier, *kernel) belongs to, and its parameters: ``layer, ps``.

        The bias as for `Conv.from_weight`.

        Raises: ValueError if the weight has no kernel or the bias is not one number per output channel
        Source: NNlib ``depthwiseconv``

        >>> import numpy as np
        >>> DepthwiseConv.from_weight(np.ones((2, 3, 5)), bias=False)[0]
        DepthwiseConv((5,), 2, 6, use_bias=False)
        """
        channels, multiplier, *kernel = _weight_shape(cls, weight, "(in, multiplier, *kernel)")
        options["use_bias"] = bias is not False
        layer = cls(tuple(kernel), channels, channels * multiplier, activation, **options)
        weight = namespace(weight).reshape(weight, (channels * multiplier, 1, *kernel))
        return layer, _given(layer, weight, bias)


class ConvTranspose(Layer):
    """``activation(conv_transpose(x, weight) + bias)``: each element of x lays a kernel down, and these add up.

    The gradient of a `Conv` with the same options with respect to its input: what that layer makes smaller, this
    one makes larger. Padding is cut away from the result; with `SamePad()` the sizes are multiplied by the stride.
    `output_padding`, less than the stride, makes the result larger above: of the sizes that a `Conv` with stride
    takes to one and the same, it says which. With `cross_correlation` this is PyTorch's transposed convolution.

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

    kernel: PerAxis
    in_channels: int
    out_channels: int
    activation: Activation = identity
    _: KW_ONLY
    stride: PerAxis = 1
    padding: Padding = 0
    output_padding: PerAxis = 0
    dilation: PerAxis = 1
    groups: int = 1
    use_bias: bool = True
    cross_correlation: bool = False
    init_weight: Initializer = glorot_uniform
    init_bias: Initializer = zeros
    _windows: Windows = field(init=False, compare=False)
    _output_padding: Sizes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        name = type(self).__name__
        _check_channels(name, self.in_channels, self.out_channels, self.groups)
        windows = Windows.of(name, self.kernel, self.stride, self.padding, self.dilation, transposed=True)
        more = sizes_of(name, "output_padding", self.output_padding, len(windows.window), least=0)
        if any(n >= s for n, s in zip(more, windows.stride, strict=True)):
            raise ValueError(
                f"{name} expects output_padding less than its stride {windows.stride}, got {self.output_padding!r}"
            )
        object.__setattr__(self, "_windows", windows)
        object.__setattr__(self, "_output_padding", more)

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the weight, then the bias."""
        return _initial(self, rng, (self.in_channels, self.out_channels // self.groups, *self._windows.window))

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Convolve, add, activate."""
        weight, bias, windows = ps["weight"], ps["bias"] if self.use_bias else None, self._windows
        check_spatial(x, len(windows.window), self.in_channels)
        check_dtype(x, weight)
        options = {"stride": windows.stride, "padding": windows.padding, "dilation": windows.dilation}
        sizes = tuple(x.shape)[2:]
        if None not in sizes:
            made = transposed_sizes(sizes, windows.window, output_padding=self._output_padding, **options)
            if min(*sizes, *made) < 1:
                raise LayerError(f"expects an input of which its padding leaves something, got {shape_text(x)}")
        y = ops.conv_transpose(
            *(x, weight, bias),
            output_padding=self._output_padding,
            groups=self.groups,
            flip=not self.cross_correlation,
            **options,
        )
        return self.activation(y), st

    @classmethod
    def from_weight(
        cls, weight: Array, bias: Any = True, activation: Activation = identity, **options: Any
    ) -> tuple[Self, dict[str, Any]]:
        """Build the layer that a weight (in, out / groups, *kernel) belongs to, and its parameters: ``layer, ps``.

        The bias as for `Conv.from_weight`.

        Raises: ValueError if the weight has no kernel or the bias is not one number per output channel
        Source: Flux.jl ``ConvTranspose(weight, bias, activation)``

        >>> import numpy as np
        >>> ConvTranspose.from_weight(np.ones((4, 1, 3, 3)), groups=2)[0]
        ConvTranspose((3, 3), 4, 2, groups=2)
        """
        channels, part, *kernel = _weight_shape(cls, weight, "(in, out / groups, *kernel)")
        options["use_bias"] = bias is not False
        layer = cls(tuple(kernel), channels, part * options.get("groups", 1), activation, **options)
        return layer, _given(layer, weight, bias)


_PAD = {"reflect": ops.pad_reflect, "edge": ops.pad_edge, "circular": ops.pad_circular}


def _check_channels(name: str, in_channels: int, out_channels: int, groups: int) -> None:
    if min(in_channels, out_channels, groups) < 1 or in_channels % groups or out_channels % groups:
        raise ValueError(
            f"{name} expects positive numbers of channels that groups divides, "
            f"got {in_channels} -> {out_channels} in groups={groups}"
        )


def _initial(layer: Conv | ConvTranspose, rng: Rng, shape: Sizes) -> dict[str, Any]:
    weight = layer.init_weight(rng, shape)
    if tuple(weight.shape) != shape:
        raise ValueError(f"{type(layer).__name__} expects init_weight to return {shape}, got {tuple(weight.shape)}")
    return {"weight": weight} | ({"bias": layer.init_bias(rng, (layer.out_channels,))} if layer.use_bias else {})


def _weight_shape(cls: type, weight: Array, pattern: str) -> Sizes:
    shape = tuple(weight.shape)
    if len(shape) < 3:
        raise ValueError(f"{cls.__name__} expects a weight {pattern}, got {shape}")
    return shape


def _given(layer: Conv | ConvTranspose, weight: Array, bias: Any) -> dict[str, Any]:
    """Return the parameters that a user hands in; a bias of True is zeros."""
    if bias is False:
        return {"weight": weight}
    wanted = (layer.out_channels,)
    if bias is True:
        bias = namespace(weight).zeros(wanted, dtype=weight.dtype, device=device(weight))
    if tuple(bias.shape) != wanted:
        name, shape = type(layer).__name__, tuple(weight.shape)
        raise ValueError(f"{name} expects a bias {wanted} for its weight {shape}, got {tuple(bias.shape)}")
    return {"weight": weight, "bias": bias}
