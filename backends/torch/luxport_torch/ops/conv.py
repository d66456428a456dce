"""Convolution by PyTorch."""

from __future__ import annotations

import torch
from torch.nn import functional

from luxport import ops
from luxport.ops.windows import Pairs, Sizes

__all__ = ["conv", "padded"]

_CONV = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_definition = ops.definition_of(ops.conv)


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
    if correlate is None or x.dtype is not weight.dtype or not (x.is_floating_point() or x.is_complex()):
        return _definition(
            *(x, weight, bias), stride=stride, padding=padding, dilation=dilation, groups=groups, flip=flip
        )
    if flip:
        weight = weight.flip(tuple(range(2, weight.ndim)))
    if all(low == high for low, high in padding):
        around = tuple(low for low, _ in padding)
    else:
        x, around = padded(x, padding, 0.0), (0,) * len(stride)
    return correlate(x, weight, bias, stride, around, dilation, groups)


def padded(x: torch.Tensor, padding: Pairs, value: float) -> torch.Tensor:
    """Put a constant around the spatial axes, which the library lists from the last to the first."""
    return functional.pad(x, [n for pair in reversed(padding) for n in pair], value=value)
