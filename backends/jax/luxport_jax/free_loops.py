"""`scan` over a symbolic number of rows, as in exported programs, which `jax.lax.scan` does not support."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

__all__ = ["scan_free_length"]

Step = Callable[..., tuple[Any, Any]]


def scan_free_length(step: Step, init: Any, xs: Any, reverse: bool) -> tuple[Any, Any]:
    """Loop as `jax.lax.scan` does, over rows whose number is a symbol of `jax.export`.

    The gradient is a second loop, from the last step to the first, for which the first loop stores all carries.
    """
    first = jax.tree.map(lambda x: x[0, ...], xs)
    step, constants = jax.closure_convert(step, init, first)
    leaves, structure = jax.tree.flatten((init, xs, constants))
    slopes = [jnp.issubdtype(leaf.dtype, jnp.inexact) for leaf in leaves]
    length = jax.tree.leaves(xs)[0].shape[0]

    def forward(leaves: Sequence[Any]) -> tuple[Any, Any, Any]:
        init, xs, constants = jax.tree.unflatten(structure, leaves)
        _, y = jax.eval_shape(step, init, first, *constants)

        def turn(i: Any, state: Any) -> Any:
            carry, ys, before = state
            place = length - 1 - i if reverse else i
            after, y = step(carry, _get_row(xs, place), *constants)
            return after, _put_row(ys, y, place), _put_row(before, carry, place)

        return jax.lax.fori_loop(0, length, turn, (init, _make_rows_like(y, length), _make_rows_like(init, length)))

    @jax.custom_vjp
    def loop(leaves: Sequence[Any]) -> tuple[Any, Any]:
        return forward(leaves)[:2]

    def loop_forward(leaves: Sequence[Any]) -> Any:
        last, ys, before = forward(leaves)
        return (last, ys), (leaves, before)

    def loop_backward(kept: Any, cotangents: Any) -> tuple[list[Any]]:
        leaves, before = kept
        _, xs, constants = jax.tree.unflatten(structure, leaves)
        last, ys = cotangents

        def turn(i: Any, state: Any) -> Any:
            of_carry, of_xs, of_constants = state
            place = i if reverse else length - 1 - i
            inputs = _get_row(before, place), _get_row(xs, place), constants
            parts, whole = jax.tree.flatten(inputs)

            def call_with_floats(*floats: Any) -> Any:
                carry, x, constants = jax.tree.unflatten(whole, _put(parts, slopes, floats))
                return step(carry, x, *constants)

            _, pull = jax.vjp(call_with_floats, *_choose(parts, slopes))
            found = pull((of_carry, _get_row(ys, place)))
            found = jax.tree.unflatten(whole, _put(parts, slopes, found, None))
            return found[0], _put_row(of_xs, found[1], place), jax.tree.map(jnp.add, of_constants, found[2])

        zeros = jax.tree.unflatten(
            structure, _put(leaves, slopes, [jnp.zeros_like(leaf) for leaf in _choose(leaves, slopes)], None)
        )
        found = jax.lax.fori_loop(0, length, turn, (last, zeros[1], zeros[2]))
        return (structure.flatten_up_to(found),)

    loop.defvjp(loop_forward, loop_backward)
    return loop(leaves)


def _choose(leaves: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    return [leaf for leaf, flag in zip(leaves, flags, strict=True) if flag]


def _put(leaves: Sequence[Any], flags: Sequence[bool], found: Sequence[Any], *other: Any) -> list[Any]:
    """Replace the flagged leaves by `found`, and the others by `other` if it is given."""
    rest = iter(found)
    return [next(rest) if flag else (other[0] if other else leaf) for leaf, flag in zip(leaves, flags, strict=True)]


def _get_row(values: Any, place: Any) -> Any:
    return jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, place, keepdims=False), values)


def _make_rows_like(values: Any, length: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.zeros((length, *leaf.shape), leaf.dtype), values)


def _put_row(rows: Any, row: Any, place: Any) -> Any:
    return jax.tree.map(lambda all_, one: jax.lax.dynamic_update_index_in_dim(all_, one, place, 0), rows, row)
