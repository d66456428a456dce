"""TensorFlow's overrides of activation functions.

TensorFlow's function is called where its values and derivatives, at kinks too, equal the definition's. Without override
are selu (TensorFlow's has another derivative at 0), softsign (no second derivative), elu (it subtracts 1 from an
exponential, which is imprecise near 0), silu and gelu (slower than the definitions), and mish
(TensorFlow's tanh is 1 from 7.9 on in float32, where mish would lose its slope).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from luxport import ops
from luxport.ops import definition_of
from luxport.ops.moments import find_usual_bound
from luxport_tf.ops.layout import apply_elementwise
from luxport_tf.shortcuts import may_rely, rely_on

__all__ = [
    "erf", "gelu_sigmoid", "gelu_tanh", "hardsigmoid", "hardswish", "leakyrelu", "logsigmoid", "relu", "relu6",
    "sigmoid", "softplus", "swish", "tanh",
]  # fmt: skip


def _accept_floats(op: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Call the native function for floating dtypes, and the definition, which converts or rejects, for others."""
    definition = definition_of(op)

    def wrap(native: Callable[..., Any]) -> Callable[..., Any]:
        # TensorFlow's own functions get the docstring of the definition.
        @functools.wraps(native if native.__module__ == __name__ else definition)
        def function(x: Any, **options: Any) -> Any:
            if not x.dtype.is_floating:
                return definition(x, **options)
            return apply_elementwise(lambda x: native(x, **options), x)

        return function

    return wrap


relu = _accept_floats(ops.relu)(tf.nn.relu)
relu6 = _accept_floats(ops.relu6)(tf.nn.relu6)
sigmoid = _accept_floats(ops.sigmoid)(tf.math.sigmoid)
softplus = _accept_floats(ops.softplus)(tf.math.softplus)
tanh = _accept_floats(ops.tanh)(tf.math.tanh)


@_accept_floats(ops.erf)
def erf(x: Any) -> Any:
    """Call TensorFlow's function on x clipped to where erf is not yet 1; its float64 erf is NaN where x² overflows."""
    return tf.math.erf(tf.clip_by_value(x, -10.0, 10.0))


@_accept_floats(ops.hardsigmoid)
def hardsigmoid(x: Any) -> Any:
    """Shift and scale `relu6`."""
    return tf.nn.relu6(x + 3.0) / 6.0


@_accept_floats(ops.hardswish)
def hardswish(x: Any) -> Any:
    """Multiply clipped values; a clip passes gradients at its edges, as the definition does."""
    return tf.maximum(x, -3.0) * (tf.clip_by_value(x + 3.0, 0.0, 6.0) / 6.0)


@_accept_floats(ops.leakyrelu)
def leakyrelu(x: Any, *, a: float = 0.01) -> Any:
    """Call TensorFlow's function except in float64, for which it would round the slope to float32."""
    return definition_of(ops.leakyrelu)(x, a=a) if x.dtype == tf.float64 else tf.nn.leaky_relu(x, a)


@_accept_floats(ops.logsigmoid)
def logsigmoid(x: Any) -> Any:
    """Compute -softplus(-x)."""
    return -tf.math.softplus(-x)


@_accept_floats(ops.swish)
def swish(x: Any) -> Any:
    """Compute x sigmoid(x); where x may be infinite, with clipped x, and x itself as the result where it is large."""
    if may_rely():
        rely_on(tf.math.is_finite(tf.reduce_sum(x)))
        return x * tf.math.sigmoid(x)
    near = tf.clip_by_value(x, -750.0, 750.0)
    return tf.where(x > 750.0, x, near * tf.math.sigmoid(near))


@_accept_floats(ops.gelu_tanh)
def gelu_tanh(x: Any) -> Any:
    """Compute x sigmoid(c(x)), c a cubic, with a hand-written gradient."""
    return _compute_gelu_of_cubic(ops.gelu_tanh, x)


@_accept_floats(ops.gelu_sigmoid)
def gelu_sigmoid(x: Any) -> Any:
    """Compute the same function as `gelu_tanh`."""
    return _compute_gelu_of_cubic(ops.gelu_sigmoid, x)


def _compute_gelu_of_cubic(op: Callable[..., Any], x: Any) -> Any:
    """Compute in few operations, if a graph may take shortcuts (the cubic may overflow); else by the definition."""
    if x.dtype not in (tf.float32, tf.float64) or not may_rely():
        return definition_of(op)(x)
    rely_on(tf.reduce_max(tf.abs(x)) < find_usual_bound(tf, x))
    return _apply_gate_by_cubic(x)


@tf.custom_gradient
def _apply_gate_by_cubic(x: Any) -> Any:
    """Return x times the sigmoid of a cubic c; its gradient uses sigmoid(-c), more exact than 1 - sigmoid(c)."""
    square = x * x
    inner = x * (_SCALE + _SCALE * 0.044715 * square)
    gate = tf.math.sigmoid(inner)

    def pull(of_y: Any) -> Any:
        return of_y * (gate + (inner + _SCALE * 0.08943 * square * x) * (gate * tf.math.sigmoid(-inner)))

    return x * gate, pull


_SCALE = math.sqrt(8 / math.pi)
