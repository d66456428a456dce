"""Upsampling by the operators Resize and DepthToSpace."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport import ops
from luxport.ops._upsample import Scale, Size
from luxport_onnx.graph import Array, make_constant, record
from luxport_onnx.xp._folding import make_vector

__all__ = ["pixel_shuffle", "upsample_linear", "upsample_nearest"]

_define_nearest: Any = ops.definition_of(ops.upsample_nearest)
_define_linear: Any = ops.definition_of(ops.upsample_linear)
_define_shuffle: Any = ops.definition_of(ops.pixel_shuffle)


def upsample_nearest(x: Array, *, scale: Scale = None, size: Size = None) -> Array:
    """Record one operator for whole scales, and for sizes that are multiples of known ones."""
    factors, sizes = _write_whole(x, scale), _write_whole(x, size)
    if sizes is not None and scale is None and not any([n is None or new % n for n, new in _pair_sizes(x, sizes)]):
        factors = [new // n for n, new in _pair_sizes(x, sizes) if n]
    if factors is None or (sizes is not None and scale is not None) or not _is_native(x):
        return _define_nearest(x, scale=scale, size=size)
    return _resize(x, factors, None, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")


def upsample_linear(x: Array, *, scale: Scale = None, size: Size = None, align_corners: bool = True) -> Array:
    """Record one operator for whole scales, and for sizes."""
    factors, sizes = _write_whole(x, scale), _write_whole(x, size)
    if (factors is None) == (sizes is None) or (scale is not None and size is not None) or not _is_native(x):
        return _define_linear(x, scale=scale, size=size, align_corners=align_corners)
    places = "align_corners" if align_corners else "half_pixel"
    return _resize(x, factors, sizes, mode="linear", coordinate_transformation_mode=places)


def pixel_shuffle(x: Array, *, factor: int) -> Array:
    """Record one operator for images."""
    if not _is_native(x) or x.ndim != 4 or not x.shape[1] or x.shape[1] % factor**2:
        return _define_shuffle(x, factor=factor)
    shapes = [(n, c // factor**2, h * factor, w * factor) for n, c, h, w in x.shapes]
    return record("DepthToSpace", x, dtype=x.dtype, shapes=shapes, blocksize=factor, mode="CRD")


def _resize(x: Array, factors: list[int] | None, sizes: list[int] | None, **attributes: Any) -> Array:
    axes = range(2, x.ndim)
    if factors is not None:
        shapes = [(*s[:2], *[n * factor for n, factor in zip(s[2:], factors, strict=True)]) for s in x.shapes]
        wanted = (None, make_constant(np.asarray(factors, np.float32)), None)
    else:
        shapes = [(*s[:2], *(sizes or ())) for s in x.shapes]
        wanted = (None, None, make_vector(sizes))
    return record("Resize", x, *wanted, dtype=x.dtype, shapes=shapes, axes=list(axes), **attributes)


def _write_whole(x: Array, given: Any) -> list[int] | None:
    """Return a scale or a size for each spatial axis; None if they are not positive whole numbers."""
    rank = x.ndim - 2
    numbers = list(given) if isinstance(given, tuple) else [given] * rank
    if not all([type(n) is int and n > 0 for n in numbers]) or len(numbers) != rank:
        return None
    return numbers


def _pair_sizes(x: Array, sizes: list[int]) -> list[tuple[int | None, int]]:
    return list(zip(x.shape[2:], sizes, strict=True))


def _is_native(x: Array) -> bool:
    return x.dtype.name in ("float16", "float32") and 3 <= x.ndim <= 5 and not x.is_constant and 0 not in x.shape
