"""Windows as users write them down, in the form that operations take: a number or a pair per spatial axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from luxport.backend import Array
from luxport.errors import LayerError
from luxport.layers.checks import shape_of, shape_text
from luxport.ops.windows import Pairs, Sizes

__all__ = ["Padding", "PerAxis", "SamePad", "Windows"]


@dataclass(frozen=True)
class SamePad:
    """As much padding as keeps the spatial sizes where the stride is 1; with stride s they become ``ceil(size / s)``.

    A window of k elements with dilation d needs ``d (k - 1)`` in all, whatever the stride: half of it on either
    side, and an odd one below. (PyTorch, Keras and JAX put the odd one above, and let the stride count.)

    Source: Flux.jl ``SamePad``

    >>> import luxport
    >>> luxport.output_shape(luxport.Conv((4, 3), 1, 1, padding=SamePad()), (1, 1, 7, 7))
    (1, 1, 7, 7)
    """


PerAxis: TypeAlias = int | tuple[int, ...]
"""One for all spatial axes, or one each."""

Padding: TypeAlias = int | tuple[int | tuple[int, int], ...] | SamePad
"""One for all sides, an entry or a (low, high) pair per spatial axis, or `SamePad`."""


@dataclass(frozen=True)
class Windows:
    """Windows on the spatial axes of arrays (N, C, *spatial)."""

    window: Sizes
    stride: Sizes
    padding: Pairs
    dilation: Sizes

    @classmethod
    def of(cls, layer: str, window: PerAxis, stride: PerAxis, padding: Padding, dilation: PerAxis) -> Windows:
        """Read a layer's options; the window says how many spatial axes there are.

        Raises: ValueError if one is of the wrong length or out of range
        """
        rank = len(window) if isinstance(window, tuple) else int(_is_int(window))
        window = _sizes(layer, "its window", window, rank)
        dilation = _sizes(layer, "dilation", dilation, rank)
        return cls(window, _sizes(layer, "stride", stride, rank), _pairs(layer, padding, window, dilation), dilation)

    def check(self, x: Array, channels: int | None = None) -> None:
        """Expect (N, channels, *spatial) with room for the window; a size that is not known yet passes.

        Raises: LayerError
        """
        shape = shape_of(x)
        rank = len(self.window)
        if len(shape) != rank + 2 or (channels is not None and shape[1] not in (channels, None)):
            raise LayerError(f"expects (N, {channels or 'C'}, {_axes(rank)}), got {shape_text(x)}")
        for i, (k, (low, high), d) in enumerate(zip(self.window, self.padding, self.dilation, strict=True), start=2):
            if shape[i] is not None and (shape[i] == 0 or shape[i] + low + high <= d * (k - 1)):
                least = max(1, d * (k - 1) + 1 - low - high)
                raise LayerError(
                    f"expects at least {least} along axis {i} for its window of {k}, got {shape_text(x)}: pad the input"
                )


def _sizes(layer: str, option: str, value: Any, rank: int) -> Sizes:
    sizes = (value,) * rank if _is_int(value) else value
    if not isinstance(sizes, tuple) or not len(sizes) == rank > 0 or not all(_is_int(n) and n > 0 for n in sizes):
        count = rank or "one or more"
        raise ValueError(f"{layer} expects {option} as a positive int or a tuple of {count}, got {value!r}")
    return tuple(map(int, sizes))


def _pairs(layer: str, padding: Any, window: Sizes, dilation: Sizes) -> Pairs:
    if isinstance(padding, SamePad):
        totals = [d * (k - 1) for k, d in zip(window, dilation, strict=True)]
        return tuple((total - total // 2, total // 2) for total in totals)
    entries = (padding,) * len(window) if _is_int(padding) else padding
    pairs = [(n, n) if _is_int(n) else n for n in entries] if isinstance(entries, tuple) else []
    if len(pairs) != len(window) or not all(map(_is_pair, pairs)):
        raise ValueError(
            f"{layer} expects padding as an int of at least 0, a tuple of {len(window)} of them or of pairs "
            f"(low, high), or SamePad(), got {padding!r}"
        )
    return tuple((int(low), int(high)) for low, high in pairs)


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(_is_int(n) and n >= 0 for n in value)


def _is_int(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _axes(rank: int) -> str:
    return {1: "L", 2: "H, W", 3: "D, H, W"}.get(rank) or ", ".join(f"d{i}" for i in range(1, rank + 1))
