"""TensorFlow's override of batch norm: its fused kernel, with channels last."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from luxport import ops
from luxport.ops import definition_of
from luxport.ops._normalize import blend, choose_epsilon, expect_several_values
from luxport.ops.moments import are_far, are_usual, find_usual_bound
from luxport_tf import xp
from luxport_tf.ops.layout import put_channels_first, put_channels_last
from luxport_tf.ops.readable_values import may_look
from luxport_tf.shortcuts import may_rely, rely_on

__all__ = ["batch_norm"]

_define_batch_norm = definition_of(ops.batch_norm)

FEW = 1 << 15
"""Up to this size the definition takes half the time of the fused kernel (measured on a CPU, 2^13 to 2^19)."""


def batch_norm(
    x: Any,
    scale: Any = None,
    bias: Any = None,
    running_mean: Any = None,
    running_var: Any = None,
    *,
    training: bool,
    momentum: float = 0.1,
    epsilon: float | None = None,
) -> tuple[Any, Any, Any]:
    """Call TensorFlow's kernel if squares of x neither overflow nor underflow; otherwise the definition."""
    epsilon = choose_epsilon(x, epsilon)
    options = {"training": training, "momentum": momentum, "epsilon": epsilon}
    tracked = running_mean is not None and running_var is not None
    native = _is_native(x, running_mean, running_var, scale, bias) and (may_rely() or may_look(x))
    if not native or (tracked and not training):
        return _define_batch_norm(x, scale, bias, running_mean, running_var, **options)
    expect_several_values(x, (0, *range(2, len(x.shape))), training, running_mean)
    last = put_channels_last(x)
    channels = (x.shape[1],)
    scale = tf.ones(channels) if scale is None else scale
    bias = tf.zeros(channels) if bias is None else bias
    y, mean, var = _normalize_fused(last, scale, bias, epsilon)
    usual = _is_usual(mean, var, epsilon)
    if may_rely():
        rely_on(usual)
    elif not bool(usual):
        return _define_batch_norm(x, scale, bias, running_mean, running_var, **options)
    if training and tracked:
        # The number of values may be known only when the graph runs.
        several = None not in x.shape or tf.size(last) > x.shape[1]
        running_mean = blend(xp, running_mean, mean, momentum, several)
        running_var = blend(xp, running_var, var, momentum, several)
    return put_channels_first(y), running_mean, running_var


def _is_native(x: Any, running_mean: Any, *others: Any) -> bool:
    if x.dtype != tf.float32 or len(x.shape) < 2 or x.shape[1] is None:
        return False
    size = x.shape.num_elements()  # None if it is known only when the graph runs
    if size is not None and (size in (0, x.shape[1]) or size <= FEW):
        return False
    return all([p is None or (p.dtype == x.dtype and p.shape == x.shape[1:2]) for p in (running_mean, *others)])


def _normalize_fused(last: Any, scale: Any, bias: Any, epsilon: float) -> tuple[Any, Any, Any]:
    images = last if len(last.shape) == 4 else tf.reshape(last, (-1, 1, 1, last.shape[-1]))
    y, mean, var, *_ = tf.raw_ops.FusedBatchNormV3(
        x=images, scale=scale, offset=bias, mean=scale, variance=scale, epsilon=epsilon, is_training=True
    )
    return y if images is last else tf.reshape(y, tf.shape(last)), tf.stop_gradient(mean), tf.stop_gradient(var)


def _is_usual(mean: Any, var: Any, epsilon: float) -> Any:
    near = tf.reduce_all(tf.abs(mean) < find_usual_bound(xp, mean)) & ~are_far(xp, mean, var, epsilon)
    return are_usual(xp, var, epsilon) & near
