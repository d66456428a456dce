"""Convolutions, as correlations with flipped kernels."""

from __future__ import annotations

from typing import Any

from luxport import ops
from luxport.ops.windows import Pairs, Sizes, count_places, count_transposed, find_transposed_padding, pad_spatial
from luxport_onnx.graph import Array, record
from luxport_onnx.ops.windows import write_windows
from luxport_onnx.xp import flip as reverse

__all__ = ["conv_nd", "conv_transpose_nd"]

_define_conv = ops.definition_of(ops.conv_nd)
_define_transpose = ops.definition_of(ops.conv_transpose_nd)


def conv_nd(x: Array, weight: Array, bias: Array | None, *, groups: int, flip: bool, **windows: Any) -> Array:
    """Record one operator."""
    if not _is_native(x, weight, bias):
        return _define_conv(x, weight, bias, groups=groups, flip=flip, **windows)
    out, _, *kernel = weight.shapes[0]
    return record(
        *("Conv", x, _arrange_kernels(weight, flip), bias),
        dtype=x.dtype,
        shapes=[(s[0], out, *count_places(s[2:], tuple(kernel), **windows)) for s in x.shapes],
        group=groups,
        **write_windows(tuple(kernel), **windows),
    )


def conv_transpose_nd(
    x: Array,
    weight: Array,
    bias: Array | None,
    *,
    padding: Pairs,
    output_padding: Sizes,
    groups: int,
    flip: bool,
    **pace: Any,
) -> Array:
    """Record one operator, and a pad after it for negative padding and for output padding beyond a stride."""
    if not _is_native(x, weight, bias):
        options: Any = {"padding": padding, "output_padding": output_padding, "groups": groups, "flip": flip}
        return _define_transpose(x, weight, bias, **options, **pace)
    kernel = weight.shapes[0][2:]
    around = find_transposed_padding(padding, output_padding)
    # The operator only cuts away. Where zeros are added after it, the bias is added after them.
    cut = tuple([(max(-low, 0), max(-high, 0)) for low, high in around])
    more = tuple([(max(low, 0), max(high, 0)) for low, high in around])
    adds = any(map(any, more))
    windows = {**pace, "padding": cut}
    none = (0,) * len(kernel)
    y = record(
        *("ConvTranspose", x, _arrange_kernels(weight, flip), None if adds else bias),
        dtype=x.dtype,
        shapes=[
            (s[0], weight.shapes[0][1] * groups, *count_transposed(s[2:], kernel, **windows, output_padding=none))
            for s in x.shapes
        ],
        group=groups,
        **write_windows(kernel, **windows),
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


def _arrange_kernels(weight: Array, flip: bool) -> Array:
    return reverse(weight, axis=tuple(range(2, weight.ndim))) if flip else weight
