"""JAX's overrides for optimizers."""

from __future__ import annotations

from typing import Any

import jax.core

from luxport.ops import definition_of
from luxport.optimizers import _clip as clip

__all__ = ["finite_norm"]

_define_finite_norm = definition_of(clip.finite_norm)


def finite_norm(size: Any, *, p: float, shape: tuple[int, ...]) -> Any:
    """Raise an error if the norm is not finite; return it unchecked while it is traced."""
    return size if isinstance(size, jax.core.Tracer) else _define_finite_norm(size, p=p, shape=shape)
