"""`accuracy` and `confusion_matrix`: metrics of class predictions."""

from __future__ import annotations

import math

from luxport.backend import Array, dtype_name, find_array_device, match_shapes, namespace
from luxport.backend.arguments import check_call
from luxport.backend.dtypes import convert_indices
from luxport.backend.option_rules import AXIS, LABEL, allow_count, allow_none
from luxport.errors import LayerError, shape_text
from luxport.ops.indices import mark_missing, require_in_range
from luxport.ops.shapes import read_sizes

__all__ = ["accuracy", "confusion_matrix"]


@check_call(
    "y_hat floating, y ordered",
    rules={"axis": AXIS, "top": allow_count(1), "ignore_index": allow_none(LABEL)},
    early=True,
)
def accuracy(y_hat: Array, y: Array, *, axis: int = -1, top: int = 1, ignore_index: int | None = None) -> Array:
    """Return the fraction of samples whose class is among the `top` highest scores, a float32 scalar of the backend.

    Scores may be logits or probabilities. Of classes with equal scores the first ranks higher, as in `argmax`; a class
    with a score of NaN is not found. The function may be compiled; there a label that is not a class makes the result
    NaN, see `luxport.ops.indices`. The result for no samples is NaN.

    Args:
        y_hat: the scores of the classes
        y: the classes as indices from 0, or one-hot (or any weights, of which the largest is the class)
        axis: the axis of the classes in y_hat, and in y if it is one-hot
        top: the number of highest scores among which the class may be
        ignore_index: samples with this index as their class are left out; if no others remain, the result is NaN

    Shapes: y_hat (..., classes); y (...) of integers, or like y_hat -> ()
    Raises: LayerError if the shapes do not fit, top is not positive, or a class is out of range; LayerTypeError for
            scores that are not floating

    >>> import numpy as np
    >>> scores = np.array([[0.1, 0.7, 0.2], [0.6, 0.3, 0.1]], np.float32)
    >>> float(accuracy(scores, np.array([1, 1]))), float(accuracy(scores, np.array([1, 1]), top=2))
    (0.5, 1.0)
    """
    xp = namespace(y_hat, y)
    scores, classes, is_class, counted = _check_scores_and_classes("accuracy", y_hat, y, axis, ignore_index)
    numbers = xp.arange(scores.shape[-1], dtype=xp.int32, device=find_array_device(y_hat))
    first = xp.astype(classes, xp.int32)[..., None]
    one_hot = numbers == first
    zero = xp.zeros_like(scores)
    score = xp.sum(xp.where(one_hot, scores, zero), axis=-1, keepdims=True)
    higher = xp.logical_or(scores > score, xp.logical_and(scores == score, numbers < first))
    # A class with a score of NaN has no rank.
    is_ranked = xp.any(xp.logical_and(one_hot, scores == scores), axis=-1)
    rank = xp.sum(xp.astype(higher, xp.int32), axis=-1)
    right = xp.astype(xp.logical_and(is_ranked, rank < top), xp.float32)
    right = right if is_class is None else mark_missing(xp, right, is_class)
    return xp.mean(right) if counted is None else xp.sum(right * counted) / xp.sum(counted)


@check_call("y_hat floating, y ordered", rules={"axis": AXIS, "ignore_index": allow_none(LABEL)}, early=True)
def confusion_matrix(y_hat: Array, y: Array, *, axis: int = -1, ignore_index: int | None = None) -> Array:
    """Return how often samples of each class (rows) have their highest score in each class (columns), as float32.

    Numbers are exact up to 2^24 samples. Of classes with equal scores the first ranks higher; NaN is below all others.
    The function may be compiled; there a label that is not a class makes the table NaN. `evaluate` adds up the tables
    of its batches.

    Args:
        y_hat: the scores of the classes
        y: the classes as indices from 0, or one-hot (or any weights, of which the largest is the class)
        axis: the axis of the classes in y_hat, and in y if it is one-hot
        ignore_index: samples with this index as their class are left out

    Shapes: y_hat (..., classes); y (...) of integers, or like y_hat -> (classes, classes)
    Raises: LayerError if the shapes do not fit or a class is out of range; LayerTypeError for scores that are not
            floating

    >>> import numpy as np
    >>> scores = np.array([[0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.2, 0.5, 0.3]], np.float32)
    >>> confusion_matrix(scores, np.array([1, 1, 2]))
    array([[0., 0., 0.],
           [1., 1., 0.],
           [0., 1., 0.]], dtype=float32)
    """
    xp = namespace(y_hat, y)
    scores, classes, is_class, counted = _check_scores_and_classes("confusion_matrix", y_hat, y, axis, ignore_index)
    chosen = xp.argmax(xp.where(scores == scores, scores, xp.full_like(scores, -math.inf)), axis=-1)
    numbers = xp.arange(scores.shape[-1], dtype=xp.int32, device=find_array_device(y_hat))

    def encode(indices: Array) -> Array:
        """Return one-hot rows, one for each sample."""
        ones = xp.astype(xp.astype(indices, xp.int32)[..., None] == numbers, xp.float32)
        return xp.reshape(ones, (-1, read_sizes(scores)[-1]))

    rows = encode(classes)
    if counted is not None:
        rows = rows * xp.reshape(counted, (-1, 1))
    if is_class is not None:
        rows = mark_missing(xp, rows, xp.reshape(is_class, (-1,)))
    return xp.matrix_transpose(rows) @ encode(chosen)


def _check_scores_and_classes(
    caller: str, y_hat: Array, y: Array, axis: int, ignore_index: int | None
) -> tuple[Array, Array, Array | None, Array | None]:
    """Return the scores with classes on the last axis, each sample's class, whether it is in range, and its weight.

    The weight is 0 for ignored samples, else 1. The last two are None if all classes are in range, or all weigh 1.

    Raises: LayerError
    """
    xp = namespace(y_hat, y)
    scores, is_class = xp.moveaxis(y_hat, axis, -1), None
    if match_shapes(y.shape, y_hat.shape):
        given = classes = xp.argmax(xp.moveaxis(y, axis, -1), axis=-1)
    elif dtype_name(y).startswith(("int", "uint")) and match_shapes(y.shape, scores.shape[:-1]):
        given = classes = convert_indices(xp, y)
        if ignore_index is not None:
            classes = xp.where(given == ignore_index, xp.zeros_like(given), given)
        classes, is_class = require_in_range(xp, classes, read_sizes(scores)[-1], "classes", caller)
    else:
        raise LayerError(
            f"expects y as integers with the shape of y_hat without its axis {axis}, or like y_hat, "
            f"got {dtype_name(y)} {shape_text(y)} for {shape_text(y_hat)}"
        )
    counted = None if ignore_index is None else xp.astype(given != ignore_index, xp.float32)
    return scores, classes, is_class, counted
