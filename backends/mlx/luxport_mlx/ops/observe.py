"""`observe`: callbacks that see values and gradients."""

from __future__ import annotations

from typing import Any

import mlx.core as mx

from luxport_mlx.values import has_values

__all__ = ["observe"]


def observe(x: Any, *, forward: Any = None, backward: Any = None) -> Any:
    """Call `forward` with x and `backward` with its gradient; not in compiled programs nor in `mx.vmap`."""
    if not has_values(x):
        return x
    if forward is not None:
        forward(x)
    if backward is None:
        return x

    @mx.custom_function
    def identity(x: Any) -> Any:
        return mx.array(x)

    @identity.vjp
    def show(x: Any, gradient: Any, y: Any) -> Any:
        if has_values(gradient):
            backward(gradient)
        return gradient

    return identity(x)
