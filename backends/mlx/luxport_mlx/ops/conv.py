"""Convolution by MLX, which has channels last."""

from __future__ import annotations

from typing import Any

import mlx.core as mx

from luxport import ops
from luxport.backend.dtypes import add_parameter, run_wide
from luxport.ops.windows import Pairs, Sizes
from luxport_mlx import xp
from luxport_mlx.kernels import have_kernels

__all__ = ["conv_nd"]

_definition = ops.definition_of(ops.conv_nd)


def conv_nd(
    x: Any, weight: Any, bias: Any, *, stride: Sizes, padding: Pairs, dilation: Sizes, groups: int, flip: bool
) -> Any:
    """Flip the kernel, and call the library's correlation."""
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "flip": flip}
    if not _is_native(x, weight, groups):
        return _definition(x, weight, bias, **options)
    if flip:
        weight = mx.flip(weight, tuple(range(2, weight.ndim)))
    y = _correlate(x, weight, stride=stride, padding=padding, dilation=dilation, groups=groups)
    return y if bias is None else add_parameter(xp, y, bias.reshape(-1, *[1] * len(stride)))


def _is_native(x: mx.array, weight: mx.array, groups: int) -> bool:
    """Tell what the library takes: floats of one type, up to three spatial axes, and groups along two at most."""
    floating = have_kernels() and x.dtype == weight.dtype and mx.issubdtype(x.dtype, mx.floating)
    return floating and x.ndim < (6 if groups == 1 else 5) and 0 not in (*x.shape, *weight.shape)


@run_wide  # sums, those of gradients too, are taken in float32
def _correlate(x: Any, weight: Any, *, stride: Sizes, padding: Pairs, dilation: Sizes, groups: int) -> Any:
    last = (0, *range(2, x.ndim), 1)
    low, high = zip(*padding, strict=True)
    y = mx.conv_general(
        *(x.transpose(last), weight.transpose(last)),
        stride=stride,
        padding=(low, high),
        kernel_dilation=dilation,
        groups=groups,
    )
    return mx.moveaxis(y, -1, 1)
