"""`SyncBatchNorm`: batch normalization by the statistics of the batches of all processes."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

from luxport.backend import Array, namespace
from luxport.backend.dtypes import widen_halves
from luxport.core.layer_base import Parameters, States
from luxport.distributed._session import require_session
from luxport.errors import LayerError, shape_text
from luxport.layers._batch_norm import BatchNorm
from luxport.ops.averages import take_mean
from luxport.ops.moments import choose_least_epsilon, find_unit
from luxport.transforms._custom_gradient import custom_vjp
from luxport.transforms._stop_gradient import stop_gradient

__all__ = ["SyncBatchNorm", "leave_layer_alone", "average_over_workers", "synchronize_layer"]


def synchronize_layer(layer: Any) -> Any:
    """Return a `SyncBatchNorm` for a `BatchNorm`, and any other layer unchanged."""
    return _convert(layer, BatchNorm, SyncBatchNorm)


def leave_layer_alone(layer: Any) -> Any:
    """Return a `BatchNorm` for a `SyncBatchNorm`, and any other layer unchanged."""
    return _convert(layer, SyncBatchNorm, BatchNorm)


def _convert(layer: Any, old: Any, new: Any) -> Any:
    if type(layer) is not old:
        return layer
    return new(**{field.name: getattr(layer, field.name) for field in fields(layer) if field.init})


class SyncBatchNorm(BatchNorm):
    """`BatchNorm` whose statistics in training are those of the batches of all processes.

    `data_parallel` replaces `BatchNorm` by it; parameters and states are the same. In test mode it is a `BatchNorm`,
    which without running statistics uses those of its own batch.

    Args:
        channels: as for `BatchNorm`, like all other options

    Shapes: x (N, channels, ...) -> like x
    Params: bias (channels,), scale (channels,); none if not ``affine``
    State:  running_mean (channels,), running_var (channels,), absent if not ``track_stats``; training
    Raises: as `BatchNorm`; DistributedError as `allreduce` does; LayerError for no samples outside of train_step
    Source: PyTorch's ``SyncBatchNorm``
    """

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Normalize by the statistics of all processes' batches."""
        if not st["training"]:  # other processes may have no batch then, and no engine need be running
            return super().__call__(x, ps, st)
        session = require_session("SyncBatchNorm")
        size = 1 if session.step.has_all_samples else session.engine.workers
        if size == 1:
            return super().__call__(x, ps, st)
        if x.shape[0] == 0 and session.step.weight != 0:
            # Outside of train_step the others' numbers of samples, the weights of their means, are not known.
            raise LayerError(f"expects a sample at least, unless train_step shares batches, got {shape_text(x)}")
        xp = namespace(x)
        over = tuple([axis for axis in range(len(x.shape)) if axis != 1])
        wide = widen_halves(xp, x)
        # Two rounds of communication, since a variance from the mean of squares, in one round, loses digits. The first
        # also averages each process's largest number, from which all derive the same power of 2 that scales the values
        # so that their squares neither overflow nor underflow.
        own = take_mean(xp, wide, over, keepdims=True)
        mean, largest = _split(average_over_workers(xp.concat([own, _find_largest(xp, wide, over)])))
        unit, epsilon = find_unit(xp, stop_gradient(largest), choose_least_epsilon(xp, wide, self.epsilon))
        centered = wide * unit - mean * unit
        var = average_over_workers(xp.mean(centered * centered, axis=over, keepdims=True))
        y = centered / xp.sqrt(var + epsilon)
        if self.affine:
            channels = tuple([-1 if axis == 1 else 1 for axis in range(len(x.shape))])
            y = y * xp.reshape(ps["scale"], channels) + xp.reshape(ps["bias"], channels)
        new = dict(st)
        if self.track_stats:
            weight = session.step.weight
            samples = round(size * x.shape[0] / weight) if weight else sum(session.step.counts)
            count = samples * math.prod(x.shape[2:])
            if count < 2:
                raise LayerError(f"expects more than one value per channel in training, got {shape_text(x)}")
            found = {"running_mean": mean, "running_var": var / unit / unit * (count / (count - 1))}
            for name, value in found.items():
                flat = xp.astype(xp.reshape(stop_gradient(value), (-1,)), st[name].dtype)
                new[name] = (1 - self.momentum) * st[name] + self.momentum * flat
        return self.activation(xp.astype(y, x.dtype)), new


def _find_largest(xp: Any, x: Array, over: tuple[int, ...]) -> Array:
    """Return the largest absolute value of each channel; 0 if there is none."""
    x = xp.abs(stop_gradient(x))
    return xp.sum(x, axis=over, keepdims=True) if 0 in x.shape else xp.max(x, axis=over, keepdims=True)


def _split(both: Array) -> tuple[Array, Array]:
    return both[:1, ...], both[1:, ...]


def average_over_workers(x: Array) -> Array:
    """Return the mean of an array over all processes; the backward pass averages the cotangents.

    That is the right gradient where each process differentiates its own loss and the gradients are averaged afterward,
    with the same weights if processes have different numbers of samples.
    """
    return custom_vjp(
        _average, forward=lambda x: (_average(x), ()), backward=lambda saved, cotangent: (_average(cotangent),)
    )(x)


def _average(x: Array) -> Array:
    session = require_session("SyncBatchNorm")
    weight = session.step.weight
    if weight == 0:  # this process has no samples, and its means are NaN
        return session.engine.mean(namespace(x).zeros_like(x))
    return session.engine.mean(x if weight == 1 else x * weight)
