"""Means by JAX whose sums may overflow, in programs that cost no more by it where they do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from luxport.ops.averages import take_smaller
from luxport_jax.ops.looking import may_look

__all__ = ["average"]

_MANY = 16
"""For fewer numbers to a mean, a second sum of what is at hand costs less than a branch, which wants it in memory."""


def average(x: Any, *, mean: Callable[[Any], Any]) -> Any:
    """Take means, and those of smaller numbers where one is not finite: the gradient of the former is right anyway.

    Measured on a CPU, with gradients: the mean of a loss in .9 to 1.0 of the time of a plain one, global pools in 1.0,
    a pool of 2 by 2 behind relu in 1.2. Both sums with gradients of their own were 1.2, 1.2 and 1.9.
    """
    found = mean(x)
    fixed, plain = jax.lax.stop_gradient((x, found))
    if may_look(found):
        return found if bool(jnp.isfinite(plain).all()) else _replace(found, take_smaller(fixed, mean))
    if x.size < _MANY * found.size or jax.default_backend() != "cpu":
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
    """Put other numbers in the place of those that are not finite; the gradient is that of what was found."""
    return jnp.where(jnp.isfinite(found), found, other)


@_replace.defjvp
def _replace_jvp(numbers: Any, tangents: Any) -> Any:
    return _replace(*numbers), tangents[0]
