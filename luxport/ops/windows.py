"""Windows that slide over the spatial axes of arrays (N, C, *spatial): what convolution and pooling have in common."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any, TypeAlias

from luxport.backend import Array, namespace

__all__ = ["Pairs", "Sizes", "fold_windows", "output_sizes", "pad_spatial", "window_slices"]

Sizes: TypeAlias = tuple[int, ...]
"""One number per spatial axis."""

Pairs: TypeAlias = tuple[tuple[int, int], ...]
"""How much to pad below and above, per spatial axis."""


def output_sizes(sizes: Sizes, window: Sizes, *, stride: Sizes, padding: Pairs, dilation: Sizes) -> Sizes:
    """Count the places of a window along each spatial axis: ``(size + low + high - d (k - 1) - 1) // s + 1``.

    Source: NNlib ``output_size``

    >>> output_sizes((10,), (3,), stride=(2,), padding=((1, 0),), dilation=(2,))
    (4,)
    """
    return tuple(
        (n + low + high - d * (k - 1) - 1) // s + 1
        for n, k, s, (low, high), d in zip(sizes, window, stride, padding, dilation, strict=True)
    )


def pad_spatial(x: Array, padding: Pairs, value: float = 0.0) -> Array:
    """Put a constant around the spatial axes.

    Shapes: x (N, C, *spatial), none of the spatial sizes 0 -> (N, C, *padded)

    >>> import numpy as np
    >>> pad_spatial(np.ones((1, 1, 2)), ((1, 2),))
    array([[[0., 1., 1., 0., 0.]]])
    """
    xp = namespace(x)
    for axis, (low, high) in enumerate(padding, start=2):
        if low or high:
            # Filled like a slice: the batch's size may be known only when the program runs.
            edge = xp.full_like(x[(slice(None),) * axis + (slice(0, 1), ...)], value)
            x = xp.concat([edge] * low + [x] + [edge] * high, axis=axis)
    return x


def window_slices(x: Array, window: Sizes, *, stride: Sizes, dilation: Sizes) -> Iterator[Array]:
    """Yield, for each position inside the window in C order, its elements at all places of the window.

    Shapes: x (N, C, *spatial) -> math.prod(window) arrays (N, C, *places)
    """
    sizes: Any = tuple(x.shape)[2:]
    places = output_sizes(sizes, window, stride=stride, padding=((0, 0),) * len(window), dilation=dilation)
    for position in itertools.product(*map(range, window)):
        spatial = (
            slice(i * d, i * d + (n - 1) * s + 1, s)
            for i, d, n, s in zip(position, dilation, places, stride, strict=True)
        )
        yield x[(slice(None), slice(None), *spatial)]


def fold_windows(
    combine: Callable[[Array, Array], Array], x: Array, window: Sizes, stride: Sizes, dilation: Sizes
) -> Array:
    """Combine the elements at each place of the window by a function of two arrays.

    One axis after the other, as a window is a product of intervals; the last one first, so that where `combine`
    prefers the first of equal elements, that is the first in C order.

    Shapes: x (N, C, *spatial) -> (N, C, *places)
    """
    alone = (1,) * len(window)
    for i in reversed(range(len(window))):
        k, s, d = ((*alone[:i], option[i], *alone[i + 1 :]) for option in (window, stride, dilation))
        x = reduce(combine, window_slices(x, k, stride=s, dilation=d))
    return x
