"""Convolution by JAX."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from luxport import ops
from luxport.backend.dtypes import plus
from luxport.ops.windows import Pairs, Sizes, transposed_padding

__all__ = ["conv_nd", "conv_transpose_nd"]

_definition = ops.definition_of(ops.conv_nd)
_transpose_definition = ops.definition_of(ops.conv_transpose_nd)


def conv_nd(
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
    return y if bias is None else plus(jnp, y, bias.reshape(-1, *[1] * len(stride)))


def conv_transpose_nd(
    x: Any,
    weight: Any,
    bias: Any,
    *,
    stride: Sizes,
    padding: Pairs,
    dilation: Sizes,
    output_padding: Sizes,
    groups: int,
    flip: bool,
) -> Any:
    """One call of the compiler's correlation, of x with zeros between its entries."""
    if x.dtype != weight.dtype:
        return _transpose_definition(
            *(x, weight, bias),
            stride=stride,
            padding=padding,
            dilation=dilation,
            output_padding=output_padding,
            groups=groups,
            flip=flip,
        )
    channels, part, *kernel = weight.shape
    weight = weight.reshape(groups, channels // groups, part, *kernel).swapaxes(1, 2)
    weight = weight.reshape(groups * part, channels // groups, *kernel)
    if not flip:
        weight = lax.rev(weight, tuple(range(2, weight.ndim)))
    around = [
        (d * (k - 1) + low, d * (k - 1) + high)
        for k, d, (low, high) in zip(kernel, dilation, transposed_padding(padding, output_padding), strict=True)
    ]
    y = lax.conv_general_dilated(
        *(x, weight, (1,) * len(kernel), around),
        lhs_dilation=stride,
        rhs_dilation=dilation,
        feature_group_count=groups,
    )
    return y if bias is None else plus(jnp, y, bias.reshape(-1, *[1] * len(kernel)))
