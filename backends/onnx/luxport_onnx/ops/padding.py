"""Padding by the operator Pad."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport import ops
from luxport.ops._padding import Axes, PadWidths, list_sides
from luxport_onnx.graph import Array, find_opset, record
from luxport_onnx.xp._folding import make_scalar, make_vector

__all__ = ["pad_circular", "pad_constant", "pad_edge", "pad_reflect"]


def _make_pad(op: Callable[..., Any], mode: str, first: int, *, since: int = 0) -> Callable[..., Array]:
    """Return an operation that records one operator, or the definition where the operator cannot do it."""
    definition: Any = ops.definition_of(op)

    def pad(x: Array, *, padding: PadWidths, axes: Axes = None, **more: Any) -> Array:
        sides = [side for side in list_sides(x, padding, axes, first=first) if side[1] or side[2]]
        value = more.get("value", 0.0)
        fits = find_opset() >= since and isinstance(value, (int, float)) and _has_room(x, sides, mode)
        if not sides or not fits or x.dtype.kind != "f" or x.is_constant or 0 in x.shape:
            return definition(x, padding=padding, axes=axes, **more)
        added = {axis: low + high for axis, low, high in sides}
        return record(
            *("Pad", x, make_vector([low for _, low, _ in sides] + [high for _, _, high in sides])),
            *(make_scalar(value, x.dtype), make_vector(added)),
            dtype=x.dtype,
            shapes=[tuple([n + added.get(axis, 0) for axis, n in enumerate(shape)]) for shape in x.shapes],
            mode=mode,
        )

    pad.__name__ = pad.__qualname__ = op.__name__
    pad.__doc__ = "One operator."
    return pad


def _has_room(x: Array, sides: list[tuple[int, int, int]], mode: str) -> bool:
    """Tell whether no axis is known to be too short: for such an axis the definition raises an error."""
    taken = {"reflect": 1, "wrap": 0}.get(mode)
    return taken is None or all(
        [(n := x.shape[axis]) is None or n - taken >= max(low, high) for axis, low, high in sides]
    )


pad_constant = _make_pad(ops.pad_constant, "constant", 0)
pad_edge = _make_pad(ops.pad_edge, "edge", 2)
pad_reflect = _make_pad(ops.pad_reflect, "reflect", 2)
pad_circular = _make_pad(ops.pad_circular, "wrap", 2, since=19)
