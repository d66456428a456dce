"""Convolution by JAX."""

from __future__ import annotations

from typing import Any

from jax import lax

from luxport import ops
from luxport.ops.windows import Pairs, Sizes

__all__ = ["conv"]

_definition = ops.definition_of(ops.conv)


def conv(
    x: Any, weight: Any, bias: Any, *, stride: Sizes, padding: Pairs, dilation: Sizes, groups: int, flip: bool
) -> Any:
    """One call of the compiler's correlation, of the flipped kernel."""
    if x.dtype != weight.dtype:
        return _definition(
            *(x, weight, bias), stride=stride, padding=padding, dilation=dilation, groups=groups, flip=flip
        )
    if flip:
        weight = lax.rev(weight, tuple(range(2, weight.ndim)))
    y = lax.conv_general_dilated(x, weight, stride, padding, rhs_dilation=dilation, feature_group_count=groups)
    return y if bias is None else y + bias.reshape(-1, *[1] * len(stride))
