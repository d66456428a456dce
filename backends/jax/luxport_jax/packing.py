"""Packing of a `TrainState`'s arrays, several of one shape in one buffer, and its registration as a JAX pytree."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Any

import jax
import jax.core
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero

from luxport.when_imported import when_imported

__all__ = ["cut_rows", "join_rows", "most_joined"]


def most_joined(arrays: list[Any]) -> int:
    """Return how many arrays may share a buffer: 0 unless all are on one device, and none is traced.

    The limit is low, because XLA compiles a kernel for each row of a buffer: with many rows, compiling takes longer
    than packing saves.
    """
    if not all([isinstance(array, jax.Array) and not isinstance(array, jax.core.Tracer) for array in arrays]):
        return 0
    return 32 if len({device for array in arrays for device in array.devices()}) == 1 else 0


def join_rows(rows: list[Any]) -> Any:
    """Stack arrays of one shape."""
    if any([isinstance(row, jax.core.Tracer) for row in rows]):
        return jax.numpy.stack(rows)
    # Rows are written one by one: a program that takes all rows as arguments would compile for seconds.
    stack = jax.numpy.broadcast_to(rows[0], (len(rows), *rows[0].shape))  # so on the rows' device
    for i, row in enumerate(rows):
        stack = _put(stack, np.int32(i), row)
    return stack


def cut_rows(stack: Any) -> list[Any]:
    """Return the rows of a stack."""
    if isinstance(stack, jax.core.Tracer):
        return _cut(stack)
    return [_get(stack, np.int32(i)) for i in range(stack.shape[0])]


@partial(jax.jit, donate_argnums=0)
def _put(stack: Any, i: Any, row: Any) -> Any:
    return lax.dynamic_update_index_in_dim(stack, row, i, 0)


@jax.jit
def _get(stack: Any, i: Any) -> Any:
    return lax.dynamic_index_in_dim(stack, i, 0, keepdims=False)


@jax.custom_vjp
def _cut(stack: Any) -> list[Any]:
    return [lax.squeeze(piece, (0,)) for piece in lax.split(stack, [1] * stack.shape[0])]


def _cut_forward(stack: Any) -> tuple[list[Any], tuple[()]]:
    return _cut(stack.value), ()


def _cut_backward(kept: tuple[()], cotangents: list[Any]) -> tuple[Any]:
    # Most often no row is used, and one symbolic zero is the gradient; JAX's own rule would process each row.
    if all([type(row) is SymbolicZero for row in cotangents]):
        return (SymbolicZero(jax.core.ShapedArray((len(cotangents), *cotangents[0].shape), cotangents[0].dtype)),)
    zeros = jax.numpy.zeros(cotangents[0].shape, cotangents[0].dtype)
    return (jax.numpy.stack([zeros if type(row) is SymbolicZero else row for row in cotangents]),)


_cut.defvjp(_cut_forward, _cut_backward, symbolic_zeros=True)


def _register_train_state() -> None:
    """Register `TrainState` with JAX, which would otherwise read the tuple: its entries are absent while packed."""
    state: Any = import_module("luxport.training._state")
    keys = [jax.tree_util.GetAttrKey(name) for name in state.TrainState._fields]
    for kind in (state.TrainState, state.TakenState):  # reading a `TakenState` raises an error
        jax.tree_util.register_pytree_with_keys(
            kind,
            lambda state: (tuple(zip(keys, state, strict=True)), None),
            lambda _, entries: state.TrainState(*entries),
            lambda state: (tuple(state), None),
        )


when_imported("luxport.training._state", _register_train_state)
