"""Steps of optimisers by TensorFlow."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from luxport.ops import definition_of
from luxport.optimisers import adam
from luxport.optimisers.rule import in_dtype_of

__all__ = ["adam_step"]

_define_adam_step = definition_of(adam.adam_step)


def adam_step(
    dx: Any, m: Any, v: Any, powers: Any, *, eta: float, beta: tuple[float, float], epsilon: float
) -> tuple[Any, Any, Any, Any]:
    """As few kernels as the formula allows: a graph pays for each, however small its tensors are.

    Half types keep the definition's order of operations, in which small gradients do not underflow.
    """
    if dx.dtype not in (tf.float32, tf.float64):
        return _define_adam_step(dx, m, v, powers, eta=eta, beta=beta, epsilon=epsilon)
    beta1, beta2 = in_dtype_of(dx, beta[0]), in_dtype_of(dx, beta[1])
    correction1, correction2 = tf.unstack(1.0 - powers)
    m = beta1 * m + (1.0 - beta1) * dx
    v = beta2 * v + (1.0 - beta2) * tf.square(dx)
    root = tf.sqrt(v / correction2) + adam.rounded_epsilon(dx, epsilon)
    step = m * (in_dtype_of(dx, eta) / correction1) / root
    return m, v, powers * tf.constant([beta1, beta2], powers.dtype), step
