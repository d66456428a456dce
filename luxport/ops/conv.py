"""Convolution on arrays."""

from __future__ import annotations

import math

from luxport.backend import Array, namespace
from luxport.ops.operation import operation
from luxport.ops.windows import Pairs, Sizes, pad_spatial, window_slices

__all__ = ["conv"]


@operation
def conv(
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
    """Convolve x with the weight's kernels; without `flip`, correlate it with them.

    ``y[n, o, i] = bias[o] + sum over c, k of x[n, c, s i + d k - low] weight[o, c, flip ? K - 1 - k : k]``, in as
    many spatial axes as there are; output channel o sees the input channels c of its group. x is 0 outside.
    Different dtypes are promoted.

    Shapes: x (N, C, *spatial), weight (out, C / groups, *kernel), bias (out,) or None -> (N, out, *places), see
            `output_sizes`
    Source: NNlib ``conv``

    >>> import numpy as np
    >>> x, weight = np.arange(1.0, 6.0)[None, None], np.array([[[1.0, 2.0]]])
    >>> options = dict(stride=(1,), padding=((0, 0),), dilation=(1,), groups=1)
    >>> conv(x, weight, None, flip=True, **options)
    array([[[ 4.,  7., 10., 13.]]])
    >>> conv(x, weight, None, flip=False, **options)
    array([[[ 5.,  8., 11., 14.]]])
    """
    xp = namespace(x, weight, bias)
    if x.dtype != weight.dtype:
        dtype = xp.result_type(x.dtype, weight.dtype)
        x, weight = xp.astype(x, dtype), xp.astype(weight, dtype)
    out, kernel = weight.shape[0], tuple(weight.shape)[2:]
    if flip:
        weight = xp.flip(weight, axis=tuple(range(2, len(kernel) + 2)))
    columns = xp.stack(list(window_slices(pad_spatial(x, padding), kernel, stride=stride, dilation=dilation)), axis=2)
    places = tuple(columns.shape)[3:]
    terms = weight.shape[1] * math.prod(kernel)
    columns = xp.reshape(columns, (-1, groups, terms, math.prod(places)))
    rows = xp.reshape(weight, (groups, out // groups, terms))
    y = xp.reshape(xp.matmul(rows, columns), (-1, out, *places))
    return y if bias is None else y + xp.reshape(bias, (out,) + (1,) * len(kernel))
