"""Normalization."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport import ops
from luxport.backend.dtypes import widen_halves
from luxport.ops._normalize import choose_epsilon
from luxport_onnx import xp
from luxport_onnx.graph import Array, find_opset, make_constant, record

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm"]

_define_batch: Any = ops.definition_of(ops.batch_norm)
_define_instance: Any = ops.definition_of(ops.instance_norm)
_define_group: Any = ops.definition_of(ops.group_norm)
_define_layer: Any = ops.definition_of(ops.layer_norm)


def batch_norm(
    x: Array,
    scale: Array | None = None,
    bias: Array | None = None,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    *,
    training: bool,
    epsilon: float | None = None,
    **options: Any,
) -> Any:
    """Record one operator in test mode."""
    parameters = scale, bias, running_mean, running_var
    tracked = running_mean is not None and running_var is not None
    if training or not tracked or not is_native(x) or x.ndim < 2 or not _fits(x, *parameters):
        return _define_batch(x, *parameters, training=training, epsilon=epsilon, **options)
    y = _record_norm("BatchNormalization", x, scale, bias, running_mean, running_var, epsilon=epsilon)
    return y, running_mean, running_var


def instance_norm(
    x: Array,
    scale: Array | None = None,
    bias: Array | None = None,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    **options: Any,
) -> Any:
    """Record one operator."""
    parameters = scale, bias, running_mean, running_var
    if running_mean is not None and running_var is not None:
        return (_define_instance if options["training"] else batch_norm)(x, *parameters, **options)
    if not is_native(x) or x.ndim < 3 or not _fits(x, scale, bias):
        return _define_instance(x, *parameters, **options)
    y = _record_norm("InstanceNormalization", x, scale, bias, epsilon=options.get("epsilon"))
    return y, running_mean, running_var


def group_norm(
    x: Array, scale: Array | None = None, bias: Array | None = None, *, groups: int, epsilon: float | None = None
) -> Array:
    """Record one operator; where each channel is a group, that of `instance_norm`, which is more exact."""
    if groups == x.shape[1]:
        return instance_norm(x, scale, bias, training=True, epsilon=epsilon)[0]
    if find_opset() < 21 or not is_native(x) or x.ndim < 3 or not _fits(x, scale, bias):
        return _define_group(x, scale, bias, groups=groups, epsilon=epsilon)
    return _record_norm("GroupNormalization", x, scale, bias, epsilon=epsilon, num_groups=groups)


def layer_norm(
    x: Array,
    scale: Array | None = None,
    bias: Array | None = None,
    *,
    axes: tuple[int, ...] = (-1,),
    epsilon: float | None = None,
) -> Array:
    """Record one operator over trailing axes, with a scale and a bias of just their shape."""
    rank = len(axes)
    trailing = sorted([axis - x.ndim if axis >= 0 else axis for axis in axes]) == list(range(-rank, 0))
    shape = x.shape[x.ndim - rank :]
    shaped = all([parameter is None or parameter.shape == shape for parameter in (scale, bias)])
    alike = all([parameter is None or parameter.dtype == x.dtype for parameter in (scale, bias)])
    if not trailing or not shaped or not alike or None in shape or not is_native(x) or 0 in x.shape:
        return _define_layer(x, scale, bias, axes=axes, epsilon=epsilon)
    inputs = [x, make_constant(np.ones(shape, x.dtype)) if scale is None else scale, bias]  # type: ignore[arg-type]
    return record(
        "LayerNormalization", *inputs, dtype=x.dtype, shapes=x.shapes, axis=-rank, epsilon=choose_epsilon(x, epsilon)
    )


def rms_norm(
    x: Array, scale: Array | None = None, *, axes: tuple[int, ...] = (-1,), epsilon: float | None = None
) -> Array:
    """Compute the formula without scaling x first: squares of huge numbers overflow."""
    wide = widen_halves(xp, x)
    y = wide / xp.sqrt(xp.mean(wide * wide, axis=axes, keepdims=True) + choose_epsilon(x, epsilon))
    if scale is not None:
        y = y * xp.astype(scale, y.dtype)
    return xp.astype(y, x.dtype)


def is_native(x: Array) -> bool:
    """Tell whether an operator can be recorded; in float64 it would round epsilon to float32."""
    return x.dtype.name in ("float16", "float32") and not x.is_constant


def _fits(x: Array, *parameters: Array | None) -> bool:
    """Tell whether parameters have a number for each channel, scale and bias in the dtype of x."""
    channels = x.shape[1:2]
    scale_and_bias, running = parameters[:2], parameters[2:]
    return (
        None not in channels
        and 0 not in x.shape
        and all([p is None or (p.shape == channels and p.dtype == x.dtype) for p in scale_and_bias])
        and all([p is None or (p.shape == channels and p.dtype.kind == "f") for p in running])
    )


def _record_norm(
    operator: str,
    x: Array,
    scale: Array | None,
    bias: Array | None,
    *running: Array | None,
    epsilon: float | None,
    **attributes: Any,
) -> Array:
    channels: Any = x.shape[1:2]
    scale, bias = [
        make_constant(np.full(channels, value, x.dtype)) if parameter is None else parameter
        for parameter, value in ((scale, 1), (bias, 0))
    ]
    epsilon = choose_epsilon(x, epsilon)
    return record(operator, x, scale, bias, *running, dtype=x.dtype, shapes=x.shapes, epsilon=epsilon, **attributes)
