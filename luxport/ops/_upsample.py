"""Upsampling: by repetition, by linear interpolation, from channels."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from luxport.backend import Array, find_array_device, is_array, namespace
from luxport.backend.arguments import check_call, write_short
from luxport.backend.dtypes import choose_wider_dtype, expect_floating, find_widest_dtype, widen_halves
from luxport.backend.memory import check_growth
from luxport.backend.option_rules import FLAG, LONGEST_AXIS, allow_count, allow_each, allow_none, is_int
from luxport.backend.option_rules import is_number as is_real
from luxport.errors import LayerError, shape_text
from luxport.ops._operation import operation
from luxport.ops.shapes import are_fixed, is_number, read_sizes
from luxport.ops.windows import Sizes, align_with_axis

__all__ = [
    "pixel_shuffle",
    "resize_nearest",
    "upsample_bilinear",
    "upsample_linear",
    "upsample_nearest",
    "upsample_trilinear",
]

Scale: TypeAlias = float | tuple[float, ...] | None
"""A number for all spatial axes, or one for each; a shorter tuple is for the last axes."""

Size: TypeAlias = int | tuple[int, ...] | None
"""An int for all spatial axes, or one for each."""


_SIZE = allow_none(allow_each(f"an int from 1 to {LONGEST_AXIS}", lambda n: is_int(n) and 1 <= n <= LONGEST_AXIS))
_SCALE = allow_none(
    allow_each(f"a positive number up to {LONGEST_AXIS}", lambda s: is_real(s) and 0 < s <= LONGEST_AXIS)
)


def _check_elements(x: Array, **options: Any) -> None:
    if 0 in tuple(x.shape)[1:]:
        raise LayerError(f"expects at least one element along each axis but the first, got {shape_text(x)}")


@operation(takes="x (N, C, ...)", rules={"scale": _SIZE, "size": _SIZE}, check=_check_elements)
def upsample_nearest(x: Array, *, scale: Scale = None, size: Size = None) -> Array:
    """Repeat each element along the spatial axes.

    Args:
        scale: the factor: an int for all spatial axes, or one for each of the last ones
        size: the new size: an int for all spatial axes, or one for each

    Shapes: x (N, C, *spatial) -> (N, C, *spatial * scale) or (N, C, *size)
    Raises: LayerError unless just one of scale and size is given, with whole scales that fit x
    Source: NNlib ``upsample_nearest``

    >>> import numpy as np
    >>> upsample_nearest(np.asarray([[[1.0, 2.0]]]), scale=3)
    array([[[1., 1., 1., 2., 2., 2.]]])
    """
    xp = namespace(x)
    shape = read_sizes(x)
    if scale is None and not are_fixed(x):
        return resize_nearest(x, size=size)
    sizes = _find_sizes(shape[2:], scale, size)
    scales = _write_scales_out(scale, len(sizes))
    if scales is None:
        if any(new % n for n, new in zip(shape[2:], sizes, strict=True)):
            raise LayerError(
                f"expects new sizes that are multiples of the sizes {shape[2:]}, got {sizes}", culprit="luxport"
            )
        scales = tuple([new // n for n, new in zip(shape[2:], sizes, strict=True)])
    wide = widen_halves(xp, x) if math.prod(scales) > _MANY else x
    if wide is not x:
        return xp.astype(upsample_nearest(wide, scale=scales), x.dtype)
    # The last axis first, so that the positions of the others do not change.
    for axis in reversed(range(2, len(shape))):
        if scales[axis - 2] > 1:
            x = xp.stack([x] * scales[axis - 2], axis=axis + 1)
    return xp.reshape(x, (-1, shape[1], *sizes))


@operation(takes="x (N, C, ...)", rules={"size": _SIZE}, check=_check_elements)
def resize_nearest(x: Array, *, size: Size) -> Array:
    """Resize the spatial axes to `size`, larger or smaller: of n elements, element i of m is ``floor(i n / m)``.

    Args:
        size: the new size: an int for all spatial axes, or one for each

    Shapes: x (N, C, *spatial) -> (N, C, *size)
    Raises: LayerError for a size that is not positive, or does not fit the axes of x
    Source: PyTorch ``interpolate``, mode "nearest", which computes ``i n / m`` in float32

    >>> import numpy as np
    >>> resize_nearest(np.asarray([[[1.0, 2.0, 3.0]]]), size=5)
    array([[[1., 1., 2., 2., 3.]]])
    """
    xp = namespace(x)
    shape = read_sizes(x)
    sizes = _find_sizes(shape[2:], None, size)
    if are_fixed(x) and not any([new % n for n, new in zip(shape[2:], sizes, strict=True)]):
        return upsample_nearest(x, size=size)
    y = widen_halves(xp, x)  # the gradient of an element that is repeated is a sum, taken in float32
    for axis, new in enumerate(sizes, start=2):
        if are_fixed(x):
            places = xp.asarray(
                [i * shape[axis] // new for i in range(new)], dtype=xp.int32, device=find_array_device(x)
            )
        else:
            places = (xp.arange(new, dtype=xp.int32, device=find_array_device(x)) * shape[axis]) // new
        y = xp.take(y, places, axis=axis)
    return xp.astype(y, x.dtype)


@operation(
    takes="x (N, C, ...)",
    rules={"scale": _SCALE, "size": _SIZE, "align_corners": FLAG},
    check=_check_elements,
)
def upsample_linear(x: Array, *, scale: Scale = None, size: Size = None, align_corners: bool = True) -> Array:
    """Interpolate linearly along each spatial axis, to ``floor(size * scale)`` elements or to `size`.

    Of n elements to m, element i is at ``i (n - 1) / (m - 1)``: the corners stay in place. Without `align_corners` it
    is at ``max(0, (i + 1/2) n / m - 1/2)``: elements are cells that are divided evenly, as by default in PyTorch, JAX
    and TensorFlow. Integers are interpolated in float32 and rounded.

    Args:
        scale: the factor: a number for all spatial axes, or one for each of the last ones
        size: the new size: an int for all spatial axes, or one for each
        align_corners: whether interpolation keeps the values of the corner elements

    Shapes: x (N, C, *spatial) -> (N, C, *floor(spatial * scale)) or (N, C, *size)
    Raises: LayerError unless just one of scale and size is given, for the axes of x
    Source: NNlib ``upsample_linear``

    >>> import numpy as np
    >>> x = np.asarray([[[0.0, 4.0, 8.0]]])
    >>> upsample_linear(x, size=5)
    array([[[0., 2., 4., 6., 8.]]])
    >>> upsample_linear(x, scale=2, align_corners=False)
    array([[[0., 1., 3., 5., 7., 8.]]])
    """
    xp = namespace(x)
    if xp.isdtype(x.dtype, "integral"):
        exact = upsample_linear(xp.astype(x, xp.float32), scale=scale, size=size, align_corners=align_corners)
        return xp.astype(xp.round(exact), x.dtype)
    expect_floating(x)
    fixed, shape = are_fixed(x), read_sizes(x)
    new_sizes = _find_sizes(shape[2:], scale, size)
    if not fixed or any([new > _MANY * n for n, new in zip(shape[2:], new_sizes, strict=True)]):
        wide = widen_halves(xp, x)
        if wide is not x:
            return xp.astype(upsample_linear(wide, scale=scale, size=size, align_corners=align_corners), x.dtype)
    for axis, new in enumerate(new_sizes, start=2):
        n = shape[axis]
        if not fixed:
            x = _interpolate(xp, x, axis, n, new, align_corners)
            continue
        if new == n:
            continue
        places = _find_places(n, new, align_corners)
        below, above = (
            xp.take(x, xp.asarray(indices, dtype=xp.int32, device=find_array_device(x)), axis=axis)
            for indices in ([int(place) for place in places], [min(int(place) + 1, n - 1) for place in places])
        )
        left, right = (
            align_with_axis(x, axis, weights, x.dtype)
            for weights in ([1.0 - place % 1.0 for place in places], [place % 1.0 for place in places])
        )
        x = below * left + above * right
    return x


@check_call()
def upsample_bilinear(x: Array, *, scale: Scale = None, size: Size = None, align_corners: bool = True) -> Array:
    """Interpolate linearly along two spatial axes: `upsample_linear` of (N, C, H, W).

    Args:
        scale: the factor: a number for all spatial axes, or one for each of the last ones
        size: the new size: an int for all spatial axes, or one for each
        align_corners: whether interpolation keeps the values of the corner elements

    Source: NNlib ``upsample_bilinear``
    """
    _expect_axes(x, 4)
    return upsample_linear(x, scale=scale, size=size, align_corners=align_corners)


@check_call()
def upsample_trilinear(x: Array, *, scale: Scale = None, size: Size = None, align_corners: bool = True) -> Array:
    """Interpolate linearly along three spatial axes: `upsample_linear` of (N, C, D, H, W).

    Args:
        scale: the factor: a number for all spatial axes, or one for each of the last ones
        size: the new size: an int for all spatial axes, or one for each
        align_corners: whether interpolation keeps the values of the corner elements

    Source: NNlib ``upsample_trilinear``
    """
    _expect_axes(x, 5)
    return upsample_linear(x, scale=scale, size=size, align_corners=align_corners)


@operation(takes="x (N, C, ...)", rules={"factor": allow_count(1, LONGEST_AXIS)}, check=_check_elements)
def pixel_shuffle(x: Array, *, factor: int) -> Array:
    """Move channels to space: each pixel becomes a block of pixels.

    In two axes ``y[n, c, factor h + i, factor w + j] = x[n, factor^2 c + factor i + j, h, w]``.

    Args:
        factor: how many pixels a block has along each spatial axis

    Shapes: x (N, C factor^rank, *spatial) -> (N, C, *spatial * factor)
    Raises: LayerError if the channels do not make whole blocks
    Source: NNlib ``pixel_shuffle``; Shi et al. 2016, arXiv:1609.05158

    >>> import numpy as np
    >>> pixel_shuffle(np.asarray([[[1.0], [2.0], [3.0], [4.0]]]), factor=2)
    array([[[1., 2.],
            [3., 4.]]])
    """
    xp = namespace(x)
    batch, channels, *sizes = read_sizes(x)
    rank = len(sizes)
    if x.shape[1] is not None and x.shape[1] % factor**rank:
        raise LayerError(
            f"expects channels in blocks of {factor**rank} for a factor of {factor} along {rank} axes, got {channels}",
            culprit="luxport",
        )
    out = channels // factor**rank
    x = xp.reshape(x, (batch, out, *[factor] * rank, *sizes))
    axes = [axis for i in range(rank) for axis in (2 + rank + i, 2 + i)]
    return xp.reshape(xp.permute_dims(x, (0, 1, *axes)), (batch, out, *[n * factor for n in sizes]))


_MANY = 16
"""From how many repetitions on gradients of half types, which are sums over them, are taken in float32."""


def _interpolate(xp: Any, x: Array, axis: int, n: Any, new: Any, align_corners: bool) -> Array:
    """Interpolate along an axis from n elements, a number that only the running program may know, to `new`.

    The positions are those of `_find_places`, computed as fractions of integers, which are exact.
    """
    i = xp.arange(new, dtype=xp.int32, device=find_array_device(x))
    zero = xp.zeros_like(i)
    if align_corners:
        places, whole = i * (n - 1), zero + (new - 1)
        whole = xp.where(whole < 1, zero + 1, whole)
    else:
        places, whole = (2 * i + 1) * n - new, zero + 2 * new
        places = xp.where(places < 0, zero, places)
    below, last = places // whole, zero + (n - 1)
    above = xp.where(below < last, below + 1, last)
    wide = choose_wider_dtype(xp, x)
    share = xp.astype(places % whole, wide) / xp.astype(whole, wide)
    share = xp.reshape(xp.astype(share, x.dtype), (-1, *[1] * (len(x.shape) - axis - 1)))
    return xp.take(x, below, axis=axis) * (1.0 - share) + xp.take(x, above, axis=axis) * share


def _find_places(n: int, new: int, align_corners: bool) -> list[float]:
    """Return the position of each new element among the n old ones, from 0 to n - 1."""
    if align_corners:
        step = (n - 1) / (new - 1) if new > 1 else 0.0
        return [min(i * step, n - 1.0) for i in range(new)]
    return [min(max(0.0, (i + 0.5) * n / new - 0.5), n - 1.0) for i in range(new)]


def _find_sizes(sizes: Sizes, scale: Scale, size: Size) -> Sizes:
    if (scale is None) == (size is None):
        raise LayerError(f"expects either a scale or a size, got {_describe(scale, size)}", culprit="luxport")
    rank = len(sizes)
    scales = _write_scales_out(scale, rank)
    if scales is None:
        wanted = size if isinstance(size, tuple) else (size or 0,) * rank
        fits = len(wanted) == rank and all(n > 0 for n in wanted)
    else:
        wanted = tuple(_scale_size(n, s) for n, s in zip(sizes, scales, strict=False))
        fits = len(scales) == rank and all(n > 0 for n in wanted if is_number(n))
    if not fits:
        raise LayerError(
            f"expects a positive scale or size for {rank} spatial axes, got {_describe(scale, size)}",
            culprit="luxport",
        )
    for axis, (n, new) in enumerate(zip(sizes, wanted, strict=True), start=2):
        check_growth(axis, n, new)
    return wanted


def _describe(scale: Any, size: Any) -> str:
    return f"scale={write_short(scale)} and size={write_short(size)}"


def _write_scales_out(scale: Scale, rank: int) -> Any:
    """Return a scale for each spatial axis, or None for none."""
    if scale is None:
        return None
    scales = scale if isinstance(scale, tuple) else (scale,) * rank
    return (1,) * (rank - len(scales)) + scales


def _scale_size(n: Any, scale: float) -> Any:
    """Return ``floor(n * scale)``, an array if n is one."""
    if isinstance(scale, int) or isinstance(n, int):
        return n * scale if isinstance(scale, int) else math.floor(n * scale)
    if is_number(n):
        return _scale_symbol(n, scale)
    xp = namespace(n)
    return xp.astype(xp.floor(xp.astype(n, find_widest_dtype(xp)) * scale), n.dtype)


def _scale_symbol(n: Any, scale: float) -> Any:
    """Return ``floor(n * scale)`` of a symbol, in integers if the scale is a ratio of small ones."""
    above, below = scale.as_integer_ratio()
    if below <= 1 << 20:
        return n * above // below
    scaled = n * scale
    if is_array(scaled):
        raise LayerError(
            f"expects a size that is known for a scale of {scale}, got {n}: a scale of whole, half, quarter or smaller "
            "parts, or size=, takes any",
            culprit="luxport",
        )
    return math.floor(scaled)


def _expect_axes(x: Array, count: int) -> None:
    if len(x.shape) != count:
        raise LayerError(f"expects an array of {count} axes, got {len(x.shape)}", culprit="luxport")
