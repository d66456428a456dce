"""Sizes and values that only the running graph knows."""

from __future__ import annotations

from typing import Any

from luxport.errors import LayerTypeError
from luxport_onnx.graph import Array, is_exporting
from luxport_onnx.xp._manipulation import read_sizes

__all__ = ["may_look", "observe", "running_sizes"]


def running_sizes(x: Array) -> tuple[Any, ...]:
    """Return the sizes: those that are known as ints, the others as scalars of int64."""
    return read_sizes(x)


def may_look(x: Array) -> bool:
    """Tell whether x is a constant."""
    return x.is_constant


def observe(x: Array, *, forward: Any = None, backward: Any = None) -> Array:
    """Call `forward` with x; in a graph for export it is refused."""
    if forward is not None and is_exporting():
        raise LayerTypeError("calls a function of Python's with numbers, which a model for ONNX cannot: leave it out")
    if forward is not None:
        forward(x)
    return x
