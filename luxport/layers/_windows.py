"""Options of windows as users write them, converted to what operations take: an entry for each spatial axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from luxport.backend import Array, dtype_name, match_sizes
from luxport.backend.option_rules import is_int
from luxport.call_arguments import explain_construction
from luxport.core.input_checks import check_floating, shape_of, shape_text
from luxport.errors import LayerError
from luxport.ops.windows import Pairs, PerAxis, Sizes
from luxport.text import show

__all__ = [
    "Padding",
    "PerAxis",
    "SamePad",
    "Sizes",
    "Windows",
    "check_numbers",
    "check_spatial",
    "read_axes",
    "read_sizes",
]


@explain_construction
@dataclass(frozen=True)
class SamePad:
    """Padding that keeps the spatial sizes if the stride is 1; with stride s they become ``ceil(size / s)``.

    A window of k elements with dilation d is padded by ``d (k - 1)`` in total, whatever the stride: half on each side,
    and an odd element below. (PyTorch, Keras and JAX put the odd element above, and consider the stride.) A
    `ConvTranspose` multiplies the sizes by the stride: it crops ``d (k - 1) + 1 - s`` in total, in the same way.

    Source: Flux.jl ``SamePad``

    >>> import luxport
    >>> luxport.output_shape(luxport.Conv((4, 3), 1, 1, padding=SamePad()), (1, 1, 7, 7))
    (1, 1, 7, 7)
    """


Padding: TypeAlias = int | tuple[int | tuple[int, int], ...] | SamePad
"""An int for all sides, an int or a pair (low, high) for each spatial axis, or `SamePad`."""


@dataclass(frozen=True)
class Windows:
    """Windows on the spatial axes of arrays (N, C, *spatial)."""

    window: Sizes
    stride: Sizes
    padding: Pairs
    dilation: Sizes

    @classmethod
    def of(
        cls,
        layer: str,
        window: Sizes,
        stride: PerAxis | None,
        padding: Padding,
        dilation: PerAxis,
        *,
        transposed: bool = False,
        name: str = "window",
    ) -> Windows:
        """Convert a layer's options; the length of the window is the number of spatial axes, and None its stride.

        Raises: ValueError if one has the wrong length or is out of range
        """
        window = read_axes(layer, name, window)
        rank = len(window)
        stride = window if stride is None else read_sizes(layer, "stride", stride, rank)
        dilation = read_sizes(layer, "dilation", dilation, rank)
        if isinstance(padding, SamePad):
            kept = stride if transposed else (1,) * rank
            totals = [d * (k - 1) + 1 - s for k, d, s in zip(window, dilation, kept, strict=True)]
            pairs: Pairs = tuple((total - total // 2, total // 2) for total in totals)
        else:
            pairs = _read_pairs(layer, padding, rank)
        return cls(window, stride, pairs, dilation)

    def options(self) -> dict[str, Any]:
        """Return the options of a pooling operation."""
        return {"window": self.window, "stride": self.stride, "padding": self.padding, "dilation": self.dilation}


def check_spatial(x: Array, rank: int, channels: int | None = None) -> None:
    """Expect (N, channels, *spatial) with this number of spatial axes.

    Raises: LayerError
    """
    shape = shape_of(x)
    if len(shape) != rank + 2 or (channels is not None and not match_sizes(shape[1], channels)):
        raise LayerError(f"expects (N, {channels or 'C'}, {_name_axes(rank)}), got {shape_text(x)}")


def check_numbers(x: Array) -> None:
    """Expect floating or complex numbers.

    Raises: LayerTypeError
    """
    if not dtype_name(x).startswith("complex"):
        check_floating(x)


def read_axes(layer: str, option: str, value: Any) -> Sizes:
    """Check an option whose length is the number of spatial axes.

    Raises: ValueError, also for a single number, which has no length
    """
    if is_int(value):
        raise ValueError(
            f"{layer} expects {option} as a tuple of an int for each spatial axis, got {value}: "
            f"({value},) is for (N, C, L), ({value}, {value}) for (N, C, H, W)"
        )
    if not isinstance(value, tuple) or not value:
        raise ValueError(f"{layer} expects {option} as a tuple of an int for each spatial axis, got {show(value)}")
    return read_sizes(layer, option, value, len(value))


def read_sizes(layer: str, option: str, value: Any, rank: int, *, least: int = 1) -> Sizes:
    """Convert an option that is a number for all of `rank` spatial axes, or one for each.

    Raises: ValueError
    """
    sizes = (value,) * rank if is_int(value) else value
    if not isinstance(sizes, tuple) or not len(sizes) == rank > 0 or not all(is_int(n) and n >= least for n in sizes):
        what = "a positive int" if least == 1 else f"an int of at least {least}"
        raise ValueError(f"{layer} expects {option} as {what} or a tuple of {rank}, got {show(value)}")
    return tuple(map(int, sizes))


def _read_pairs(layer: str, padding: Any, rank: int) -> Pairs:
    entries = (padding,) * rank if is_int(padding) else padding
    pairs = [(n, n) if is_int(n) else n for n in entries] if isinstance(entries, tuple) else []
    if len(pairs) != rank or not all(map(_is_pair, pairs)):
        raise ValueError(
            f"{layer} expects padding as an int of at least 0, a tuple of {rank} of them or of pairs "
            f"(low, high), or SamePad(), got {show(padding)}"
        )
    return tuple((int(low), int(high)) for low, high in pairs)


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(is_int(n) and n >= 0 for n in value)


def _name_axes(rank: int) -> str:
    return {1: "L", 2: "H, W", 3: "D, H, W"}.get(rank) or ", ".join(f"d{i}" for i in range(1, rank + 1))
