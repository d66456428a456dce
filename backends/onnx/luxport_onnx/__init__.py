"""The ONNX backend: it records computations as a graph of ONNX's operators; values come from running the graph."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from luxport.backend import adopt_type
from luxport_onnx import ops, xp
from luxport_onnx.export import export
from luxport_onnx.graph import Array, make_fed
from luxport_onnx.loops import scan
from luxport_onnx.run_graphs import read_numbers

__all__ = ["capabilities", "export", "name", "ops", "scan", "xp"]

name = "onnx"

capabilities = frozenset({"scan", "recording"})


def owns_type(array_type: type) -> bool:
    """Tell whether a type is that of a graph's arrays."""
    return issubclass(array_type, Array)


def asarray(values: Any, *, dtype: str | None = None, device: str | None = None) -> Any:
    """Return an input of a graph, with the values that it has when the graph is run from Python."""
    if device not in (None, "cpu"):
        raise ValueError(f"onnx has the devices cpu, got {device!r}")
    host: Any = values if type(values) is Array else np.asarray(values)
    kind = host.dtype.name if dtype is None else dtype
    if getattr(xp, kind, None) is None:
        raise ValueError(f"onnx has no dtype {kind!r} here")
    if type(values) is Array:
        return xp.astype(values, kind)
    return make_fed(host.astype(kind))


def to_numpy(array: Any) -> Any:
    """Run the graph that computes an array, and return its values."""
    return read_numbers(array)


def from_dlpack(array: Any, *, share: bool) -> Any:
    """Copy another framework's array."""
    return make_fed(np.from_dlpack(array))


def devices() -> list[str]:
    """Name the one device."""
    return ["cpu"]


def device_of(array: Any) -> str:
    """Name the one device."""
    return "cpu"


adopt_type(Array, sys.modules[__name__])  # type: ignore[arg-type]
