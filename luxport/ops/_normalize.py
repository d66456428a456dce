"""Normalization: over the batch, the sample, groups of channels, or given axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from luxport.backend import Array, dtype_name, match_shapes, namespace
from luxport.backend.dtypes import EPSILON, expect_floating, is_floating, widen_halves
from luxport.backend.option_rules import AXES, FLAG, NON_NEGATIVE, PROBABILITY, SOME_AXES, allow_count, allow_none
from luxport.errors import LayerError, LayerTypeError, shape_text
from luxport.ops._operation import operation
from luxport.ops.averages import take_mean
from luxport.ops.moments import Moments, Reductions, choose_least_epsilon, reduce_along, take_moments
from luxport.ops.shapes import can_broadcast_to, is_number, read_sizes
from luxport.transforms._stop_gradient import stop_gradient

__all__ = [
    "batch_norm",
    "find_channel_axis",
    "choose_epsilon",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "normalize",
    "rms_norm",
]


_EPSILON = {"epsilon": allow_none(NON_NEGATIVE)}


def _describe_channels(x: str) -> str:
    others = [f"{name} floating (C)?" for name in ("scale", "bias", "running_mean", "running_var")]
    return ", ".join([f"x floating ({x})", *others])


def _expect_channels(x: Array, axis: int, **parameters: Array | None) -> None:
    """Expect a parameter for each channel; another shape would broadcast without an error."""
    size = x.shape[axis]
    for name, parameter in parameters.items():
        if parameter is None:
            continue
        if not match_shapes(parameter.shape, (size,)):
            raise LayerError(f"expects {name} (C) with C = {size} as in x, got {shape_text(parameter)}")
        if parameter.dtype != x.dtype and dtype_name(parameter) not in EPSILON:
            raise LayerTypeError(f"expects floating numbers as {name}, got {dtype_name(parameter)}")


def _expect_pair(
    x: Array,
    scale: Array | None = None,
    bias: Array | None = None,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    **options: Any,
) -> None:
    """Expect both running statistics or neither; one alone would raise no error."""
    if (running_mean is None) != (running_var is None):
        raise LayerTypeError("expects running_mean and running_var, or neither, got one of them")


def _expect_real_axes(x: Array, **options: Any) -> None:
    if not x.shape or not is_floating(x):
        raise LayerTypeError(f"expects floating numbers with an axis, got {dtype_name(x)} {shape_text(x)}")


def _expect_whole_groups(x: Array, *parameters: Array | None, groups: int, **options: Any) -> None:
    if x.shape[1] is not None and (x.shape[1] % groups or x.shape[1] == 0):
        raise LayerError(f"expects channels in groups of one size, got {x.shape[1]} in {groups}: {shape_text(x)}")


def _expect_to_broadcast(x: Array, scale: Array | None = None, bias: Array | None = None, **options: Any) -> None:
    for name, parameter in (("scale", scale), ("bias", bias)):
        if parameter is not None and not can_broadcast_to(parameter.shape, x.shape):
            raise LayerError(
                f"expects {name} of a shape that broadcasts to x {shape_text(x)}, got {shape_text(parameter)}"
            )


@operation(
    takes=(_describe_channels("N, C, ..."), _describe_channels("C")),
    rules={**_EPSILON, "training": FLAG, "momentum": PROBABILITY},
    check=_expect_pair,
    early=False,
)
def batch_norm(
    x: Array,
    scale: Array | None = None,
    bias: Array | None = None,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    *,
    training: bool,
    momentum: float = 0.1,
    epsilon: float | None = None,
) -> tuple[Array, Array | None, Array | None]:
    """Normalize each channel over all other axes; return the result and the new running statistics.

    In training, or without running statistics, it uses the mean and the biased variance of the batch; otherwise the
    running ones. In training the running mean becomes ``(1 - momentum) running + momentum batch``, and so does the
    running variance with the unbiased variance of the batch.

    Args:
        training: whether the statistics of x are used, and the running ones updated
        momentum: the share of the new statistics in the running ones, from 0 to 1
        epsilon: a small number added to the variance; None for the dtype's spacing at 1 to the power of 5/7

    Shapes: x (N, C, ...) or (C,), the others (C,) or None -> like x, (C,) or None, (C,) or None
    Raises: LayerError if running statistics are to be updated by a single value, or none
    Source: LuxLib ``batchnorm``; NNlib ``batchnorm``
    """
    xp = namespace(x, scale, bias, running_mean, running_var)
    _expect_channels(
        x, find_channel_axis(x), scale=scale, bias=bias, running_mean=running_mean, running_var=running_var
    )
    _expect_pair(x, scale, bias, running_mean, running_var)
    axis = find_channel_axis(x)
    over = tuple(i for i in range(len(x.shape)) if i != axis)
    epsilon = choose_epsilon(x, epsilon)
    expect_several_values(x, over, training, running_mean)
    channels = tuple(-1 if i == axis else 1 for i in range(len(x.shape)))
    wide = widen_halves(xp, x)
    if training or running_mean is None or running_var is None:
        found = take_moments(xp, wide, reduce_along(xp, over), epsilon)
        if training and running_mean is not None and running_var is not None:
            n = _count(xp, wide, over)
            several = True if is_number(n) else n > 1
            mean, var = [xp.reshape(stop_gradient(part), (-1,)) for part in found.unscaled]
            running_mean = blend(xp, running_mean, mean, momentum, several)
            running_var = blend(xp, running_var, var * (n / (n - 1)), momentum, several)
    else:
        found = _take_running(xp, wide, running_mean, running_var, epsilon, channels)
    return xp.astype(_scale_and_shift(xp, found, scale, bias, channels), x.dtype), running_mean, running_var


@operation(
    takes=_describe_channels("N, C, ..."),
    rules={**_EPSILON, "training": FLAG, "momentum": PROBABILITY},
    guard=_expect_pair,
    early=False,
)
def instance_norm(
    x: Array,
    scale: Array | None = None,
    bias: Array | None = None,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    *,
    training: bool,
    momentum: float = 0.1,
    epsilon: float | None = None,
) -> tuple[Array, Array | None, Array | None]:
    """Normalize each channel of each sample over its positions; return the result and the new running statistics.

    In training, or without running statistics, it uses the mean and the biased variance of each sample; otherwise the
    running ones. Those are updated as in `batch_norm`, by the averages of the samples' means and unbiased variances.

    Args:
        training: whether the statistics of x are used, and the running ones updated
        momentum: the share of the new statistics in the running ones, from 0 to 1
        epsilon: a small number added to the variance; None for the dtype's spacing at 1 to the power of 5/7

    Shapes: x (N, C, d1, ...), the others (C,) or None -> like x, (C,) or None, (C,) or None
    Raises: LayerError if running statistics are to be updated by a single value, or none
    Source: LuxLib ``instancenorm``; D. Ulyanov, A. Vedaldi, V. Lempitsky (2016)
    """
    xp = namespace(x, scale, bias, running_mean, running_var)
    _expect_channels(x, 1, scale=scale, bias=bias, running_mean=running_mean, running_var=running_var)
    _expect_pair(x, scale, bias, running_mean, running_var)
    over = tuple(range(2, len(x.shape)))
    epsilon = choose_epsilon(x, epsilon)
    expect_several_values(x, over, training, running_mean)
    if training and x.shape[0] == 0:  # no samples to average statistics over
        return x, running_mean, running_var
    channels = (-1, *(1 for _ in over))
    wide = widen_halves(xp, x)
    if training or running_mean is None or running_var is None:
        found = take_moments(xp, wide, reduce_along(xp, over), epsilon)
        if training and running_mean is not None and running_var is not None:
            n = _count(xp, wide, over)
            several = True if is_number(n) else xp.sum(xp.astype(n > 1, xp.int32), axis=0) > 0
            mean, var = [stop_gradient(part) for part in found.unscaled]
            unbiased = take_mean(xp, var, over) * (n / (n - 1))
            running_mean = blend(xp, running_mean, take_mean(xp, mean, (0, *over)), momentum, several)
            running_var = blend(xp, running_var, take_mean(xp, unbiased, 0), momentum, several)
    else:
        found = _take_running(xp, wide, running_mean, running_var, epsilon, channels)
    return xp.astype(_scale_and_shift(xp, found, scale, bias, channels), x.dtype), running_mean, running_var


@operation(
    takes="x floating (N, C, ...), scale floating (C)?, bias floating (C)?",
    rules={**_EPSILON, "groups": allow_count(1)},
    guard=_expect_whole_groups,
    early=False,
)
def group_norm(
    x: Array, scale: Array | None = None, bias: Array | None = None, *, groups: int, epsilon: float | None = None
) -> Array:
    """Normalize each group of neighboring channels of each sample over the group and all positions.

    Args:
        groups: how many groups the channels are in, each of as many
        epsilon: a small number added to the variance; None for the dtype's spacing at 1 to the power of 5/7

    Shapes: x (N, C, ...) with C a multiple of groups, scale (C,) or None, bias (C,) or None -> like x
    Source: LuxLib ``groupnorm``; Y. Wu, K. He (2018)
    """
    xp = namespace(x, scale, bias)
    _expect_channels(x, 1, scale=scale, bias=bias)
    epsilon = choose_epsilon(x, epsilon)
    over = tuple(range(2, len(x.shape)))
    found = take_moments(xp, widen_halves(xp, x), _reduce_groups(xp, over, groups), epsilon)
    return xp.astype(_scale_and_shift(xp, found, scale, bias, (-1, *(1 for _ in over))), x.dtype)


@operation(
    takes="x floating, scale floating (...)?, bias floating (...)?",
    rules={**_EPSILON, "axes": SOME_AXES},
    check=_expect_to_broadcast,
    early=False,
)
def layer_norm(
    x: Array,
    scale: Array | None = None,
    bias: Array | None = None,
    *,
    axes: tuple[int, ...] = (-1,),
    epsilon: float | None = None,
) -> Array:
    """Normalize over some axes, separately for each position along the others; then scale and shift.

    Args:
        axes: the axes to normalize over
        epsilon: a small number added to the variance; None for the dtype's spacing at 1 to the power of 5/7

    Shapes: x (...), scale and bias of a shape that broadcasts with x, or None -> like x
    Source: LuxLib ``layernorm``; J. Ba, J. Kiros, G. Hinton (2016)
    """
    xp = namespace(x, scale, bias)
    _expect_to_broadcast(x, scale, bias)  # otherwise x might broadcast
    epsilon = choose_epsilon(x, epsilon)
    found = take_moments(xp, widen_halves(xp, x), reduce_along(xp, axes), epsilon)
    return xp.astype(_scale_and_shift(xp, found, scale, bias), x.dtype)


@operation(
    takes="x floating, scale floating (...)?",
    rules={**_EPSILON, "axes": SOME_AXES},
    check=_expect_to_broadcast,
    early=False,
)
def rms_norm(
    x: Array, scale: Array | None = None, *, axes: tuple[int, ...] = (-1,), epsilon: float | None = None
) -> Array:
    """Return ``x / sqrt(mean(x²) + epsilon) * scale``, with the mean over some axes.

    Args:
        axes: the axes to take the mean over
        epsilon: a small number added to the mean square; None for the dtype's spacing at 1 to the power of 5/7

    Shapes: x (...), scale of a shape that broadcasts with x, or None -> like x
    Source: B. Zhang, R. Sennrich, "Root mean square layer normalization" (2019)
    """
    xp = namespace(x, scale)
    _expect_to_broadcast(x, scale)  # otherwise x might broadcast
    epsilon = choose_epsilon(x, epsilon)
    wide = widen_halves(xp, x)
    found = take_moments(xp, wide, reduce_along(xp, axes), epsilon, center=False)
    return xp.astype(_scale_and_shift(xp, found, scale, None), x.dtype)


@operation(takes="x floating", rules={"axis": AXES, "epsilon": NON_NEGATIVE}, early=False, guard=_expect_real_axes)
def normalize(x: Array, *, axis: int | tuple[int, ...] = 0, epsilon: float = 1e-5) -> Array:
    """Return ``(x - mean) / sqrt(var + epsilon)``, with the mean and the biased variance along one axis or several.

    Args:
        axis: the axis, or a tuple of axes, to normalize over
        epsilon: a small number added to the variance

    Shapes: x (...) -> like x
    Source: Flux ``normalise``

    >>> import numpy as np
    >>> normalize(np.array([[1.0, 10.0], [3.0, 10.0]]), epsilon=1e-12).round(3)
    array([[-1.,  0.],
           [ 1.,  0.]])
    """
    xp = namespace(x)
    found = take_moments(xp, widen_halves(xp, x), reduce_along(xp, axis), epsilon)
    return xp.astype(_scale_and_shift(xp, found, None, None), x.dtype)


def expect_several_values(x: Array, over: tuple[int, ...], training: Any, running: Array | None) -> None:
    """Expect more than one value per channel if running statistics are updated: one value has no variance.

    Raises: LayerError
    """
    if running is not None:
        expect_floating(running, "running statistics")
    sizes = [x.shape[axis] for axis in over]
    known = all([isinstance(n, int) for n in sizes])
    if training and running is not None and known and math.prod(sizes) < 2:
        raise LayerError(f"expects more than one value per channel in training, got {shape_text(x)}")


def find_channel_axis(x: Array) -> int:
    """Return the axis of the channels: 1, or 0 for a single sample of features."""
    return 1 if len(x.shape) > 1 else 0


def choose_epsilon(x: Array, epsilon: float | None) -> float:
    """Return epsilon, by default that of LuxLib: 1.1e-5 in float32."""
    kind = dtype_name(x)
    if kind not in EPSILON:
        raise LayerTypeError(f"expects a floating input, got {kind}: convert it with luxport.to(..., dtype='float32')")
    return EPSILON[kind] ** (5 / 7) if epsilon is None else epsilon


def _take_running(
    xp: Any, x: Array, running_mean: Array, running_var: Array, epsilon: float, channels: tuple[int, ...]
) -> Moments:
    """Return the moments of x by running statistics."""
    mean, var = [xp.reshape(xp.astype(part, x.dtype), channels) for part in (running_mean, running_var)]
    return Moments(x - mean, var, mean, choose_least_epsilon(xp, x, epsilon), None)


def _reduce_groups(xp: Any, over: tuple[int, ...], groups: int) -> Reductions:
    """Reduce over positions and over the channels of each group, to (N, C, 1, ...) with one value per group."""

    def reduce_group(reduce: Callable[..., Array], x: Array) -> Array:
        # All channels have the same number of positions, so the mean of their means is the mean. Only (N, C) is
        # reshaped: in a compiled program the number of positions may be unknown.
        channels = read_sizes(x)[1]
        grouped = xp.reshape(reduce(x, over) if over else x, (-1, groups, channels // groups))
        reduced = reduce(grouped, -1, keepdims=True) + xp.zeros_like(grouped)
        return xp.reshape(reduced, (-1, channels, *(1 for _ in over)))

    def take_first(x: Array, axes: Any, *, keepdims: bool = False) -> Array:
        if axes == -1:
            return x[..., :1]
        return x[(slice(None), slice(None), *(0 for _ in axes))]

    return Reductions(
        mean=lambda x: reduce_group(lambda x, axes, **kept: xp.mean(x, axis=axes, **kept), x),
        largest=lambda x: reduce_group(lambda x, axes, **kept: xp.max(x, axis=axes, **kept), x),
        first=lambda x: reduce_group(take_first, x),
    )


def _scale_and_shift(
    xp: Any, found: Moments, scale: Array | None, bias: Array | None, shape: tuple[int, ...] | None = None
) -> Array:
    """Divide by the standard deviation, then apply scale and bias, reshaped if a shape is given."""
    centered, var, epsilon = found.centered, found.var, found.epsilon

    def place(parameter: Array) -> Array:
        wide = xp.astype(parameter, centered.dtype)
        return wide if shape is None else xp.reshape(wide, shape)

    factor = 1.0 / xp.sqrt(var + epsilon)
    y = centered * (factor if scale is None else factor * place(scale))
    return y if bias is None else y + place(bias)


def _count(xp: Any, x: Array, axes: tuple[int, ...]) -> Any:
    """Count the elements along axes: an int, or an array if only the running program knows the sizes."""
    sizes = [x.shape[axis] for axis in axes]
    return xp.sum(xp.ones_like(x), axis=axes) if None in sizes else math.prod(sizes)


def blend(xp: Any, running: Array, batch: Array, momentum: float, several: Any) -> Array:
    """Return updated running statistics; unchanged where `several`, a flag of the running program, is false."""
    followed = (1.0 - momentum) * running + momentum * xp.astype(batch, running.dtype)
    return followed if several is True else xp.where(several, followed, running)
