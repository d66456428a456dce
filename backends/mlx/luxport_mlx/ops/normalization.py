"""Normalization by MLX."""

from __future__ import annotations

from typing import Any

import mlx.core as mx

from luxport import ops
from luxport.ops import definition_of
from luxport.ops._normalize import choose_epsilon
from luxport_mlx.kernels import have_kernels

__all__ = ["layer_norm", "rms_norm"]

_define_layer_norm = definition_of(ops.layer_norm)
_define_rms_norm = definition_of(ops.rms_norm)


def layer_norm(
    x: Any, scale: Any = None, bias: Any = None, *, axes: tuple[int, ...] = (-1,), epsilon: float | None = None
) -> Any:
    """Call the library's function along the last axis."""
    if epsilon is None:
        epsilon = choose_epsilon(x, epsilon)
    if _is_native(x, (scale, bias), axes, epsilon):
        return mx.fast.layer_norm(x, scale, bias, epsilon)
    return _define_layer_norm(x, scale, bias, axes=axes, epsilon=epsilon)


def rms_norm(x: Any, scale: Any = None, *, axes: tuple[int, ...] = (-1,), epsilon: float | None = None) -> Any:
    """Call the library's function along the last axis."""
    if epsilon is None:
        epsilon = choose_epsilon(x, epsilon)
    if _is_native(x, (scale,), axes, epsilon):
        return mx.fast.rms_norm(x, scale, epsilon)
    return _define_rms_norm(x, scale, axes=axes, epsilon=epsilon)


def _is_native(x: mx.array, parameters: tuple[Any, ...], axes: tuple[int, ...], epsilon: float) -> bool:
    """Tell whether the library's function returns what the definition does, unless the squares of x overflow."""
    along_last = axes in ((-1,), (x.ndim - 1,)) and 0 not in x.shape
    if not have_kernels() or not along_last or x.dtype != mx.float32 or epsilon < 1e-12:
        return False
    return all([one is None or (one.dtype == x.dtype and one.shape == x.shape[-1:]) for one in parameters])
