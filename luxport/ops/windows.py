"""Windows that slide over the spatial axes of arrays (N, C, *spatial), for convolution, pooling and folding."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from functools import reduce
from operator import add
from typing import Any, TypeAlias

from luxport.backend import Array, find_array_device, namespace
from luxport.backend.arguments import write_short
from luxport.backend.memory import check_growth
from luxport.backend.option_rules import LARGEST_INT32, Rule, defer_rule, is_int
from luxport.errors import LayerError, shape_text
from luxport.ops.shapes import make_zero_slice, read_sizes

__all__ = [
    "WRITTEN_OUT",
    "Pairs",
    "PerAxis",
    "PerSide",
    "Sizes",
    "add_windows",
    "align_with_axis",
    "check_padding",
    "check_room",
    "check_written_out",
    "measure_covered",
    "fold_windows",
    "count_places",
    "pad_axis",
    "pad_spatial",
    "write_per_axis",
    "find_transposed_padding",
    "count_transposed",
    "yield_window_slices",
    "write_out",
]

Sizes: TypeAlias = tuple[int, ...]
"""A number for each spatial axis."""

Pairs: TypeAlias = tuple[tuple[int, int], ...]
"""How much to pad below and above, for each spatial axis."""

PerAxis: TypeAlias = int | Sizes
"""An int for all spatial axes, or one for each."""

PerSide: TypeAlias = int | tuple[int | tuple[int, int], ...]
"""An int for all sides, or for each spatial axis an int or a pair (low, high)."""


def _are_pairs(value: Any, shape: Any) -> bool:
    return _has_one_each(value, shape) and all([_is_pair(pair) for pair in value])


def _has_one_each(value: Any, shape: Any) -> bool:
    """Tell whether a value is a tuple with an entry for each spatial axis; for columns (N, rows, places) any length."""
    return isinstance(value, tuple) and (shape is None or len(shape) == 3 or len(value) == len(shape) - 2)


def _allow_ints(least: int) -> Rule:
    def are_ints(value: Any, shape: Any) -> bool:
        return _has_one_each(value, shape) and all([_is_int(n) and n >= least for n in value])

    return defer_rule(Rule(f"a tuple of ints from {least} to {LARGEST_INT32}, one for each spatial axis", are_ints))


WRITTEN_OUT = {
    **{name: _allow_ints(1) for name in ("output_size", "window", "stride", "dilation")},
    "output_padding": _allow_ints(0),
    "padding": defer_rule(
        Rule(f"a tuple of pairs (low, high), one for each spatial axis, to {LARGEST_INT32}", _are_pairs)
    ),
}
"""Rules of the options of windows after `write_out`; they explain calls that have failed."""


def write_per_axis(option: str, value: Any, rank: int, *, least: int = 1) -> Sizes:
    """Return an option as a tuple with an int for each of `rank` spatial axes; an int stands for all of them.

    Raises: LayerError if it is neither, or an int is less than `least`
    """
    sizes = (value,) * rank if is_int(value) else value
    if not isinstance(sizes, tuple) or len(sizes) != rank or not all([is_int(n) for n in sizes]):
        raise LayerError(f"expects one {option} for all spatial axes or a tuple of {rank}, got {write_short(value)}")
    if not all([n >= least for n in sizes]):
        raise LayerError(f"expects a {'positive' if least else 'non-negative'} {option}, got {write_short(value)}")
    if any([n > LARGEST_INT32 for n in sizes]):
        raise LayerError(f"expects {option} of at most {LARGEST_INT32}, got {write_short(value)}")
    return tuple([int(n) for n in sizes])


def write_out(
    rank: int, stride: PerAxis, padding: PerSide, dilation: PerAxis, *, may_be_negative: bool = False
) -> dict[str, Any]:
    """Return the options of windows by name, each with an entry for each of `rank` spatial axes.

    Raises: LayerError if one has another length or is out of range; a padding below 0 is, unless `may_be_negative`

    >>> write_out(2, 1, (1, (2, 0)), (3, 1))
    {'stride': (1, 1), 'padding': ((1, 1), (2, 0)), 'dilation': (3, 1)}
    """
    if rank < 1:
        raise LayerError(f"expects an array (N, C, *spatial) with a spatial axis or more, got one of {rank + 2} axes")
    entries: Any = (padding,) * rank if is_int(padding) else padding
    pairs: list[Any] = [(n, n) if is_int(n) else n for n in entries] if isinstance(entries, tuple) else []
    if len(pairs) != rank or not all([_is_pair(pair) for pair in pairs]):
        wanted = f"one padding for all sides or a tuple of {rank} ints or pairs, to {LARGEST_INT32}"
        raise LayerError(f"expects {wanted}, got {write_short(padding)}")
    if not may_be_negative and min([n for pair in pairs for n in pair]) < 0:
        raise LayerError(f"expects a non-negative padding, got {write_short(padding)}")
    return {
        "stride": write_per_axis("stride", stride, rank),
        "padding": tuple([(int(low), int(high)) for low, high in pairs]),
        "dilation": write_per_axis("dilation", dilation, rank),
    }


def check_written_out(rank: int, padding: Pairs, *sizes: Sizes) -> None:
    """Expect a pair, and sizes of at least 1, for each of `rank` spatial axes, as kernels require.

    Raises: LayerError, or Python's own error for what is no number; `WRITTEN_OUT` then says which option was wrong
    """
    fits = isinstance(padding, tuple) and len(padding) == rank
    for each in sizes:
        fits = fits and isinstance(each, tuple) and len(each) == rank
        for n in each:
            fits = fits and isinstance(n, int) and 1 <= n <= LARGEST_INT32
    if not fits or rank < 1:
        raise LayerError(f"expects windows on {rank} spatial axes with a number for each, got {padding} and {sizes}")


def check_padding(padding: Pairs) -> None:
    """Expect no negative padding, with which some kernels crop the input and others fail.

    Raises: LayerError
    """
    for low, high in padding:
        if low < 0 or high < 0:
            raise LayerError(f"expects a non-negative padding, got {padding}")


def check_room(x: Array, window: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes) -> None:
    """Expect channels, and room for the window along each spatial axis; an unknown size passes.

    Raises: LayerError
    """
    shape = x.shape
    check_written_out(len(shape) - 2, padding, window, stride, dilation)
    check_padding(padding)
    if shape[1] == 0:
        raise LayerError(f"expects at least one channel along axis 1, got {shape_text(x)}")
    for i, (k, (low, high), d) in enumerate(zip(window, padding, dilation, strict=True), start=2):
        size = shape[i]
        if size is not None and (size == 0 or size + low + high <= d * (k - 1)):
            least = max(1, d * (k - 1) + 1 - low - high)
            raise LayerError(
                f"expects at least {least} along axis {i} for its window of {k}, got {shape_text(x)}: pad the input"
            )
        if low + high > 1 << 20:
            check_growth(i, size, size + low + high if size is not None else None)


def count_places(sizes: Sizes, window: Sizes, *, stride: Sizes, padding: Pairs, dilation: Sizes) -> Sizes:
    """Count the positions of a window along each spatial axis: ``(size + low + high - d (k - 1) - 1) // s + 1``.

    Source: NNlib ``output_size``

    >>> count_places((10,), (3,), stride=(2,), padding=((1, 0),), dilation=(2,))
    (4,)
    """
    return tuple(
        (n + low + high - d * (k - 1) - 1) // s + 1
        for n, k, s, (low, high), d in zip(sizes, window, stride, padding, dilation, strict=True)
    )


def count_transposed(
    places: Sizes, window: Sizes, *, stride: Sizes, padding: Pairs, dilation: Sizes, output_padding: Sizes
) -> Sizes:
    """Return the output sizes of a transposed convolution: ``(n - 1) s + d (k - 1) + 1 - low - high + output_pad``.

    Source: NNlib ``conv_transpose_dims``

    >>> count_transposed((4,), (3,), stride=(2,), padding=((1, 0),), dilation=(2,), output_padding=(0,))
    (10,)
    """
    covered = measure_covered(places, window, stride=stride, dilation=dilation)
    return tuple(n - low - high + more for n, (low, high), more in zip(covered, padding, output_padding, strict=True))


def measure_covered(places: Sizes, window: Sizes, *, stride: Sizes, dilation: Sizes) -> Sizes:
    """Return the sizes that n windows along each axis cover: ``(n - 1) s + d (k - 1) + 1``."""
    return tuple((n - 1) * s + d * (k - 1) + 1 for n, k, s, d in zip(places, window, stride, dilation, strict=True))


def find_transposed_padding(padding: Pairs, output_padding: Sizes) -> Pairs:
    """Return how a transposed convolution pads the area that its kernels cover; a negative number crops.

    >>> find_transposed_padding(((1, 0),), (2,))
    ((-1, 2),)
    """
    return tuple([(-low, more - high) for (low, high), more in zip(padding, output_padding, strict=True)])


def pad_axis(x: Array, axis: int, low: int, high: int, value: float = 0.0) -> Array:
    """Pad an axis by a constant; a negative number crops instead.

    >>> import numpy as np
    >>> pad_axis(np.asarray([1.0, 2.0, 3.0]), 0, -1, 2)
    array([2., 3., 0., 0.])
    """
    xp = namespace(x)
    before = (slice(None),) * axis
    # Pad first, then crop: more may be cropped than there was.
    if low > 0 or high > 0:
        check_growth(axis, x.shape[axis], max(low, 0) + max(high, 0))
        # Made from a slice of x: the size of the batch may be known only when the program runs.
        edge = xp.full_like(
            x[(*before, slice(0, 1), ...)] if x.shape[axis] != 0 else make_zero_slice(xp, x, axis), value
        )
        x = xp.concat([edge] * low + [x] + [edge] * high, axis=axis)
    if low < 0 or high < 0:
        x = x[(*before, slice(max(-low, 0), high if high < 0 else None), ...)]
    return x


def pad_spatial(x: Array, padding: Pairs, value: float = 0.0) -> Array:
    """Pad the spatial axes by a constant.

    Shapes: x (N, C, *spatial), none of the spatial sizes 0 -> (N, C, *padded)

    >>> import numpy as np
    >>> pad_spatial(np.ones((1, 1, 2)), ((1, 2),))
    array([[[0., 1., 1., 0., 0.]]])
    """
    for axis, (low, high) in enumerate(padding, start=2):
        x = pad_axis(x, axis, low, high, value)
    return x


def yield_window_slices(x: Array, window: Sizes, *, stride: Sizes, dilation: Sizes) -> Iterator[Array]:
    """Yield, for each element of the window in C order, what it sees at all positions of the window.

    Shapes: x (N, C, *spatial) -> math.prod(window) arrays (N, C, *places)
    """
    for position in itertools.product(*map(range, window)):
        # Counted from both ends, so that the size need not be known.
        spatial = (
            slice(i * d, -(k - 1 - i) * d or None, s)
            for i, k, d, s in zip(position, window, dilation, stride, strict=True)
        )
        yield x[(slice(None), slice(None), *spatial)]


def fold_windows(
    combine: Callable[[Array, Array], Array], x: Array, window: Sizes, stride: Sizes, dilation: Sizes
) -> Array:
    """Reduce each window by a function of two arrays.

    This is done one axis after the other, the last first: if `combine` prefers the first of equal elements, that is
    then the first in C order.

    Shapes: x (N, C, *spatial) -> (N, C, *places)
    """
    alone = (1,) * len(window)
    for i in reversed(range(len(window))):
        k, s, d = ((*alone[:i], option[i], *alone[i + 1 :]) for option in (window, stride, dilation))
        x = reduce(combine, yield_window_slices(x, k, stride=s, dilation=d))
    return x


def align_with_axis(x: Array, axis: int, values: list[Any], dtype: Any) -> Array:
    """Return host values as an array that broadcasts with x, one value for each entry along an axis.

    >>> import numpy as np
    >>> align_with_axis(np.ones((4, 2, 3)), 1, [1.0, 2.0], np.float32).shape
    (2, 1)
    """
    xp = namespace(x)
    shape = (len(values), *[1] * (len(x.shape) - axis - 1))
    return xp.reshape(xp.asarray(values, dtype=dtype, device=find_array_device(x)), shape)


def add_windows(columns: Array, window: Sizes, *, stride: Sizes, dilation: Sizes) -> Array:
    """Add up the elements of overlapping windows, one axis after the other: the transpose of `yield_window_slices`.

    Shapes: columns (N, C, *window, *places) -> (N, C, *covered), along each axis
            ``(places - 1) stride + dilation (k - 1) + 1``
    """
    for i in reversed(range(len(window))):
        axis, taps, s, d = 2 + 2 * i, window[i], stride[i], dilation[i]
        spaced = _insert_zeros(columns, axis + 1, s)
        shifted = (
            pad_axis(spaced[(slice(None),) * (2 + i) + (tap, ...)], axis, tap * d, (taps - 1 - tap) * d)
            for tap in range(taps)
        )
        columns = reduce(add, shifted)
    return columns


def _is_int(value: Any) -> bool:
    return is_int(value) and -LARGEST_INT32 <= int(value) <= LARGEST_INT32


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all([_is_int(n) for n in value])


def _insert_zeros(x: Array, axis: int, stride: int) -> Array:
    """Insert stride - 1 zeros between neighbors along an axis."""
    if stride == 1:
        return x
    xp = namespace(x)
    shape = read_sizes(x)
    # Reshaped to four axes: TensorFlow's programs cannot slice more than eight, which windows in 3D have already.
    x = pad_axis(xp.reshape(x, (-1, shape[axis], 1, math.prod(shape[axis + 1 :]))), 2, 0, stride - 1)
    x = xp.reshape(x, (-1, *shape[1:axis], shape[axis] * stride, *shape[axis + 1 :]))
    return x[(slice(None),) * axis + (slice(0, 1 - stride), ...)]
