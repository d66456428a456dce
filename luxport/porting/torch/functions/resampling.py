"""PyTorch's functions that resize images: interpolate, pixel_shuffle, pixel_unshuffle."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from luxport import ops
from luxport.backend import Array, find_array_device, namespace
from luxport.ops.shapes import read_sizes
from luxport.porting.torch.functions.windows import repeat_per_axis

__all__ = ["FUNCTIONS", "combine_along", "find_cubic_weights", "pixel_unshuffle"]


def _interpolate(
    x: Array,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Array:
    if antialias or mode == "area":
        raise ValueError(f"interpolate with {'antialias=True' if antialias else 'mode=area'} has no counterpart")
    sizes = read_sizes(x)[2:]
    rank = len(sizes)
    if size is None:
        scales = tuple(map(float, repeat_per_axis(scale_factor, rank)))
        wanted = tuple([math.floor(n * s) for n, s in zip(sizes, scales, strict=True)])
    else:
        wanted, scales = repeat_per_axis(size, rank), None
    # As in PyTorch, positions follow the given scale factor and not the ratio of the sizes, which may be rounded.
    if scales is None or recompute_scale_factor:
        steps = [n / new for n, new in zip(sizes, wanted, strict=True)]
    else:
        steps = [1.0 / s for s in scales]
    if mode == "nearest" and scales is None:
        return ops.resize_nearest(x, size=wanted)
    if mode in ("linear", "bilinear", "trilinear") and (
        align_corners or all(s * new == n for s, n, new in zip(steps, sizes, wanted, strict=True))
    ):
        return ops.upsample_linear(x, size=wanted, align_corners=bool(align_corners))
    for axis, (n, new, step) in enumerate(zip(sizes, wanted, steps, strict=True), start=2):
        x = combine_along(x, axis, _find_weights(n, new, step, mode, bool(align_corners)))
    return x


def _find_weights(n: int, new: int, step: float, mode: str, align_corners: bool) -> list[list[tuple[int, float]]]:
    """Return, for each new element, the indices and weights of the old elements of which it is the sum."""
    if mode in ("nearest", "nearest-exact"):
        shift = 0.0 if mode == "nearest" else 0.5
        return [[(min(int((i + shift) * step), n - 1), 1.0)] for i in range(new)]
    if align_corners:
        step = (n - 1) / (new - 1) if new > 1 else 0.0
        places = [i * step for i in range(new)]
    else:
        places = [(i + 0.5) * step - 0.5 for i in range(new)]
    if mode == "bicubic":
        return [[(min(max(j, 0), n - 1), w) for j, w in find_cubic_weights(place, -0.75)] for place in places]
    if mode not in ("linear", "bilinear", "trilinear"):
        raise ValueError(f"interpolate with mode={mode!r} has no counterpart")
    rows = []
    for place in places:
        at = min(max(place, 0.0), n - 1.0)
        rows.append([(int(at), 1.0 - at % 1.0), (min(int(at) + 1, n - 1), at % 1.0)])
    return rows


def find_cubic_weights(place: float, a: float) -> list[tuple[int, float]]:
    """Return the four neighbors of a position with their weights by Keys' cubic kernel.

    PyTorch has a = -3/4, other libraries a = -1/2.
    """
    below = math.floor(place)
    t = place - below

    def near(d: float) -> float:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: float) -> float:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    weights = (far(t + 1), near(t), near(1 - t), far(2 - t))
    return [(below - 1 + i, weight) for i, weight in enumerate(weights)]


def combine_along(x: Array, axis: int, rows: list[list[tuple[int, float]]]) -> Array:
    """Return an array whose elements along an axis are weighted sums of old ones; `rows` has indices and weights."""
    xp = namespace(x)
    total = None
    for parts in zip(*rows, strict=True):
        indices = xp.asarray([j for j, _ in parts], dtype=xp.int32, device=find_array_device(x))
        part = xp.take(x, indices, axis=axis)
        if any(w != 1.0 for _, w in parts):
            shares = xp.asarray([w for _, w in parts], dtype=x.dtype, device=find_array_device(x))
            part = part * xp.reshape(shares, (-1, *[1] * (len(x.shape) - axis - 1)))
        total = part if total is None else total + part
    return total


def pixel_unshuffle(x: Array, downscale_factor: int) -> Array:
    """Move blocks of pixels to channels, as the inverse of pixel_shuffle."""
    r, xp = downscale_factor, namespace(x)
    *batch, c, h, w = read_sizes(x)
    x = xp.reshape(x, (-1, c, h // r, r, w // r, r))
    return xp.reshape(xp.permute_dims(x, (0, 1, 3, 5, 2, 4)), (*batch, c * r * r, h // r, w // r))


def _pixel_shuffle(x: Array, upscale_factor: int) -> Array:
    *batch, c, h, w = read_sizes(x)
    r = upscale_factor
    y = ops.pixel_shuffle(namespace(x).reshape(x, (-1, c, h, w)), factor=r)
    return namespace(x).reshape(y, (*batch, c // (r * r), h * r, w * r))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "interpolate": _interpolate,
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    "upsample": _interpolate,
}
