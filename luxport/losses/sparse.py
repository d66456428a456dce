"""Losses of classes whose labels are indices, from 0."""

from __future__ import annotations

import math
from typing import Any

from luxport import ops
from luxport.backend import Array, dtype_name, namespace
from luxport.layers.checks import shape_of, shape_text
from luxport.losses.common import Aggregation, aggregate, as_written, epsilon_of, rounded_once
from luxport.ops.embedding import pick, value_range

__all__ = ["nll_loss", "sparse_crossentropy", "sparse_logitcrossentropy"]


@rounded_once
@as_written
def nll_loss(
    y_hat: Array, y: Array, *, axis: int = -1, agg: Aggregation = "mean", ignore_index: int | None = None
) -> Array:
    """Return ``agg(-y_hat[y])``, y_hat the logarithms of probabilities along the axis, y indices of classes.

    Where y is `ignore_index` the loss is 0, and does not count in a mean.

    Shapes: y_hat (..., classes), y (...) of integers; the losses (...)
    Raises: ValueError if the shapes do not fit, or an index is out of range (where the program is compiled the loss
            is NaN there); TypeError for other dtypes
    Source: PyTorch ``NLLLoss``, which has the classes along axis 1

    >>> import numpy as np
    >>> print(nll_loss(np.log(np.array([[0.5, 0.5], [0.25, 0.75]])), np.array([0, 0]), agg="sum").round(6))
    2.079442
    """
    xp = _check("nll_loss", y_hat, y, axis)
    y_hat = _without_ignored(xp, y_hat, y, axis, ignore_index)
    return _from_logarithms(xp, "nll_loss", y_hat, y, axis, agg, ignore_index)


@rounded_once
@as_written
def sparse_crossentropy(
    y_hat: Array,
    y: Array,
    *,
    axis: int = -1,
    agg: Aggregation = "mean",
    epsilon: float | None = None,
    ignore_index: int | None = None,
) -> Array:
    """Return `crossentropy` for labels that are indices of classes: ``agg(-log(y_hat[y] + epsilon))``.

    Where y is `ignore_index` the loss is 0, and does not count in a mean.

    Shapes: y_hat (..., classes), y (...) of integers; the losses (...)
    Raises: as `nll_loss`
    Source: Keras ``SparseCategoricalCrossentropy``
    """
    xp = _check("sparse_crossentropy", y_hat, y, axis)
    y_hat = _without_ignored(xp, y_hat, y, axis, ignore_index)
    logarithms = xp.log(y_hat + epsilon_of(y_hat, epsilon))
    return _from_logarithms(xp, "sparse_crossentropy", logarithms, y, axis, agg, ignore_index)


@rounded_once
@as_written
def sparse_logitcrossentropy(
    y_hat: Array, y: Array, *, axis: int = -1, agg: Aggregation = "mean", ignore_index: int | None = None
) -> Array:
    """Return `logitcrossentropy` for labels that are indices of classes: ``agg(-logsoftmax(y_hat)[y])``.

    Where y is `ignore_index` the loss is 0, and does not count in a mean.

    Shapes: y_hat (..., classes), y (...) of integers; the losses (...)
    Raises: as `nll_loss`
    Source: PyTorch ``CrossEntropyLoss``; Keras ``SparseCategoricalCrossentropy``
    """
    xp = _check("sparse_logitcrossentropy", y_hat, y, axis)
    logarithms = ops.logsoftmax(_without_ignored(xp, y_hat, y, axis, ignore_index), axis=axis)
    return _from_logarithms(xp, "sparse_logitcrossentropy", logarithms, y, axis, agg, ignore_index)


def _without_ignored(xp: Any, y_hat: Array, y: Array, axis: int, ignore_index: int | None) -> Array:
    """Put ones where y is to be ignored: what stands there may be NaN, and has no gradient."""
    if ignore_index is None:
        return y_hat
    return xp.where(xp.expand_dims(y == ignore_index, axis=axis), 1.0, y_hat)


def _from_logarithms(
    xp: Any, loss: str, y_hat: Array, y: Array, axis: int, agg: Aggregation, ignore_index: int | None
) -> Array:
    classes = y_hat.shape[axis]
    kept = None if ignore_index is None else y != ignore_index
    labels = y if kept is None else xp.where(kept, y, xp.zeros_like(y))
    seen = value_range(labels)
    if seen is not None and classes is not None and not (seen[0] >= 0 and seen[1] < classes):
        wrong = seen[0] if seen[0] < 0 else seen[1]
        raise ValueError(f"{loss} expects classes of at least 0 and below {classes}, got {wrong}")
    absent = None
    if seen is None and classes is not None:
        # A compiled program raises nothing: the loss is NaN there, and no other class is looked at.
        absent = xp.logical_or(labels < 0, labels >= classes)
        labels = xp.where(absent, xp.zeros_like(labels), labels)
    losses = -xp.squeeze(pick(y_hat, xp.expand_dims(labels, axis=axis), axis=axis), axis=axis)
    if absent is not None:
        losses = xp.where(absent, xp.full_like(losses, math.nan), losses)
    if kept is None:
        return aggregate(losses, agg)
    losses = xp.where(kept, losses, xp.zeros_like(losses))
    if agg == "mean":
        return xp.sum(losses) / xp.sum(xp.astype(kept, losses.dtype))
    return aggregate(losses, agg)


def _check(loss: str, y_hat: Array, y: Array, axis: int) -> Any:
    shape_of(y_hat)
    shape_of(y)
    xp = namespace(y_hat, y)
    if "float" not in dtype_name(y_hat) or not dtype_name(y).startswith(("int", "uint")):
        raise TypeError(
            f"{loss} expects a floating y_hat and integers as y, got {dtype_name(y_hat)} and {dtype_name(y)}"
        )
    shape = list(y_hat.shape)
    if -len(shape) <= axis < len(shape):
        del shape[axis]
    if len(shape) != len(y.shape) or any(n != m and None not in (n, m) for n, m in zip(shape, y.shape, strict=True)):
        raise ValueError(
            f"{loss} expects y with the shape of y_hat without its axis {axis}, got {shape_text(y)} for "
            f"{shape_text(y_hat)}"
        )
    return xp
