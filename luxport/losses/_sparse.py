"""Losses for classification, with labels that are indices of classes, from 0."""

from __future__ import annotations

from typing import Any

from luxport import ops
from luxport.backend import Array, dtype_name, find_array_device, is_array, match_shapes, match_sizes, namespace
from luxport.backend.dtypes import convert_indices, is_floating
from luxport.backend.option_rules import Rule, allow_none, is_number
from luxport.core.input_checks import shape_of, shape_text
from luxport.losses._common import Aggregation, aggregate, choose_epsilon, wrap_loss
from luxport.ops._embedding import pick
from luxport.ops._operation import operation
from luxport.ops._softmax import halve_logsoftmax
from luxport.ops.averages import average, take_mean
from luxport.ops.indices import mark_missing, require_in_range
from luxport.ops.readable_values import prefer_finite
from luxport.ops.shapes import read_sizes

__all__ = ["nll_loss", "sparse_crossentropy", "sparse_logitcrossentropy"]


def _are_weights(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all([is_number(weight) for weight in value])
    return is_array(value)


_WEIGHTS = allow_none(Rule("a number for each class, in a tuple or an array", lambda value, shape: _are_weights(value)))


@wrap_loss("y_hat, y", class_weights=_WEIGHTS)
def nll_loss(
    y_hat: Array,
    y: Array,
    *,
    axis: int = -1,
    agg: Aggregation = "mean",
    ignore_index: int | None = None,
    class_weights: Any = None,
) -> Array:
    """Return ``agg(-y_hat[y])``, where y_hat are the logarithms of probabilities and y indices of classes.

    Args:
        y_hat: the logarithms of probabilities
        y: the labels, indices of classes from 0
        axis: the axis of the classes
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        ignore_index: a label whose losses are 0 and do not count in a mean; None for no such label
        class_weights: a number for each class, by which its losses are multiplied; a mean is divided by their sum

    Shapes: y_hat (..., classes), y (...) of integers; the losses (...)
    Raises: ValueError if the shapes do not fit, or an index is out of range (in compiled programs its loss is NaN
            instead: see `luxport.ops.indices`); TypeError for other dtypes
    Source: PyTorch ``NLLLoss``, which has the classes along axis 1

    >>> import numpy as np
    >>> print(nll_loss(np.log(np.array([[0.5, 0.5], [0.25, 0.75]])), np.array([0, 0]), agg="sum").round(6))
    2.079442
    """
    xp, y = _check("nll_loss", y_hat, y, axis)
    y_hat = _replace_ignored(xp, y_hat, y, axis, ignore_index)
    return _average_logarithms(xp, "nll_loss", y_hat, y, axis, agg, ignore_index, class_weights)


@wrap_loss("y_hat, y", class_weights=_WEIGHTS)
def sparse_crossentropy(
    y_hat: Array,
    y: Array,
    *,
    axis: int = -1,
    agg: Aggregation = "mean",
    epsilon: float | None = None,
    ignore_index: int | None = None,
    class_weights: Any = None,
    label_smoothing: float | None = None,
) -> Array:
    """Return `crossentropy` for labels that are indices of classes: ``agg(-log(y_hat[y] + epsilon))``.

    Args:
        y_hat: the probabilities
        y: the labels, indices of classes from 0
        axis: the axis of the classes
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added inside the logarithm; None for the dtype's distance from 1 to the next number
        ignore_index: a label whose losses are 0 and do not count in a mean; None for no such label
        class_weights: a number for each class, by which its losses are multiplied; a mean is divided by their sum
        label_smoothing: the share of the label, from 0 to 1, that is spread over all classes; None for 0

    Shapes: y_hat (..., classes), y (...) of integers; the losses (...)
    Raises: as `nll_loss`
    Source: Keras ``SparseCategoricalCrossentropy``
    """
    xp, y = _check("sparse_crossentropy", y_hat, y, axis)
    y_hat = _replace_ignored(xp, y_hat, y, axis, ignore_index)
    logarithms = xp.log(y_hat + choose_epsilon(y_hat, epsilon))
    more = ignore_index, class_weights, label_smoothing
    return _average_logarithms(xp, "sparse_crossentropy", logarithms, y, axis, agg, *more)


@wrap_loss("y_hat, y", class_weights=_WEIGHTS)
def sparse_logitcrossentropy(
    y_hat: Array,
    y: Array,
    *,
    axis: int = -1,
    agg: Aggregation = "mean",
    ignore_index: int | None = None,
    class_weights: Any = None,
    label_smoothing: float | None = None,
) -> Array:
    """Return `logitcrossentropy` for labels that are indices of classes: ``agg(-logsoftmax(y_hat)[y])``.

    With a label smoothing of a, the loss is ``1 - a`` times that of the label plus ``a / classes`` times the sum of
    those of all classes, each multiplied by its weight.

    Args:
        y_hat: the numbers before the softmax
        y: the labels, indices of classes from 0
        axis: the axis of the classes
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        ignore_index: a label whose losses are 0 and do not count in a mean; None for no such label
        class_weights: a number for each class, by which its losses are multiplied; a mean is divided by their sum
        label_smoothing: the share of the label, from 0 to 1, that is spread over all classes; None for 0

    Shapes: y_hat (..., classes), y (...) of integers; the losses (...)
    Raises: as `nll_loss`; ValueError for another label_smoothing
    Source: PyTorch ``CrossEntropyLoss``; Keras ``SparseCategoricalCrossentropy``
    """
    xp, y = _check("sparse_logitcrossentropy", y_hat, y, axis)
    if class_weights is None and not label_smoothing and not callable(agg):
        return crossentropy_of_labels(y_hat, y, axis=axis, agg=agg, ignore_index=ignore_index)
    options = axis, agg if isinstance(agg, str) else None, ignore_index, class_weights, label_smoothing
    losses = _average_logits(xp, y_hat, y, *options)
    return agg(losses) if callable(agg) else losses


@operation(takes="y_hat floating (...), y int (...)", early=False)
def crossentropy_of_labels(y_hat: Array, y: Array, *, axis: int, agg: str | None, ignore_index: int | None) -> Array:
    """Return `sparse_logitcrossentropy` of labels in an index dtype, reduced by "mean", "sum" or not at all.

    Shapes: y_hat (..., classes), y (...) of integers -> (), or (...) if agg is None
    """
    xp = namespace(y_hat, y)
    return _average_logits(xp, y_hat, y, axis, agg, ignore_index)


def _average_logits(xp: Any, y_hat: Array, y: Array, axis: int, agg: str | None, *options: Any) -> Array:
    y_hat = _replace_ignored(xp, y_hat, y, axis, options[0])

    def average_logarithms(logarithms: Array) -> Array:
        return _average_logarithms(xp, "sparse_logitcrossentropy", logarithms, y, axis, agg, *options)

    return prefer_finite(
        y_hat,
        lambda: average_logarithms(ops.logsoftmax(y_hat, axis=axis)),
        lambda: 2.0 * average_logarithms(halve_logsoftmax(y_hat, axis=axis)),
    )


def _replace_ignored(xp: Any, y_hat: Array, y: Array, axis: int, ignore_index: int | None) -> Array:
    """Replace predictions whose label is ignored by ones: they may be NaN, and must not have a gradient."""
    if ignore_index is None:
        return y_hat
    return xp.where(xp.expand_dims(y == ignore_index, axis=axis), 1.0, y_hat)


def _average_logarithms(
    xp: Any,
    loss: str,
    y_hat: Array,
    y: Array,
    axis: int,
    agg: Aggregation,
    ignore_index: int | None,
    class_weights: Any = None,
    label_smoothing: float | None = None,
) -> Array:
    kept = None if ignore_index is None else y != ignore_index
    labels = y if kept is None else xp.where(kept, y, xp.zeros_like(y))
    labels, in_range = require_in_range(xp, labels, read_sizes(y_hat)[axis], "classes", loss)
    places = xp.expand_dims(labels, axis=axis)
    weights = None if class_weights is None else _list_weights(xp, loss, y_hat, axis, class_weights)
    weighted = y_hat if weights is None else y_hat * weights
    losses = -xp.squeeze(pick(weighted, places, axis=axis), axis=axis)
    if label_smoothing:
        losses = losses * (1.0 - label_smoothing) - take_mean(xp, weighted, axis) * label_smoothing
    if in_range is not None:
        losses = mark_missing(xp, losses, in_range)
    counted = None if kept is None else xp.astype(kept, losses.dtype)
    if kept is not None:
        losses = xp.where(kept, losses, xp.zeros_like(losses))
    if weights is not None:
        counts = xp.squeeze(pick(xp.broadcast_to(weights, y_hat.shape), places, axis=axis), axis=axis)
        counted = counts if counted is None else counts * counted
    if agg == "mean" and counted is not None:
        return average(losses, mean=lambda losses: xp.sum(losses) / xp.sum(counted))
    return aggregate(losses, agg)


def _list_weights(xp: Any, loss: str, y_hat: Array, axis: int, given: Any) -> Array:
    """Return a weight for each class, in a shape that broadcasts with y_hat."""
    if not is_array(given):
        given = xp.asarray([float(n) for n in given], dtype=y_hat.dtype, device=find_array_device(y_hat))
    classes = y_hat.shape[axis]
    if len(given.shape) != 1 or not match_sizes(given.shape[0], classes):
        raise ValueError(f"{loss} expects class_weights ({classes},), one for each class, got {shape_text(given)}")
    shape = [1] * len(y_hat.shape)
    shape[axis] = -1
    return xp.reshape(xp.astype(given, y_hat.dtype), tuple(shape))


def _check(loss: str, y_hat: Array, y: Array, axis: int) -> tuple[Any, Array]:
    shape_of(y_hat)
    shape_of(y)
    xp = namespace(y_hat, y)
    if not is_floating(y_hat) or not dtype_name(y).startswith(("int", "uint")):
        kinds = dtype_name(y_hat), dtype_name(y)
        if is_floating(y) and not is_floating(y_hat):
            cure = ": y_hat comes first"
        else:
            cure = f": rows of probabilities are for {loss.removeprefix('sparse_')}" if is_floating(y) else ""
        raise TypeError(f"{loss} expects a floating y_hat and integers as y, got {kinds[0]} and {kinds[1]}{cure}")
    shape = list(y_hat.shape)
    if -len(shape) <= axis < len(shape):
        del shape[axis]
    if not match_shapes(shape, y.shape):
        raise ValueError(
            f"{loss} expects y with the shape of y_hat without its axis {axis}, got {shape_text(y)} for "
            f"{shape_text(y_hat)}"
        )
    return xp, convert_indices(xp, y)
