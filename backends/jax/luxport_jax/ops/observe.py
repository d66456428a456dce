"""JAX's override of `observe`: callbacks that get values and gradients."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import jax

__all__ = ["observe"]


def observe(x: Any, *, forward: Any = None, backward: Any = None) -> Any:
    """Call `forward` with x and `backward` with its gradient; not in compiled programs nor in `vmap`."""
    _show(forward, x)
    return x if backward is None else _identity(x, backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _identity(x: Any, backward: Any) -> Any:
    return x


def _forward(x: Any, backward: Any) -> tuple[Any, None]:
    return x, None


def _backward(backward: Any, residual: None, gradient: Any) -> tuple[Any]:
    _show(backward, gradient)
    return (gradient,)


_identity.defvjp(_forward, _backward)


def _show(observer: Any, x: Any) -> None:
    if observer is not None:
        with contextlib.suppress(jax.errors.ConcretizationTypeError):
            observer(x)
