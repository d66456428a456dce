"""Losses for classification, as objects with options: `CrossEntropyLoss`, `FocalLoss`, `HingeLoss` and others."""

from __future__ import annotations

from typing import Any

from luxport.backend import Array
from luxport.losses import _classification as classification
from luxport.losses import _sparse as sparse
from luxport.losses._common import Aggregation
from luxport.losses._loss import FunctionLoss, Loss, prepare_labels

__all__ = [
    "BinaryCrossEntropyLoss",
    "BinaryFocalLoss",
    "CrossEntropyLoss",
    "FocalLoss",
    "HingeLoss",
    "KLDivergenceLoss",
    "SparseCrossEntropyLoss",
    "SquaredHingeLoss",
]


class CrossEntropyLoss(Loss):
    """`crossentropy`, or `logitcrossentropy` with `logits`; labels may be smoothed.

    Args:
        axis: the axis of the classes
        logits: whether y_hat holds the numbers before the softmax instead of probabilities
        label_smoothing: the share of the label, from 0 to 1, that is spread over all classes; None for 0
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added inside the logarithm; None for the dtype's distance from 1 to the next number

    Source: Lux.jl ``CrossEntropyLoss``

    >>> import numpy as np
    >>> y_hat = np.array([[0.09003057, 0.24472847, 0.66524096]])
    >>> print(CrossEntropyLoss(label_smoothing=0.15)(y_hat, np.array([[1, 0, 0]])).round(6))
    2.257606
    """

    axis: int = -1
    logits: bool = False
    label_smoothing: float | None = None
    agg: Aggregation = "mean"
    epsilon: float | None = None

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        y_hat, y = prepare_labels(self, y_hat, y, self.axis)
        if self.logits:
            return classification.logitcrossentropy(y_hat, y, axis=self.axis, agg=self.agg)
        return classification.crossentropy(y_hat, y, axis=self.axis, agg=self.agg, epsilon=self.epsilon)


class SparseCrossEntropyLoss(Loss):
    """`sparse_crossentropy`, or `sparse_logitcrossentropy` with `logits`: labels are indices of classes.

    Args:
        axis: the axis of the classes
        logits: whether y_hat holds the numbers before the softmax instead of probabilities
        ignore_index: a label whose losses are 0 and do not count in a mean; None for no such label
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added inside the logarithm; None for the dtype's distance from 1 to the next number
        class_weights: a number for each class, by which its losses are multiplied; a mean is divided by their sum
        label_smoothing: the share of the label, from 0 to 1, that is spread over all classes; None for 0

    Source: Keras ``SparseCategoricalCrossentropy``; PyTorch ``CrossEntropyLoss`` for ignore_index
    """

    axis: int = -1
    logits: bool = False
    ignore_index: int | None = None
    agg: Aggregation = "mean"
    epsilon: float | None = None
    class_weights: tuple[float, ...] | None = None
    label_smoothing: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.class_weights, list):
            object.__setattr__(self, "class_weights", tuple(self.class_weights))

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        options: dict[str, Any] = {"axis": self.axis, "agg": self.agg, "ignore_index": self.ignore_index}
        options |= {"class_weights": self.class_weights, "label_smoothing": self.label_smoothing}
        if self.logits:
            return sparse.sparse_logitcrossentropy(y_hat, y, **options)
        return sparse.sparse_crossentropy(y_hat, y, epsilon=self.epsilon, **options)


class BinaryCrossEntropyLoss(Loss):
    """`binarycrossentropy`, or `logitbinarycrossentropy` with `logits`; labels may be smoothed.

    Args:
        logits: whether y_hat holds the numbers before the sigmoid instead of probabilities
        label_smoothing: the share of the label, from 0 to 1, that is spread over all classes; None for 0
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added inside the logarithm; None for the dtype's distance from 1 to the next number

    Source: Lux.jl ``BinaryCrossEntropyLoss``
    """

    logits: bool = False
    label_smoothing: float | None = None
    agg: Aggregation = "mean"
    epsilon: float | None = None

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        y_hat, y = prepare_labels(self, y_hat, y, None)
        if self.logits:
            return classification.logitbinarycrossentropy(y_hat, y, agg=self.agg)
        return classification.binarycrossentropy(y_hat, y, agg=self.agg, epsilon=self.epsilon)


class FocalLoss(FunctionLoss):
    """`focal_loss` with its options.

    Args:
        gamma: how strongly well-predicted classes are weighted down, at least 0
        axis: the axis of the classes
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added inside the logarithm; None for the dtype's distance from 1 to the next number

    Source: Lux.jl ``FocalLoss``
    """

    gamma: float = 2.0
    axis: int = -1
    agg: Aggregation = "mean"
    epsilon: float | None = None
    function = staticmethod(classification.focal_loss)


class BinaryFocalLoss(FunctionLoss):
    """`binary_focal_loss` with its options.

    Args:
        gamma: how strongly well-predicted classes are weighted down, at least 0
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added inside the logarithm; None for the dtype's distance from 1 to the next number

    Source: Lux.jl ``BinaryFocalLoss``
    """

    gamma: float = 2.0
    agg: Aggregation = "mean"
    epsilon: float | None = None
    function = staticmethod(classification.binary_focal_loss)


class KLDivergenceLoss(Loss):
    """`kldivergence` with its options; labels may be smoothed.

    (Lux smooths the labels in the cross-entropy but not in the entropy, with which the divergence of equal
    distributions is not 0.)

    Args:
        axis: the axis of the classes
        label_smoothing: the share of the label, from 0 to 1, that is spread over all classes; None for 0
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added inside the logarithm; None for the dtype's distance from 1 to the next number

    Source: Lux.jl ``KLDivergenceLoss``
    """

    axis: int = -1
    label_smoothing: float | None = None
    agg: Aggregation = "mean"
    epsilon: float | None = None

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        y_hat, y = prepare_labels(self, y_hat, y, self.axis)
        return classification.kldivergence(y_hat, y, axis=self.axis, agg=self.agg, epsilon=self.epsilon)


class HingeLoss(FunctionLoss):
    """`hinge_loss` with its options.

    Args:
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array

    Source: Lux.jl ``HingeLoss``
    """

    agg: Aggregation = "mean"
    function = staticmethod(classification.hinge_loss)


class SquaredHingeLoss(FunctionLoss):
    """`squared_hinge_loss` with its options.

    Args:
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array

    Source: Lux.jl ``SquaredHingeLoss``
    """

    agg: Aggregation = "mean"
    function = staticmethod(classification.squared_hinge_loss)
