"""Options of windows as users write them, converted to what operations take: a number or a pair per spatial axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from luxport.backend import Array, match_sizes
from luxport.backend.option_rules import is_int
from luxport.call_arguments import explain_construction
from luxport.core.input_checks import shape_of, shape_text
from luxport.errors import LayerError
from luxport.ops.windows import Pairs, PerAxis, Sizes
from luxport.text import show

__all__ = ["Padding", "PerAxis", "SamePad", "Sizes", "Windows", "read_axes", "check_spatial", "read_sizes"]


@explain_construction
@dataclass(frozen=True)
class SamePad:
    """As much padding as keeps the spatial sizes where the stride is 1; with stride s they become ``ceil(size / s)``.

    A window of k elements with dilation d needs ``d (k - 1)`` in all, whatever the stride: half of it on either
    side, and an odd one below. (PyTorch, Keras and JAX put the odd one above, and let the stride count.)
    `ConvTranspose` multiplies the sizes by the stride: it cuts away ``d (k - 1) + 1 - s`` in all, in the same way.

    Source: Flux.jl ``SamePad``

    >>> import luxport
    >>> luxport.output_shape(luxport.Conv((4, 3), 1, 1, padding=SamePad()), (1, 1, 7, 7))
    (1, 1, 7, 7)
    """


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
        """Read a layer's options; the window says how many spatial axes there are, and is the stride if None is given.

        Raises: ValueError if one is of the wrong length or out of range
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
        """Return the options of an operation that pools."""
        return {"window": self.window, "stride": self.stride, "padding": self.padding, "dilation": self.dilation}


def check_spatial(x: Array, rank: int, channels: int | None = None) -> None:
    """Expect (N, channels, *spatial) with so many spatial axes.

    Raises: LayerError
    """
    shape = shape_of(x)
    if len(shape) != rank + 2 or (channels is not None and not match_sizes(shape[1], channels)):
        raise LayerError(f"expects (N, {channels or 'C'}, {_name_axes(rank)}), got {shape_text(x)}")


def read_axes(layer: str, option: str, value: Any) -> Sizes:
    """Read an option that says by its length how many spatial axes there are.

    Raises: ValueError, for one number too: it does not say for how many axes it is
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
    """Read an option that is a number for all of `rank` spatial axes, or one each.

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
