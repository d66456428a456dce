"""Steps of optimizers by MLX."""

from __future__ import annotations

from typing import Any

import mlx.core as mx

from luxport.ops import definition_of
from luxport.optimizers import _clip as clip
from luxport_mlx.values import has_values

__all__ = ["finite_norm"]

_define_finite_norm = definition_of(clip.finite_norm)


def finite_norm(size: mx.array, *, p: float, shape: tuple[Any, ...]) -> mx.array:
    """Raise an error if the norm is not finite, unless it has no value yet."""
    return _define_finite_norm(size, p=p, shape=shape) if has_values(size) else size
