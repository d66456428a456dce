"""JAX's override of means: sums that overflow are computed again, at no cost if none does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from luxport.ops.averages import take_smaller
from luxport_jax.ops.readable_values import may_look
from luxport_jax.ops.shapes import are_fixed

__all__ = ["average"]

_MANY = 16
"""If means are of fewer numbers, a second sum is faster than a branch, which writes the numbers to memory first."""


def average(x: Any, *, mean: Callable[[Any], Any]) -> Any:
    """Return means; those that overflow are computed from scaled-down numbers. Gradients are those of plain means.

    Relative to plain means, measured on a CPU with gradients: the mean of a loss takes 0.9 to 1.0 of the time, global
    pools 1.0, a pool of 2 by 2 after relu 1.2. With gradients through both sums they took 1.2, 1.2 and 1.9.
    """
    found = mean(x)
    fixed, plain = jax.lax.stop_gradient((x, found))
    if may_look(found):
        return found if bool(jnp.isfinite(plain).all()) else _replace(found, take_smaller(fixed, mean))
    # A free size of `jax.export` cannot be compared: a branch is right for any.
    few = are_fixed(x) and x.size < _MANY * found.size
    if few or jax.default_backend() != "cpu":
        return _replace(found, take_smaller(fixed, mean))
    return _replace(
        found,
        jax.lax.cond(
            jnp.isfinite(plain).all(),
            lambda fixed, plain: plain,
            lambda fixed, plain: take_smaller(fixed, mean),
            fixed,
            plain,
        ),
    )


@jax.custom_jvp
def _replace(found: Any, other: Any) -> Any:
    """Replace numbers in `found` that are not finite; the gradient is that of `found`."""
    return jnp.where(jnp.isfinite(found), found, other)


@_replace.defjvp
def _replace_jvp(numbers: Any, tangents: Any) -> Any:
    return _replace(*numbers), tangents[0]
