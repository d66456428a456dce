"""Convolutions, as correlations with flipped kernels."""

from __future__ import annotations

from typing import Any

from luxport import ops
from luxport.ops.windows import Pairs, Sizes, count_places, count_transposed, find_transposed_padding, pad_spatial
from luxport_onnx.graph import Array, record
from luxport_onnx.xp import flip

__all__ = ["conv_nd", "conv_transpose_nd"]

_define_conv = ops.definition_of(ops.conv_nd)
_define_transpose = ops.definition_of(ops.conv_transpose_nd)


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
    """Record one operator."""
    options: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    if not _is_native(x, weight, bias):
        return _define_conv(x, weight, bias, **options, groups=groups, flip=flip)
    kernel = weight.shapes[0][2:]
    shapes = [(s[0], weight.shapes[0][0], *count_places(s[2:], kernel, **options)) for s in x.shapes]
    return record(
        *("Conv", x, _arrange_kernels(weight, flip), bias),
        dtype=x.dtype,
        shapes=shapes,
        kernel_shape=list(kernel),
        strides=_list_unless(1, stride),
        pads=_list_pads(padding),
        dilations=_list_unless(1, dilation),
        group=groups,
    )


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
    """Record one operator, and a pad after it for negative padding and for output padding beyond a stride."""
    options: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    if not _is_native(x, weight, bias):
        return _define_transpose(x, weight, bias, **options, output_padding=output_padding, groups=groups, flip=flip)
    kernel = weight.shapes[0][2:]
    around = find_transposed_padding(padding, output_padding)
    # The operator only cuts away. Where zeros are added after it, the bias is added after them.
    cut = tuple([(max(-low, 0), max(-high, 0)) for low, high in around])
    more = tuple([(max(low, 0), max(high, 0)) for low, high in around])
    adds = any(map(any, more))
    options = {"stride": stride, "padding": cut, "dilation": dilation, "output_padding": (0,) * len(kernel)}
    shapes = [(s[0], weight.shapes[0][1] * groups, *count_transposed(s[2:], kernel, **options)) for s in x.shapes]
    y = record(
        *("ConvTranspose", x, _arrange_kernels(weight, flip), None if adds else bias),
        dtype=x.dtype,
        shapes=shapes,
        kernel_shape=list(kernel),
        strides=_list_unless(1, stride),
        pads=_list_pads(cut),
        dilations=_list_unless(1, dilation),
        group=groups,
    )
    if not adds:
        return y
    y = pad_spatial(y, more)
    return y if bias is None else y + bias[(slice(None), *[None] * len(kernel))]


def _is_native(x: Array, weight: Array, bias: Array | None) -> bool:
    """Tell whether onnxruntime has the operator for these: one dtype of up to 32 bits, up to three axes."""
    return (
        x.dtype.name in ("float16", "float32")
        and x.dtype == weight.dtype
        and (bias is None or bias.dtype == x.dtype)
        and x.ndim <= 5
        and x.shape[0] != 0
        and not x.is_constant
    )


_flip = flip


def _arrange_kernels(weight: Array, flip: bool) -> Array:
    return _flip(weight, axis=tuple(range(2, weight.ndim))) if flip else weight


def _list_pads(padding: Pairs) -> list[int] | None:
    return [low for low, _ in padding] + [high for _, high in padding] if any(map(any, padding)) else None


def _list_unless(usual: int, values: Sizes) -> list[int] | None:
    return None if all([n == usual for n in values]) else list(values)
