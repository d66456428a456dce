"""NumPy's override of max pooling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from luxport import ops
from luxport.ops.windows import Pairs, Sizes, fold_windows, pad_spatial

__all__ = ["max_pool_nd"]

_definition = ops.definition_of(ops.max_pool_nd)


def max_pool_nd(x: Any, *, window: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes) -> Any:
    """Take maxima by `np.maximum`; as there are no gradients, it does not matter which of equal elements is taken."""
    if x.dtype.kind in "bc":
        return _definition(x, window=window, stride=stride, padding=padding, dilation=dilation)  # raises an error
    lowest = -math.inf if x.dtype.kind not in "iu" else np.iinfo(x.dtype).min
    return fold_windows(np.maximum, pad_spatial(x, padding, lowest), window, stride, dilation)
