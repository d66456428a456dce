"""Windows copied out as columns (im2col), and columns added up where they came from (col2im): `unfold`, `fold`."""

from __future__ import annotations

import math
from typing import Any

from luxport.backend import Array, match_sizes, namespace
from luxport.backend.arguments import check_call, write_short
from luxport.backend.dtypes import run_wide
from luxport.backend.option_rules import FLAG
from luxport.errors import LayerError, LayerTypeError, shape_text
from luxport.ops._operation import operation
from luxport.ops.shapes import read_sizes
from luxport.ops.windows import (
    WRITTEN_OUT,
    Pairs,
    PerAxis,
    PerSide,
    Sizes,
    add_windows,
    check_padding,
    check_room,
    check_written_out,
    count_places,
    measure_covered,
    pad_spatial,
    write_out,
    write_per_axis,
    yield_window_slices,
)

__all__ = ["fold", "fold_nd", "unfold", "unfold_nd"]


def _check_windows(x: Array, *, window: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes, flip: bool) -> None:
    check_room(x, window, stride, padding, dilation)


def _check_columns(columns: Array, *, output_size: Sizes, window: Sizes, flip: bool, **windows: Any) -> None:
    """Expect columns as `unfold` makes them; an unknown size fits any other."""
    shape = columns.shape
    check_written_out(len(window), windows["padding"], window, output_size, windows["stride"], windows["dilation"])
    check_padding(windows["padding"])
    places = count_places(output_size, window, **windows)
    entries, wanted = math.prod(window), math.prod(places)
    fits = len(shape) == 3 and min(places) > 0 and match_sizes(shape[2], wanted)
    if not fits or (shape[1] is not None and (shape[1] == 0 or shape[1] % entries)):
        raise LayerError(
            f"expects columns (N, C * {entries}, {wanted}) for {places} places of the window {window}, "
            f"got {shape_text(columns)}"
        )


@operation(takes="x (N, C, ...)", rules=WRITTEN_OUT, early=False, guard=_check_windows)
@run_wide  # the gradient of an element is a sum over the windows that contain it, taken in float32
def unfold_nd(x: Array, *, window: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes, flip: bool) -> Array:
    """Copy windows as `unfold` does, with every option given, for each spatial axis.

    Args:
        window: the sizes of the window, one for each spatial axis
        stride: the distance between places, one for each spatial axis
        padding: a pair (low, high) for each spatial axis
        dilation: the distance between elements of the window, one for each spatial axis
        flip: whether each window is copied back to front

    Shapes: x (N, C, *spatial) -> (N, C * math.prod(window), math.prod(places))
    """
    xp = namespace(x)
    slices = list(yield_window_slices(pad_spatial(x, padding), window, stride=stride, dilation=dilation))
    columns = xp.stack(slices[::-1] if flip else slices, axis=2)
    shape = read_sizes(columns)
    return xp.reshape(columns, (-1, shape[1] * shape[2], math.prod(shape[3:])))


@check_call("x (N, C, ...)", rules={"flip": FLAG}, canonical=unfold_nd)
def unfold(
    x: Array,
    *,
    window: PerAxis,
    stride: PerAxis = 1,
    padding: PerSide = 0,
    dilation: PerAxis = 1,
    flip: bool = False,
) -> Array:
    """Copy the elements of each window into a column (im2col); a convolution is a product with these columns.

    Outside x there are zeros.

    Args:
        window: the sizes of the window: an int for all spatial axes, or one for each
        stride: the distance between windows: an int for all spatial axes, or one for each
        padding: an int for all sides, or a tuple of an int or a pair (low, high) for each spatial axis
        dilation: the distance between elements of a window: an int for all spatial axes, or one for each
        flip: whether each window is copied back to front

    Shapes: x (N, C, *spatial) -> (N, C * math.prod(window), math.prod(places)), see `count_places`; the channels
            slowest, both parts in C order
    Source: NNlib ``unfold``, whose ``flipped=true`` is ``flip=False``

    >>> import numpy as np
    >>> x = np.arange(1.0, 5.0)[None, None]
    >>> unfold(x, window=2)
    array([[[1., 2., 3.],
            [2., 3., 4.]]])
    """
    rank = len(x.shape) - 2
    window = write_per_axis("window", window, rank)
    return unfold_nd(x, window=window, **write_out(rank, stride, padding, dilation), flip=flip)


@operation(takes="columns numbers (N, rows, places)", rules=WRITTEN_OUT, check=_check_columns)
@run_wide
def fold_nd(
    columns: Array,
    *,
    output_size: Sizes,
    window: Sizes,
    stride: Sizes,
    padding: Pairs,
    dilation: Sizes,
    flip: bool,
) -> Array:
    """Add columns up as `fold` does, with every option given, for each spatial axis.

    Args:
        output_size: the sizes of the spatial axes of the result
        window: the sizes of the window, one for each spatial axis
        stride: the distance between places, one for each spatial axis
        padding: a pair (low, high) for each spatial axis
        dilation: the distance between elements of the window, one for each spatial axis
        flip: whether each window was copied back to front

    Shapes: columns (N, C * math.prod(window), math.prod(places)) -> (N, C, *output_size)
    """
    xp = namespace(columns)
    places = count_places(output_size, window, stride=stride, padding=padding, dilation=dilation)
    columns = xp.reshape(columns, (-1, columns.shape[1] // math.prod(window), *window, *places))
    if flip:
        columns = xp.flip(columns, axis=tuple(range(2, len(window) + 2)))
    y = add_windows(columns, window, stride=stride, dilation=dilation)
    # Remove what lies in the padding, and add zeros for the elements that no window covers.
    covered = measure_covered(places, window, stride=stride, dilation=dilation)
    missing = [n + low - reach for n, (low, _), reach in zip(output_size, padding, covered, strict=True)]
    return pad_spatial(y, tuple([(-low, high) for (low, _), high in zip(padding, missing, strict=True)]))


@check_call("columns numbers (N, rows, places)", rules={"flip": FLAG}, canonical=fold_nd)
def fold(
    columns: Array,
    *,
    output_size: Sizes,
    window: PerAxis,
    stride: PerAxis = 1,
    padding: PerSide = 0,
    dilation: PerAxis = 1,
    flip: bool = False,
) -> Array:
    """Add columns up where `unfold` took them from (col2im): its transpose, not its inverse.

    Args:
        output_size: the sizes of the spatial axes of the result
        window: the sizes of the window: an int for all spatial axes, or one for each
        stride: the distance between windows: an int for all spatial axes, or one for each
        padding: an int for all sides, or a tuple of an int or a pair (low, high) for each spatial axis
        dilation: the distance between elements of a window: an int for all spatial axes, or one for each
        flip: whether each window was copied back to front

    Shapes: columns (N, C * math.prod(window), math.prod(places)) -> (N, C, *output_size)
    Source: NNlib ``fold``

    >>> import numpy as np
    >>> columns = np.asarray([[[1.0, 2.0, 3.0], [20.0, 30.0, 40.0]]])
    >>> fold(columns, output_size=(4,), window=2)
    array([[[ 1., 22., 33., 40.]]])
    """
    if not isinstance(output_size, tuple):
        raise LayerTypeError(f"expects output_size as a tuple, one per spatial axis, got {write_short(output_size)}")
    rank = len(output_size)
    size, window = write_per_axis("output_size", output_size, rank), write_per_axis("window", window, rank)
    windows = write_out(rank, stride, padding, dilation)
    return fold_nd(columns, output_size=size, window=window, **windows, flip=flip)
