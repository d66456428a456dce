"""Convolution by PyTorch."""

from __future__ import annotations

import torch
from torch.nn import functional

from luxport import ops
from luxport.ops.windows import Pairs, Sizes, transposed_padding
from luxport_torch.casting import casts

__all__ = ["conv", "conv_transpose", "padded", "sums_in_half"]

_CONV = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_TRANSPOSE = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}
_definition = ops.definition_of(ops.conv)
_transpose_definition = ops.definition_of(ops.conv_transpose)


def conv(
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
    """One call of the library's correlation, of the flipped kernel."""
    correlate = _CONV.get(len(stride))
    # The library has no correlation of integers and none of two dtypes.
    mixed = x.dtype is not weight.dtype or (bias is not None and bias.dtype is not x.dtype)
    casting = mixed and casts(x, weight) and (bias is None or casts(x, bias))
    if correlate is None or (mixed and not casting) or not (x.is_floating_point() or x.is_complex()):
        return _definition(
            *(x, weight, bias), stride=stride, padding=padding, dilation=dilation, groups=groups, flip=flip
        )
    if sums_in_half(x) and not casting:
        parameters = [None if array is None else array.float() for array in (weight, bias)]
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "flip": flip}
        return conv(x.float(), *parameters, **options).to(x.dtype)  # type: ignore[arg-type]
    if flip:
        weight = weight.flip(tuple(range(2, weight.ndim)))
    if all(low == high for low, high in padding):
        around = tuple(low for low, _ in padding)
    else:
        x, around = padded(x, padding, 0.0), (0,) * len(stride)
    return correlate(x, weight, bias, stride, around, dilation, groups)


def conv_transpose(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    *,
    stride: Sizes,
    padding: Pairs,
    dilation: Sizes,
    output_padding: Sizes,
    groups: int,
    flip: bool,
) -> torch.Tensor:
    """One call of the library's transposed correlation, of the flipped kernel; uneven padding is cut away after it."""
    correlate = _TRANSPOSE.get(len(stride))
    mixed = x.dtype is not weight.dtype or (bias is not None and bias.dtype is not x.dtype)
    casting = mixed and casts(x, weight) and (bias is None or casts(x, bias))
    if correlate is None or (mixed and not casting) or not (x.is_floating_point() or x.is_complex()):
        return _transpose_definition(
            *(x, weight, bias),
            stride=stride,
            padding=padding,
            dilation=dilation,
            output_padding=output_padding,
            groups=groups,
            flip=flip,
        )
    if sums_in_half(x) and not casting:
        parameters = [None if array is None else array.float() for array in (weight, bias)]
        options = {"stride": stride, "padding": padding, "dilation": dilation, "output_padding": output_padding}
        y = conv_transpose(x.float(), *parameters, **options, groups=groups, flip=flip)  # type: ignore[arg-type]
        return y.to(x.dtype)
    if flip:
        weight = weight.flip(tuple(range(2, weight.ndim)))
    # The library wants an output_padding below the stride or the dilation.
    usual = all(more < max(pace) for more, *pace in zip(output_padding, stride, dilation, strict=True))
    if usual and all(low == high >= 0 for low, high in padding):
        around = tuple(low for low, _ in padding)
        return correlate(x, weight, bias, stride, around, output_padding, groups, dilation)
    y = correlate(x, weight, None, stride, 0, 0, groups, dilation)
    y = padded(y, transposed_padding(padding, output_padding), 0.0)
    return y if bias is None else y + bias.reshape(-1, *[1] * len(stride))


def sums_in_half(x: torch.Tensor) -> bool:
    """Tell whether the library's gradients would add up in a half type: on the CPU they do, elsewhere in float32."""
    return x.is_cpu and x.is_floating_point() and x.dtype.itemsize < 4


def padded(x: torch.Tensor, padding: Pairs, value: float) -> torch.Tensor:
    """Put a constant around the spatial axes, which the library lists from the last to the first.

    Negative numbers cut away, which may be more than was there: that is done last.
    """
    around = [n for pair in reversed(padding) for n in pair]
    if min(around) >= 0:
        return functional.pad(x, around, value=value)
    if max(around) > 0:
        x = functional.pad(x, [max(n, 0) for n in around], value=value)
    return functional.pad(x, [min(n, 0) for n in around])
