"""The ONNX backend: it records what is computed as a graph that leaves Python, and does nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from luxport.backend import adopt_type
from luxport_onnx import ops, xp
from luxport_onnx.export import export
from luxport_onnx.graph import Array, fed
from luxport_onnx.loops import scan
from luxport_onnx.running import numbers_of

__all__ = ["export", "name", "ops", "scan", "xp"]

name = "onnx"


def owns_type(array_type: type) -> bool:
    """Own the arrays of a graph."""
    return issubclass(array_type, Array)


def asarray(values: Any, *, dtype: str | None = None, device: str | None = None) -> Any:
    """Return an input of a graph, with the numbers that it gets where the graph is run at once."""
    if device not in (None, "cpu"):
        raise ValueError(f"onnx has the device 'cpu', got {device!r}")
    host: Any = values if type(values) is Array else np.asarray(values)
    kind = host.dtype.name if dtype is None else dtype
    if getattr(xp, kind, None) is None:
        raise ValueError(f"onnx has no dtype {kind!r} here")
    if type(values) is Array:
        return xp.astype(values, kind)
    return fed(host.astype(kind))


def to_numpy(array: Any) -> Any:
    """Run the graph, and copy."""
    return numbers_of(array)


def from_dlpack(array: Any, *, share: bool) -> Any:
    """Copy another framework's array."""
    return fed(np.from_dlpack(array))


def devices() -> list[str]:
    """Name the one device."""
    return ["cpu"]


def device_of(array: Any) -> str:
    """Name the one device."""
    return "cpu"


def stop_gradient(array: Any) -> Any:
    """Return it: everything is constant here."""
    return array


def custom_vjp(rule: Any, args: tuple[Any, ...]) -> Any:
    """Run the function: there are no gradients here."""
    return rule.f(*args)


def jit(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return f: what is recorded is compiled where it is run."""
    return f


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...], has_aux: bool) -> Callable[..., Any]:
    """Refuse."""
    return _refuse


def vjp(f: Callable[..., Any], *primals: Any) -> NoReturn:
    """Refuse."""
    _refuse()


def jvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> NoReturn:
    """Refuse."""
    _refuse()


def jacobian(f: Callable[..., Any], argnums: int) -> Callable[..., Any]:
    """Refuse."""
    return _refuse


def _refuse(*args: Any, **kwargs: Any) -> NoReturn:
    raise TypeError(
        "onnx differentiates nothing: it records a model for others to run. Train with arrays of jax, torch or tf"
    )


adopt_type(Array, sys.modules[__name__])  # type: ignore[arg-type]
