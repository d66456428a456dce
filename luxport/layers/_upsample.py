"""Layers that enlarge images: `Upsample` and `PixelShuffle`."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Literal, TypeAlias, get_args

from luxport import ops
from luxport.backend import Array, dtype_name
from luxport.core.input_checks import shape_of, shape_text
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerError, LayerTypeError
from luxport.layers._windows import check_spatial
from luxport.text import show

__all__ = ["PixelShuffle", "Upsample"]

Mode: TypeAlias = Literal["nearest", "linear", "bilinear", "trilinear"]

_RANK = {"bilinear": 2, "trilinear": 3}


class Upsample(Layer):
    """Enlarge the spatial axes by repetition ("nearest") or interpolation ("linear", "bilinear", "trilinear").

    Give either `scale` or `size`. With "nearest", element i of m is the one at ``floor(i n / m)`` of n. Interpolation
    keeps the values of the corner elements by default, as in Flux and Lux. PyTorch, JAX and Keras by default divide
    elements, as cells, evenly instead.

    Args:
        scale: the factor: a number for all spatial axes, or one for each of the last ones; ints for "nearest"
        mode: "nearest", "linear" for any number of spatial axes, "bilinear" for two, "trilinear" for three
        size: the new size: an int for all spatial axes, or one for each
        align_corners: whether interpolation keeps the values of the corner elements

    Shapes: x (N, C, *spatial) -> y (N, C, *floor(spatial * scale)) or (N, C, *size)
    Params: none
    State:  none
    Raises: ValueError when built unless exactly one of scale and size is given, or if it is out of range; LayerError
            if x has other axes; LayerTypeError if its dtype has no numbers
    Source: Lux.jl ``Upsample``, whose documentation has ``align_corners=false`` and whose code ignores it

    >>> import numpy as np
    >>> x = np.asarray([[[0.0, 4.0, 8.0]]])
    >>> Upsample(2)(x, {}, {})[0]
    array([[[0., 0., 4., 4., 8., 8.]]])
    >>> Upsample(size=5, mode="linear")(x, {}, {})[0]
    array([[[0., 2., 4., 6., 8.]]])
    """

    scale: float | tuple[float, ...] | None = None
    mode: Mode = "nearest"
    _: KW_ONLY
    size: int | tuple[int, ...] | None = None
    align_corners: bool = True

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ValueError(f"Upsample expects mode as one of {', '.join(get_args(Mode))}, got {show(self.mode)}")
        if (self.scale is None) == (self.size is None):
            raise ValueError(
                f"Upsample expects either scale or size, got scale={show(self.scale)} and size={show(self.size)}"
            )
        whole = self.mode == "nearest" or self.size is not None
        given = self.scale if self.size is None else self.size
        numbers = given if isinstance(given, tuple) else (given,)
        if not numbers or not all(_is_positive(n, whole) for n in numbers):
            name, kind = "scale" if self.size is None else "size", "an int" if whole else "a number"
            raise ValueError(f"Upsample expects {name} as {kind} above 0 or a tuple of them, got {show(given)}")

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Repeat or interpolate."""
        rank = _RANK.get(self.mode, len(shape_of(x)) - 2)
        check_spatial(x, max(rank, 1))
        if dtype_name(x) == "bool":
            raise LayerTypeError("expects numbers, got bool")
        if self.mode == "nearest" and self.size is not None:
            return ops.resize_nearest(x, size=self.size), st
        if self.mode == "nearest":
            return ops.upsample_nearest(x, scale=self.scale), st
        return ops.upsample_linear(x, scale=self.scale, size=self.size, align_corners=self.align_corners), st


class PixelShuffle(Layer):
    """Move channels to space: each pixel becomes a block of pixels.

    In two axes ``y[n, c, factor h + i, factor w + j] = x[n, factor^2 c + factor i + j, h, w]``.

    Args:
        factor: how many pixels a block has along each spatial axis

    Shapes: x (N, C factor^rank, *spatial) -> y (N, C, *spatial * factor)
    Params: none
    State:  none
    Raises: ValueError when built if factor is not a positive int; LayerError if x has no spatial axes or its channels
            do not make whole blocks
    Source: Lux.jl ``PixelShuffle``; Shi et al. 2016, arXiv:1609.05158

    >>> import luxport
    >>> luxport.output_shape(PixelShuffle(3), (2, 18, 4, 5))
    (2, 2, 12, 15)
    """

    factor: int

    def __post_init__(self) -> None:
        if not _is_positive(self.factor, whole=True):
            raise ValueError(f"PixelShuffle expects a positive int as factor, got {show(self.factor)}")

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Rearrange."""
        if len(shape_of(x)) < 3:
            raise LayerError(f"expects (N, C, ...) with spatial axes, got {shape_text(x)}")
        return ops.pixel_shuffle(x, factor=self.factor), st


def _is_positive(number: object, whole: bool) -> bool:
    return isinstance(number, int if whole else (int, float)) and not isinstance(number, bool) and number > 0
