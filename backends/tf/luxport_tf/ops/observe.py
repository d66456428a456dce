"""TensorFlow's override of `observe`: callbacks that get values and gradients."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["observe"]


def observe(x: Any, *, forward: Any = None, backward: Any = None) -> Any:
    """Call `forward` with x and `backward` with its gradient; do nothing in graphs, where tensors have no values."""
    if not tf.executing_eagerly():
        return x
    if forward is not None:
        forward(x)
    if backward is None:
        return x

    @tf.custom_gradient
    def identity(x: Any) -> Any:
        def pull(gradient: Any) -> Any:
            gradient = tf.convert_to_tensor(gradient)
            if tf.executing_eagerly():
                backward(gradient)
            return gradient

        return tf.identity(x), pull

    return identity(x)
