"""Pooling on arrays: one number for each place of a window."""

from __future__ import annotations

import math
from operator import add

from luxport.backend import Array, namespace
from luxport.ops.operation import operation
from luxport.ops.windows import Pairs, Sizes, fold_windows, pad_spatial

__all__ = ["max_pool", "mean_pool"]


@operation
def max_pool(x: Array, *, window: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes) -> Array:
    """Return the largest element at each place of the window; a NaN counts as the largest.

    The gradient goes to the first of equal ones. x is -inf outside (for integers, their least value).

    Shapes: x (N, C, *spatial) -> (N, C, *places), see `output_sizes`
    Source: NNlib ``maxpool``

    >>> import numpy as np
    >>> max_pool(np.arange(1.0, 6.0)[None, None], window=(2,), stride=(2,), padding=((1, 1),), dilation=(1,))
    array([[[1., 3., 5.]]])
    """
    xp = namespace(x)
    lowest = -math.inf if xp.isdtype(x.dtype, "real floating") else xp.iinfo(x.dtype).min

    def larger(first: Array, second: Array) -> Array:
        # Not `maximum`, whose gradient equal elements share: the first one takes it all.
        beaten = xp.logical_and(xp.logical_not(second <= first), first == first)
        return xp.where(beaten, second, first)

    return fold_windows(larger, pad_spatial(x, padding, lowest), window, stride, dilation)


@operation
def mean_pool(
    x: Array, *, window: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes, count_include_pad: bool = True
) -> Array:
    """Return the mean at each place of the window.

    x is 0 outside; without `count_include_pad` the mean is over the elements of x alone, and 0 where there are none.

    Shapes: x (N, C, *spatial) -> (N, C, *places), see `output_sizes`
    Source: NNlib ``meanpool``

    >>> import numpy as np
    >>> options = dict(window=(2,), stride=(2,), padding=((1, 1),), dilation=(1,))
    >>> mean_pool(np.arange(1.0, 6.0)[None, None], **options)
    array([[[0.5, 2.5, 4.5]]])
    >>> mean_pool(np.arange(1.0, 6.0)[None, None], **options, count_include_pad=False)
    array([[[1. , 2.5, 4.5]]])
    """
    xp = namespace(x)
    total = fold_windows(add, pad_spatial(x, padding), window, stride, dilation)
    if count_include_pad or not any(map(any, padding)):
        return total * (1.0 / math.prod(window))
    inside = pad_spatial(xp.ones_like(x[:1, :1, ...]), padding)
    count = fold_windows(add, inside, window, stride, dilation)
    return total / xp.where(count == 0, xp.ones_like(count), count)
