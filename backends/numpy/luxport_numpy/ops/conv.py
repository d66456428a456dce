"""NumPy's overrides of convolution and of `fold_nd`."""

from __future__ import annotations

import math
from typing import Any

import array_api_compat.numpy as xp
import numpy as np

from luxport import ops
from luxport.backend.dtypes import widen_halves
from luxport.ops.windows import Pairs, Sizes, count_places, measure_covered, pad_axis, pad_spatial, yield_window_slices

__all__ = ["conv_nd", "fold_nd"]

_definition = ops.definition_of(ops.conv_nd)

_COLUMNS_BYTES = 1 << 19  # the size of a block that fits into the second-level cache


def conv_nd(
    x: Any, weight: Any, bias: Any, *, stride: Sizes, padding: Pairs, dilation: Sizes, groups: int, flip: bool
) -> Any:
    """Multiply the kernels by copies of all windows, for as many samples at a time as fit into the cache."""
    if "b" in (x.dtype.kind, weight.dtype.kind):  # the definition raises an error
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "flip": flip}
        return _definition(x, weight, bias, **options)
    kernel = weight.shape[2:]
    dtype = np.result_type(x, weight)
    if flip:
        weight = np.flip(weight, tuple(range(2, weight.ndim)))
    rows = weight.reshape(groups, weight.shape[0] // groups, -1)
    slices = list(yield_window_slices(pad_spatial(x, padding), kernel, stride=stride, dilation=dilation))
    places = slices[0].shape[2:]
    samples, channels = x.shape[:2]
    sample = (channels, len(slices), *places)
    at_once = max(1, min(samples, _COLUMNS_BYTES // (math.prod(sample) * dtype.itemsize)))
    columns = np.empty((at_once, *sample), dtype)
    y = np.empty((samples, groups, rows.shape[1], math.prod(places)), dtype)
    for start in range(0, samples, at_once):
        block = columns[: samples - start]
        for position, values in enumerate(slices):
            block[:, :, position] = values[start : start + at_once]
        np.matmul(rows, block.reshape(len(block), groups, rows.shape[2], y.shape[3]), out=y[start : start + at_once])
    y = y.reshape(samples, len(weight), *places)
    return y if bias is None else y + bias.reshape(-1, *[1] * len(kernel))


def fold_nd(columns: Any, *, output_size: Sizes, window: Sizes, padding: Pairs, flip: bool, **pace: Any) -> Any:
    """Add the windows in place to an array that covers all of them, and crop or pad it to the output size."""
    places = count_places(output_size, window, padding=padding, **pace)
    columns = columns.reshape(len(columns), columns.shape[1] // math.prod(window), math.prod(window), *places)
    reach = measure_covered(places, window, **pace)
    kind, columns = columns.dtype, widen_halves(xp, columns)
    y = np.zeros((*columns.shape[:2], *reach), columns.dtype)
    for tap, part in enumerate(yield_window_slices(y, window, **pace)):
        part += columns[:, :, -1 - tap if flip else tap]
    for axis, (low, _) in enumerate(padding):
        y = pad_axis(y, axis + 2, -low, output_size[axis] + low - reach[axis])
    return y.astype(kind, copy=False)
