"""Pooling by NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from luxport.ops.windows import Pairs, Sizes, fold_windows, pad_spatial

__all__ = ["max_pool"]


def max_pool(x: Any, *, window: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes) -> Any:
    """Maxima, which need no care for equal elements where nothing is differentiated."""
    lowest = -math.inf if x.dtype.kind not in "iu" else np.iinfo(x.dtype).min
    return fold_windows(np.maximum, pad_spatial(x, padding, lowest), window, stride, dilation)
