"""A training step of a pure function of JAX by `optax.adam`: what models of Equinox, Flax linen and Haiku share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import luxport
from benchmarks.models import CASES

__all__ = ["put_channels_last", "find_loss", "make_step_of"]


def put_channels_last(case: str) -> np.ndarray:
    """Return the inputs of a case, of images with their channels last."""
    x = CASES[case][2]
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x


def find_loss(case: str) -> Callable[[Any, Any], Any]:
    """Return the loss of a case as Optax has it."""
    if isinstance(CASES[case][1], luxport.losses.MSELoss):
        return lambda y, target: jnp.mean(optax.squared_error(y, target))
    return lambda y, target: jnp.mean(optax.softmax_cross_entropy(y, target))


def make_step_of(case: str, forward: Callable[[Any, Any, Any], Any], ps: Any, st: Any, x: Any) -> Callable[[], Any]:
    """Return a function that takes one step of ``y, st = forward(ps, st, x)`` and waits for it."""
    loss, adam = find_loss(case), optax.adam(0.0001)
    x, target = jnp.asarray(x), jnp.asarray(CASES[case][3])

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def program(ps: Any, st: Any, opt: Any, x: Any, target: Any) -> Any:
        def objective(ps: Any) -> Any:
            y, new = forward(ps, st, x)
            return loss(y, target), new

        (value, new), grads = jax.value_and_grad(objective, has_aux=True)(ps)
        updates, opt = adam.update(grads, opt, ps)
        return value, optax.apply_updates(ps, updates), new, opt

    carried = [ps, st, adam.init(ps)]

    def take_step() -> Any:
        value, *carried[:] = program(*carried, x, target)
        return jax.block_until_ready(value)

    return take_step
