"""Convolution and its transpose."""

from __future__ import annotations

import math
from typing import Any

from luxport.backend import Array, dtype_name, match_sizes, namespace
from luxport.backend.arguments import check_call, write_short
from luxport.backend.dtypes import add_parameter, expect_no_booleans, expect_one_kind, is_floating, promote, run_wide
from luxport.backend.memory import check_growth
from luxport.backend.option_rules import FLAG
from luxport.errors import LayerError, LayerTypeError, shape_text
from luxport.ops._operation import operation
from luxport.ops.shapes import read_sizes
from luxport.ops.windows import (
    WRITTEN_OUT,
    Pairs,
    PerAxis,
    PerSide,
    Sizes,
    add_windows,
    check_room,
    check_written_out,
    count_transposed,
    find_transposed_padding,
    pad_spatial,
    write_out,
    write_per_axis,
    yield_window_slices,
)

__all__ = ["conv", "conv_nd", "conv_transpose", "conv_transpose_nd"]


def _check(
    x: Array,
    weight: Array,
    bias: Array | None,
    *,
    stride: Sizes,
    padding: Pairs,
    dilation: Sizes,
    groups: int,
    **options: Any,
) -> None:
    sizes = tuple(weight.shape)
    _check_weight(x, weight, sizes[1] * groups, groups, "(out, in / groups, *kernel)")
    if bias is not None:
        _check_bias(bias, weight, sizes[0])
    check_room(x, sizes[2:], stride, padding, dilation)


def _check_transpose(
    x: Array,
    weight: Array,
    bias: Array | None,
    *,
    output_padding: Sizes,
    groups: int,
    flip: bool,
    **windows: Any,
) -> None:
    sizes = tuple(weight.shape)
    _check_weight(x, weight, sizes[0], groups, "(in, out / groups, *kernel)")
    if bias is not None:
        _check_bias(bias, weight, sizes[1] * groups)
    places = tuple(x.shape)[2:]
    check_written_out(len(places), windows["padding"], windows["stride"], windows["dilation"])
    if not isinstance(output_padding, tuple) or len(output_padding) != len(places) or min(output_padding) < 0:
        raise LayerError(f"expects output_padding of {len(places)} sizes, got {write_short(output_padding)}")
    if None in places:
        return
    results = count_transposed(places, sizes[2:], **windows, output_padding=output_padding)
    if any([n < 1 for n in (*places, *results)]):
        raise LayerError(f"expects an input that its padding does not remove altogether, got {shape_text(x)}")
    for axis, (n, new) in enumerate(zip(places, results, strict=True), start=2):
        check_growth(axis, n, new)


def _check_weight(x: Array, weight: Array, channels: int, groups: int, pattern: str) -> None:
    expect_no_booleans(weight)
    sizes = tuple(weight.shape)
    if x.dtype != weight.dtype:
        expect_one_kind(x, weight)
    shape = x.shape
    matches = len(sizes) == len(shape) and match_sizes(shape[1], channels) and 0 not in sizes
    if not matches or groups < 1 or groups is True or sizes[0] % groups:
        got = f"{sizes} for {shape_text(x)} in {groups} groups"
        raise LayerError(f"expects a weight {pattern} that fits x (N, in, *spatial), got {got}")


def _check_bias(bias: Array, weight: Array, channels: int) -> None:
    if len(bias.shape) != 1 or not match_sizes(bias.shape[0], channels):
        raise LayerError(f"expects bias ({channels},), one for each channel of the result, got {shape_text(bias)}")
    if bias.dtype != weight.dtype and not (is_floating(bias) and is_floating(weight)):
        raise LayerTypeError(f"expects bias in {dtype_name(weight)} as weight, got {dtype_name(bias)}")


_TAKES = "x numbers (N, in, ...), weight numbers ({}, channels, ...), bias (...)?"


@operation(takes=_TAKES.format("out"), rules=WRITTEN_OUT, early=False, guard=_check)
def conv_nd(
    x: Array,
    weight: Array,
    bias: Array | None,
    *,
    stride: Sizes,
    padding: Pairs,
    dilation: Sizes,
    groups: int,
    flip: bool,
) -> Array:
    """Convolve as `conv` does, with every option given, for each spatial axis.

    Args:
        stride: the distance between places, one for each spatial axis
        padding: a pair (low, high) for each spatial axis
        dilation: the distance between elements of the window, one for each spatial axis
        groups: into how many groups the channels are split, each of which is convolved separately
        flip: whether the kernel is flipped, as in a true convolution

    Shapes: x (N, C, *spatial), weight (out, C / groups, *kernel), bias (out,) or None -> (N, out, *places)
    """
    x, weight = promote(namespace(x, weight), x, weight)
    return _convolve(x, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups, flip=flip)


@run_wide  # sums are taken in float32, in gradients too
def _convolve(
    x: Array,
    weight: Array,
    bias: Array | None,
    *,
    stride: Sizes,
    padding: Pairs,
    dilation: Sizes,
    groups: int,
    flip: bool,
) -> Array:
    xp = namespace(x)
    out, kernel = weight.shape[0], tuple(weight.shape)[2:]
    if flip:
        weight = xp.flip(weight, axis=tuple(range(2, len(kernel) + 2)))
    columns = xp.stack(
        list(yield_window_slices(pad_spatial(x, padding), kernel, stride=stride, dilation=dilation)), axis=2
    )
    places = read_sizes(columns)[3:]
    terms = weight.shape[1] * math.prod(kernel)
    columns = xp.reshape(columns, (-1, groups, terms, math.prod(places)))
    rows = xp.reshape(weight, (groups, out // groups, terms))
    return _add_bias(xp, xp.reshape(xp.matmul(rows, columns), (-1, out, *places)), bias)


@check_call(_TAKES.format("out"), rules={"flip": FLAG}, canonical=conv_nd)
def conv(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: PerAxis = 1,
    padding: PerSide = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    flip: bool = True,
) -> Array:
    """Convolve x with the kernels of a weight; without `flip` this is a cross-correlation.

    ``y[n, o, i] = bias[o] + sum over c, k of x[n, c, s i + d k - low] weight[o, c, flip ? K - 1 - k : k]``, for any
    number of spatial axes; c are the input channels in the group of output channel o. Outside x there are zeros.
    Different dtypes are promoted.

    Args:
        stride: the distance between places of the kernel: an int for all spatial axes, or one for each
        padding: an int for all sides, or a tuple of an int or a pair (low, high) for each spatial axis
        dilation: the distance between elements of the kernel: an int for all spatial axes, or one for each
        groups: into how many groups the channels are split, each of which is convolved separately
        flip: whether the kernel is flipped, as in a true convolution

    Shapes: x (N, C, *spatial), weight (out, C / groups, *kernel), bias (out,) or None -> (N, out, *places), see
            `count_places`
    Source: NNlib ``conv``

    >>> import numpy as np
    >>> x, weight = np.arange(1.0, 6.0)[None, None], np.array([[[1.0, 2.0]]])
    >>> conv(x, weight)
    array([[[ 4.,  7., 10., 13.]]])
    >>> conv(x, weight, flip=False)
    array([[[ 5.,  8., 11., 14.]]])
    """
    windows = write_out(len(x.shape) - 2, stride, padding, dilation)
    return conv_nd(x, weight, bias, **windows, groups=groups, flip=flip)


@operation(takes=_TAKES.format("in"), rules=WRITTEN_OUT, early=False, guard=_check_transpose)
def conv_transpose_nd(
    x: Array,
    weight: Array,
    bias: Array | None,
    *,
    stride: Sizes,
    padding: Pairs,
    dilation: Sizes,
    output_padding: Sizes,
    groups: int,
    flip: bool,
) -> Array:
    """Convolve as `conv_transpose` does, with every option given, for each spatial axis.

    Args:
        stride: the distance between places, one for each spatial axis
        padding: a pair (low, high) for each spatial axis
        dilation: the distance between elements of the window, one for each spatial axis
        output_padding: how many zeros are added above, one for each spatial axis
        groups: into how many groups the channels are split, each of which is convolved separately
        flip: whether the kernel is flipped, as in a true convolution

    Shapes: x (N, C, *places), weight (C, out / groups, *kernel), bias (out,) or None -> (N, out, *spatial)
    """
    x, weight = promote(namespace(x, weight), x, weight)
    around = find_transposed_padding(padding, output_padding)
    options = {"stride": stride, "around": around, "dilation": dilation, "groups": groups, "flip": flip}
    return _transpose_convolve(x, weight, bias, **options)


@run_wide
def _transpose_convolve(
    x: Array,
    weight: Array,
    bias: Array | None,
    *,
    stride: Sizes,
    around: Pairs,
    dilation: Sizes,
    groups: int,
    flip: bool,
) -> Array:
    xp = namespace(x)
    channels, kernel, places = weight.shape[0], tuple(weight.shape)[2:], read_sizes(x)[2:]
    out = weight.shape[1] * groups
    rows = xp.reshape(weight, (groups, channels // groups, out // groups * math.prod(kernel)))
    columns = xp.matmul(xp.matrix_transpose(rows), xp.reshape(x, (-1, groups, channels // groups, math.prod(places))))
    columns = xp.reshape(columns, (-1, out, *kernel, *places))
    if flip:
        columns = xp.flip(columns, axis=tuple(range(2, len(kernel) + 2)))
    return _add_bias(xp, pad_spatial(add_windows(columns, kernel, stride=stride, dilation=dilation), around), bias)


@check_call(_TAKES.format("in"), rules={"flip": FLAG}, canonical=conv_transpose_nd)
def conv_transpose(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: PerAxis = 1,
    padding: PerSide = 0,
    dilation: PerAxis = 1,
    output_padding: PerAxis = 0,
    groups: int = 1,
    flip: bool = True,
) -> Array:
    """Transposed convolution: the gradient of `conv` with respect to its input.

    ``y[n, o, s i + d k - low] = bias[o] + sum over c, i, k of x[n, c, i] weight[c, o, flip ? K - 1 - k : k]``: each
    element of x adds a multiple of a kernel to the result. Padding is removed from the result (a negative one adds
    zeros). Different dtypes are promoted.

    Args:
        stride: the distance between places of the kernel: an int for all spatial axes, or one for each
        padding: an int for all sides, or a tuple of an int or a pair (low, high) for each spatial axis
        dilation: the distance between elements of the kernel: an int for all spatial axes, or one for each
        output_padding: how many zeros are added above: an int for all spatial axes, or one for each
        groups: into how many groups the channels are split, each of which is convolved separately
        flip: whether the kernel is flipped, as in a true convolution

    Shapes: x (N, C, *places), weight (C, out / groups, *kernel), bias (out,) or None -> (N, out, *spatial), see
            `count_transposed`
    Source: NNlib ``∇conv_data``

    >>> import numpy as np
    >>> x, weight = np.asarray([[[1.0, 10.0]]]), np.array([[[1.0, 2.0, 3.0]]])
    >>> conv_transpose(x, weight, stride=2, flip=False)
    array([[[ 1.,  2., 13., 20., 30.]]])
    >>> conv_transpose(x, weight, stride=2)
    array([[[ 3.,  2., 31., 20., 10.]]])
    """
    rank = len(x.shape) - 2
    windows = write_out(rank, stride, padding, dilation, may_be_negative=True)
    more = write_per_axis("output_padding", output_padding, rank, least=0)
    return conv_transpose_nd(x, weight, bias, **windows, output_padding=more, groups=groups, flip=flip)


def _add_bias(xp: Any, y: Array, bias: Array | None) -> Array:
    return y if bias is None else add_parameter(xp, y, xp.reshape(bias, (-1,) + (1,) * (len(y.shape) - 2)))
