"""Steps of optimizers by TensorFlow."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from luxport.ops import definition_of
from luxport.optimizers import _adam as adam
from luxport.optimizers import _clip as clip
from luxport.optimizers._rule import in_dtype_of, is_number

__all__ = ["adam_step", "finite_norm"]

_define_adam_step = definition_of(adam.adam_step)
_define_finite_norm = definition_of(clip.finite_norm)


def adam_step(
    dx: Any, m: Any, v: Any, powers: Any, *, eta: Any, beta: tuple[Any, Any], epsilon: Any
) -> tuple[Any, Any, Any, Any]:
    """As few kernels as the formula allows: a graph pays for each, however small its tensors are.

    Half types keep the definition's order of operations, in which small gradients do not underflow.
    """
    if dx.dtype not in (tf.float32, tf.float64) or not all(map(is_number, (*beta, epsilon))):
        return _define_adam_step(dx, m, v, powers, eta=eta, beta=beta, epsilon=epsilon)
    beta1, beta2 = in_dtype_of(dx, beta[0]), in_dtype_of(dx, beta[1])
    correction1, correction2 = tf.unstack(1.0 - powers)
    m = beta1 * m + (1.0 - beta1) * dx
    v = beta2 * v + (1.0 - beta2) * tf.square(dx)
    root = tf.sqrt(v / correction2) + adam.rounded_epsilon(dx, epsilon)
    step = m * (in_dtype_of(dx, eta) / correction1) / root
    return m, v, powers * tf.constant([beta1, beta2], powers.dtype), step


def finite_norm(size: Any, *, p: float, shape: tuple[Any, ...]) -> Any:
    """Ask whether it is finite, unless there is no value yet."""
    return _define_finite_norm(size, p=p, shape=shape) if tf.executing_eagerly() else size
