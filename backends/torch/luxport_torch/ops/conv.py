"""PyTorch's overrides of convolutions."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from luxport import ops
from luxport.ops.windows import Pairs, Sizes, find_transposed_padding
from luxport_torch.autocast import casts
from luxport_torch.readable_values import is_in_program, may_look

__all__ = ["conv_nd", "conv_transpose_nd"]

_CONV = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_TRANSPOSE = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}
_HAS_KERNELS = torch.backends.mkldnn.is_available()
_definition = ops.definition_of(ops.conv_nd)
_transpose_definition = ops.definition_of(ops.conv_transpose_nd)


def conv_nd(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    *,
    stride: Sizes,
    padding: Pairs,
    dilation: Sizes,
    groups: int,
    flip: bool,
) -> torch.Tensor:
    """Call PyTorch's convolution, which is a correlation: for a true convolution the kernel is flipped."""
    correlate, dtype = _CONV.get(len(stride)), _choose_dtype(x, weight, bias)
    if correlate is None or dtype is None:
        return _definition(
            *(x, weight, bias), stride=stride, padding=padding, dilation=dilation, groups=groups, flip=flip
        )
    kind = x.dtype
    if dtype is not kind:
        x, weight, bias = x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
    if flip:
        weight = weight.flip(tuple(range(2, weight.ndim)))
    if all(low == high for low, high in padding):
        around = tuple(low for low, _ in padding)
    else:
        x, around = pad_axes(x, padding, 0.0), (0,) * len(stride)
    if _is_faster_channels_last(x, weight):
        x = x.to(memory_format=torch.channels_last)
    y = correlate(x, weight, bias, stride, around, dilation, groups)
    return y if dtype is kind else y.to(kind)


def conv_transpose_nd(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, *, groups: int, flip: bool, **windows: Any
) -> torch.Tensor:
    """Call PyTorch's transposed convolution, with the kernel flipped if need be, and crop uneven padding."""
    stride, padding, dilation = windows["stride"], windows["padding"], windows["dilation"]
    output_padding = windows["output_padding"]
    correlate, dtype = _TRANSPOSE.get(len(stride)), _choose_dtype(x, weight, bias)
    if correlate is None or dtype is None:
        return _transpose_definition(x, weight, bias, groups=groups, flip=flip, **windows)
    kind = x.dtype
    if dtype is not kind:
        x, weight, bias = x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
    if flip:
        weight = weight.flip(tuple(range(2, weight.ndim)))
    # PyTorch requires that output_padding is smaller than the stride or the dilation.
    usual = all(more < max(pace) for more, *pace in zip(output_padding, stride, dilation, strict=True))
    if usual and all(low == high >= 0 for low, high in padding):
        around = tuple(low for low, _ in padding)
        y = correlate(x, weight, bias, stride, around, output_padding, groups, dilation)
    else:
        y = correlate(x, weight, None, stride, 0, 0, groups, dilation)
        y = pad_axes(y, find_transposed_padding(padding, output_padding), 0.0)
        y = y if bias is None else y + bias.reshape(-1, *[1] * len(stride))
    return y if dtype is kind else y.to(kind)


def _choose_dtype(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.dtype | None:
    """Return the dtype to compute in; None for integers, and for two dtypes that autocast does not convert."""
    dtype = x.dtype
    if dtype is not weight.dtype or (bias is not None and bias.dtype is not dtype):
        return dtype if casts(x, weight) and (bias is None or casts(x, bias)) else None
    if not (dtype.is_floating_point or dtype.is_complex):
        return None
    return torch.float32 if does_sum_in_half(x) else dtype


def does_sum_in_half(x: torch.Tensor) -> bool:
    """Return whether PyTorch would sum in a half type: it does on the CPU; elsewhere it sums in float32."""
    return x.is_cpu and x.is_floating_point() and x.dtype.itemsize < 4


def _is_faster_channels_last(x: torch.Tensor, weight: torch.Tensor) -> bool:
    """Return whether PyTorch's kernels are faster if channels are last in memory.

    The result then has that layout, too, so that a chain of layers converts its input once. For kernels of size 1, or a
    single image, the conversion takes longer than it saves.
    """
    several = x.ndim == 4 and x.shape[0] > 1 and weight.shape[2:].numel() > 1
    return several and x.dtype is torch.float32 and _HAS_KERNELS and (may_look(x) or (x.is_cpu and is_in_program()))


def pad_axes(x: torch.Tensor, padding: Pairs, value: float) -> torch.Tensor:
    """Pad the spatial axes with a constant.

    Negative numbers crop. As they may crop more than x itself has, cropping comes after padding.
    """
    around = [n for pair in reversed(padding) for n in pair]
    if min(around) >= 0:
        return functional.pad(x, around, value=value)
    if max(around) > 0:
        x = functional.pad(x, [max(n, 0) for n in around], value=value)
    return functional.pad(x, [min(n, 0) for n in around])
