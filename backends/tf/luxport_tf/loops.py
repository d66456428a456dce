"""`scan` for TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from luxport import tree
from luxport.transforms._loops import unroll_scan

__all__ = ["scan"]


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any, length: int | None, reverse: bool
) -> tuple[Any, Any]:
    """Loop in Python if eager; in a graph by `tf.while_loop`, whose size does not depend on the length."""
    if tf.executing_eagerly():
        return unroll_scan(f, init, xs, length, reverse)
    carried, sliced = tree.structure(init), tree.structure(xs)
    first = [tf.convert_to_tensor(leaf) for leaf in tree.leaves(init)]
    leaves = tree.leaves(xs)
    steps = tf.shape(leaves[0])[0] if length is None else length

    def step(carry: list[Any], slices: list[Any]) -> tuple[list[Any], Any]:
        new, y = f(tree.unflatten(carried, iter(carry)), tree.unflatten(sliced, iter(slices)))
        if tree.structure(new) != carried:
            raise TypeError(f"scan expects a carry like {carried}, got {tree.structure(new)}")
        # `tf.while_loop` requires that the carry keeps its static shape, of which a step may know less.
        pairs = zip(tree.leaves(new), first, strict=True)
        return [tf.ensure_shape(tf.convert_to_tensor(leaf, like.dtype), like.shape) for leaf, like in pairs], y

    outputs = _describe_outputs(step, first, leaves)
    inputs = [
        tf.TensorArray(leaf.dtype, steps, element_shape=leaf.shape[1:], clear_after_read=False).unstack(leaf)
        for leaf in leaves
    ]
    empty = [tf.TensorArray(leaf.dtype, steps, element_shape=leaf.shape) for leaf in tree.leaves(outputs)]

    def body(count: Any, carry: list[Any], written: list[Any]) -> tuple[Any, list[Any], list[Any]]:
        t = steps - 1 - count if reverse else count
        carry, y = step(carry, [array.read(t) for array in inputs])
        written = [array.write(t, leaf) for array, leaf in zip(written, tree.leaves(y), strict=True)]
        return count + 1, carry, written

    _, carry, written = tf.while_loop(
        lambda count, carry, written: count < steps,
        body,
        (tf.constant(0), first, empty),
        maximum_iterations=length,
    )
    stacked = [
        tf.ensure_shape(array.stack(), (length, *leaf.shape))
        for array, leaf in zip(written, tree.leaves(outputs), strict=True)
    ]
    return tree.unflatten(carried, iter(carry)), tree.unflatten(tree.structure(outputs), iter(stacked))


def _describe_outputs(step: Callable[..., tuple[list[Any], Any]], first: list[Any], leaves: list[Any]) -> Any:
    """Return the shapes and dtypes of a step's outputs as `tf.TensorSpec`, by tracing it without running it."""
    found: Any = None

    def trace(carry: list[Any], slices: list[Any]) -> list[Any]:
        nonlocal found
        y = step(carry, slices)[1]
        found = tree.map(lambda leaf: tf.TensorSpec(leaf.shape, leaf.dtype), y)
        return []

    tf.function(trace, autograph=False).get_concrete_function(
        [tf.TensorSpec(leaf.shape, leaf.dtype) for leaf in first],
        [tf.TensorSpec(leaf.shape[1:], leaf.dtype) for leaf in leaves],
    )
    return found
