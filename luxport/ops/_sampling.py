"""Resampling images between their pixels: `grid_sample` and `imrotate`."""

from __future__ import annotations

import itertools
import math
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from luxport.backend import Array, find_array_device, namespace
from luxport.backend.dtypes import expect_floating, run_wide
from luxport.backend.option_rules import FINITE, FLAG, Rule, allow_choice, allow_none, is_finite
from luxport.errors import LayerError, shape_text
from luxport.ops._operation import operation

__all__ = ["grid_sample", "imrotate"]

GridPadding: TypeAlias = Literal["zeros", "border", "reflection"]
Interpolation: TypeAlias = Literal["bilinear", "nearest"]


def _expect_pixels(x: Array, grid: Array, **options: Any) -> None:
    if 0 in tuple(x.shape)[2:]:
        raise LayerError(f"expects at least one element along each axis of an image, got {shape_text(x)}")


@operation(
    takes=(
        "x floating (N, C, H, W), grid floating (N, h, w, 2)",
        "x floating (N, C, D, H, W), grid floating (N, d, h, w, 3)",
    ),
    rules={"padding_mode": allow_choice(*get_args(GridPadding)), "align_corners": FLAG},
    check=_expect_pixels,
)
@run_wide
def grid_sample(x: Array, grid: Array, *, padding_mode: GridPadding = "zeros", align_corners: bool = True) -> Array:
    """Interpolate x linearly at the points of a grid, given by coordinates from -1 to 1.

    The last axis of the grid holds (x, y) or (x, y, z): the coordinate along the last spatial axis comes first. -1 is
    the center of the first element and 1 that of the last; without `align_corners`, as by default in PyTorch, they are
    the outer edges of these elements, half an element further out. Outside x there are zeros, with "border" the nearest
    element, and with "reflection" x mirrored, as often as needed, at the coordinates -1 and 1. In the last two cases
    the gradient with respect to the grid is 0 where a coordinate is on the border or clipped to it.

    Args:
        padding_mode: what is outside x: "zeros", the nearest element ("border") or x mirrored ("reflection")
        align_corners: whether -1 and 1 are the centers of the outermost elements, and not their outer edges

    Shapes: x (N, C, H, W), grid (N, H', W', 2) -> (N, C, H', W'); x (N, C, D, H, W), grid (N, D', H', W', 3) ->
            (N, C, D', H', W')
    Raises: LayerError if x and the grid have other axes, or for another mode
    Source: NNlib ``grid_sample``; PyTorch's for "reflection" and without `align_corners`; Jaderberg et al. 2015,
            arXiv:1506.02025

    >>> import numpy as np
    >>> x = np.asarray([[[[0.0, 2.0], [4.0, 6.0]]]])
    >>> grid_sample(x, np.asarray([[[[0.0, -1.0], [1.0, 1.0], [3.0, 0.0]]]]))
    array([[[[1., 6., 0.]]]])
    """
    xp = namespace(x, grid)
    expect_floating(x)
    expect_floating(grid, "grid")
    sizes, places = tuple(x.shape)[2:], tuple(grid.shape)[1:-1]
    if grid.dtype != x.dtype:
        grid = xp.astype(grid, x.dtype)
    rank = len(sizes)
    if rank not in (2, 3) or len(places) != rank or grid.shape[-1] != rank:
        raise LayerError(
            f"expects (N, C, H, W) with (N, H', W', 2), or one axis more in both, got {tuple(x.shape)} and "
            f"{tuple(grid.shape)}",
            culprit="luxport",
        )
    grid = xp.reshape(grid, (_count_images(grid), 1, math.prod(places), rank))
    flat = xp.reshape(x, (_count_images(x), x.shape[1], math.prod(sizes)))
    below, parts = [], []
    for axis, n in enumerate(sizes):
        place = (grid[..., rank - 1 - axis] + 1.0) * (0.5 * (n - 1 if align_corners else n))
        if not align_corners:
            place = place - 0.5
        if padding_mode == "reflection":
            place = _mirror_place(xp, place, 0.0 if align_corners else -0.5, float(n - 1 if align_corners else n))
        if padding_mode != "zeros":
            # Not `clip`, whose slope at its bounds differs between backends.
            place = xp.where(place <= 0.0, xp.zeros_like(place), place)
            place = xp.where(place >= n - 1.0, xp.full_like(place, n - 1.0), place)
        below.append(xp.floor(place))
        parts.append(place - below[-1])
    whole = xp.asarray(0).dtype  # the only integer type that all backends take as indices
    total = xp.zeros_like(flat[:, :, :1])
    for corner in itertools.product((0, 1), repeat=rank):
        weight, there, index = None, None, None
        for n, first, part, above in zip(sizes, below, parts, corner, strict=True):
            at = first + above
            share = part if above else 1.0 - part
            inside = xp.logical_and(at >= 0.0, at <= n - 1.0)
            # NaN, and numbers that no integer type holds, count as outside, too.
            at = xp.astype(xp.where(inside, at, xp.zeros_like(at)), whole)
            weight = share if weight is None else weight * share
            there = inside if there is None else xp.logical_and(there, inside)
            index = at if index is None else index * n + at
        # Broadcast the index to the channels of x.
        index = index + xp.astype(xp.zeros_like(flat[:, :, :1]), whole)
        values = xp.take_along_axis(flat, index, axis=2)
        total = total + xp.where(there, values, xp.zeros_like(values)) * weight
    return xp.reshape(total, (_count_images(x), x.shape[1], *places))


def _mirror_place(xp: Any, place: Array, low: float, span: float) -> Array:
    """Map coordinates into [low, low + span] by reflections at both ends."""
    if span == 0.0:
        return xp.zeros_like(place)
    away = place - low
    away = xp.where(away < 0.0, -away, away)
    turns = xp.floor(away / span)
    rest = away - turns * span
    odd = turns - 2.0 * xp.floor(turns * 0.5) > 0.5
    return xp.where(odd, span - rest, rest) + low


@operation(
    takes="x (N, C, H, W)",
    rules={
        "angle": FINITE,
        "method": allow_choice("bilinear", "nearest"),
        "rotation_center": allow_none(Rule("a pair of numbers (h, w)", lambda value, shape: _is_pair(value))),
    },
)
@run_wide
def imrotate(
    x: Array,
    *,
    angle: float,
    method: Interpolation = "bilinear",
    rotation_center: tuple[float, float] | None = None,
) -> Array:
    """Rotate images by an angle in radians, counter-clockwise as they are shown; outside an image there are zeros.

    The result at (dh, dw) from the center is x at ``(cos dh + sin dw, cos dw - sin dh)`` from the center, interpolated
    ("bilinear") or of the nearest element. The default center ``(H // 2, W // 2)`` is not that of the image,
    ``((H - 1) / 2, (W - 1) / 2)``, about which quarter turns of a square are exact.

    Args:
        angle: in radians, counter-clockwise as images are shown
        method: "bilinear" or "nearest"
        rotation_center: the center (h, w), which counts from 0; None for ``(H // 2, W // 2)``

    Shapes: x (N, C, H, W) -> (N, C, H, W)
    Raises: LayerError if x has other axes, or for another method
    Source: NNlib ``imrotate``

    >>> import numpy as np
    >>> x = np.asarray([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> imrotate(x, angle=np.pi / 2, rotation_center=(0.5, 0.5))
    array([[[[2., 4.],
             [1., 3.]]]])
    """
    xp = namespace(x)
    expect_floating(x)
    sizes = tuple(x.shape)[2:]
    center = tuple(n // 2 for n in sizes) if rotation_center is None else rotation_center
    flat = xp.reshape(x, (_count_images(x), x.shape[1], math.prod(sizes)))
    total = xp.zeros_like(flat)
    for weights, indices in rotation_taps(x, angle=angle, center=center, bilinear=method == "bilinear"):
        values = xp.take(flat, indices, axis=2)
        # Not a product alone: an infinity outside times 0 would be NaN.
        total = total + xp.where(weights == 0, xp.zeros_like(values), values * weights)
    return xp.reshape(total, (_count_images(x), x.shape[1], *sizes))


def _count_images(x: Array) -> int:
    """Return the size of the batch, or -1 for `reshape` to find it out."""
    return -1 if x.shape[0] is None else x.shape[0]


def _is_pair(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2 and all([is_finite(n) for n in value])


@operation
def rotation_taps(
    x: Array, *, angle: float, center: tuple[float, float], bilinear: bool
) -> tuple[tuple[Array, Array], ...]:
    """Return the elements that each element of a rotated image is a weighted sum of: four ("bilinear") or one.

    Each is a pair of weights and int32 positions, both (H * W,), computed by NumPy in double precision. A backend that
    compiles for unknown sizes may override this with `make_taps` in its own double precision.
    """
    xp, device = namespace(x), find_array_device(x)
    taps = make_taps(np, tuple(x.shape)[2:], angle, center, bilinear)
    return tuple(
        [
            (xp.asarray(weights, dtype=x.dtype, device=device), xp.asarray(indices, dtype=xp.int32, device=device))
            for weights, indices in taps
        ]
    )


def make_taps(
    xp: Any, sizes: tuple[int, ...], angle: float, center: tuple[float, float], bilinear: bool, **where: Any
) -> list[tuple[Array, Array]]:
    """Return pairs of weights and positions as `rotation_taps` does; weights outside the image are 0."""
    sin, cos = math.sin(angle), math.cos(angle)
    h, w = (xp.arange(n, dtype=xp.float64, **where) for n in sizes)
    dh, dw = xp.reshape(h - center[0], (-1, 1)), xp.reshape(w - center[1], (1, -1))
    places = [xp.reshape(place, (-1,)) for place in (sin * dw + cos * dh + center[0], cos * dw - sin * dh + center[1])]
    # The sine of a quarter turn is rounded, which must not move a position outside the image.
    places = [xp.where(xp.abs(at - xp.round(at)) < 1e-9, xp.round(at), at) for at in places]
    if not bilinear:
        return [_make_tap(xp, sizes, [xp.floor(at + 0.5) for at in places], [xp.ones_like(at) for at in places])]
    inside = [xp.astype((at >= 0) & (at <= n - 1), xp.float64) for at, n in zip(places, sizes, strict=True)]
    below = [xp.floor(at) for at in places]
    shares = [
        ((1.0 - (at - low)) * there, (at - low) * there) for at, low, there in zip(places, below, inside, strict=True)
    ]
    return [
        _make_tap(
            xp,
            sizes,
            [low + step for low, step in zip(below, above, strict=True)],
            [s[i] for s, i in zip(shares, above, strict=True)],
        )
        for above in itertools.product((0, 1), repeat=2)
    ]


def _make_tap(xp: Any, sizes: tuple[int, ...], at: list[Array], shares: list[Array]) -> tuple[Array, Array]:
    inside = [(place >= 0) & (place <= n - 1) for place, n in zip(at, sizes, strict=True)]
    weights = shares[0] * shares[1] * xp.astype(inside[0] & inside[1], xp.float64)
    indices = at[0] * sizes[1] + at[1]
    return weights, xp.astype(xp.where(weights == 0, xp.zeros_like(indices), indices), xp.int32)
