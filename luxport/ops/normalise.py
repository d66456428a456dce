"""Normalisation on arrays."""

from __future__ import annotations

import math
from typing import Any

from luxport.backend import Array, dtype_name, namespace
from luxport.ops.operation import operation
from luxport.ops.stop_gradient import stop_gradient

__all__ = ["batch_norm", "channel_axis"]


@operation
def batch_norm(
    x: Array,
    scale: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    *,
    training: bool,
    momentum: float,
    epsilon: float,
) -> tuple[Array, Array | None, Array | None]:
    """Normalise each channel over all other axes; return the result and the new running statistics.

    In training, and where nothing is tracked, by the batch's mean and biased variance; otherwise by the running
    ones. In training the running mean becomes ``(1 - momentum) running + momentum batch``, the running variance
    likewise with the unbiased variance.

    Shapes: x (N, C, ...) or (C,), the others (C,) or None -> like x, (C,) or None, (C,) or None
    Source: LuxLib ``batchnorm``; NNlib ``batchnorm``
    """
    xp = namespace(x, scale, bias, running_mean, running_var)
    axis = channel_axis(x)
    over = tuple(i for i in range(len(x.shape)) if i != axis)
    broadcast = tuple(-1 if i == axis else 1 for i in range(len(x.shape)))
    wide = _wide(xp, x)
    if training or running_mean is None or running_var is None:
        mean = xp.mean(wide, axis=over)
        centred = wide - xp.reshape(mean, broadcast)
        var = xp.mean(centred * centred, axis=over)
        if training and running_mean is not None and running_var is not None:
            n = _count(xp, wide, over)
            running_mean = _blend(xp, running_mean, stop_gradient(mean), momentum)
            running_var = _blend(xp, running_var, stop_gradient(var) * (n / (n - 1)), momentum)
    else:
        centred = wide - xp.reshape(xp.astype(running_mean, wide.dtype), broadcast)
        var = xp.astype(running_var, wide.dtype)
    factor = 1.0 / xp.sqrt(var + epsilon)
    if scale is not None:
        factor = factor * xp.astype(scale, wide.dtype)
    y = centred * xp.reshape(factor, broadcast)
    if bias is not None:
        y = y + xp.reshape(xp.astype(bias, wide.dtype), broadcast)
    return xp.astype(y, x.dtype), running_mean, running_var


def channel_axis(x: Array) -> int:
    """Return the axis of the channels: 1, or 0 for a single sample of features."""
    return 1 if len(x.shape) > 1 else 0


def _wide(xp: Any, x: Array) -> Array:
    # A mean over more than 65,504 float16 ones overflows: half types take their statistics in float32.
    return xp.astype(x, xp.float32) if dtype_name(x) in ("float16", "bfloat16") else x


def _count(xp: Any, x: Array, axes: tuple[int, ...]) -> Any:
    """Count the elements along axes: an int, or an array where a compiled program knows them only as it runs."""
    sizes = [x.shape[axis] for axis in axes]
    return xp.sum(xp.ones_like(x), axis=axes) if None in sizes else math.prod(sizes)


def _blend(xp: Any, running: Array, batch: Array, momentum: float) -> Array:
    return (1.0 - momentum) * running + momentum * xp.astype(batch, running.dtype)
