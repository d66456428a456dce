"""Losses as values with options, which are called with a prediction or serve as the objective of training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, TypeAlias, dataclass_transform, overload

from luxport.backend import Array
from luxport.core.anatomy import Parameters, States
from luxport.core.layer import Layer
from luxport.losses import _classification as classification
from luxport.losses import _distance as distance
from luxport.losses import _overlap as overlap
from luxport.losses import _regression as regression
from luxport.losses import _sparse as sparse
from luxport.losses._common import (
    Aggregation,
    aggregate,
    epsilon_of,
    explain_wrong_options,
    match_target,
    smooth_labels,
)
from luxport.text import kind_of

__all__ = [
    "BinaryCrossEntropyLoss",
    "BinaryFocalLoss",
    "CrossEntropyLoss",
    "DiceCoeffLoss",
    "FocalLoss",
    "GenericLossFunction",
    "HingeLoss",
    "HuberLoss",
    "KLDivergenceLoss",
    "L1Loss",
    "L2Loss",
    "Loss",
    "MAELoss",
    "MSELoss",
    "MSLELoss",
    "PoissonLoss",
    "SiameseContrastiveLoss",
    "SparseCrossEntropyLoss",
    "SquaredHingeLoss",
]


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class Loss(ABC):
    """A loss with its options: ``loss(y_hat, y)``, or ``loss(model, ps, st, (x, y))`` as an objective of training.

    As an objective it returns the loss, the new state and a dict of statistics, which is empty. Losses are values:
    frozen, compared and hashed by their options, all given by keyword.

    >>> import numpy as np, luxport
    >>> loss = luxport.losses.MSELoss(agg="sum")
    >>> print(loss(np.array([1.0, 3.0]), np.array([1.0, 1.0])))
    4.0
    >>> objective, st, statistics = loss(luxport.NoOpLayer(), {}, {}, (np.array([1.0, 3.0]), np.array([1.0, 1.0])))
    >>> print(objective, st, statistics)
    4.0 {} {}
    """

    autograph_info__ = True  # TensorFlow's AutoGraph runs losses as they are written

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        dataclass(frozen=True, kw_only=True)(cls)
        type.__setattr__(cls, "__init__", explain_wrong_options(cls.__init__))

    @overload
    def __call__(self, y_hat: Array, y: Any, /) -> Array: ...
    @overload
    def __call__(
        self, model: Layer, ps: Parameters, st: States, data: tuple[Any, Any], /
    ) -> tuple[Array, States, dict[str, Any]]: ...
    def __call__(self, *arguments: Any) -> Any:
        """Return the loss; as an objective the loss, the new state and an empty dict."""
        if len(arguments) == 2:
            return self.of(*arguments)
        if len(arguments) != 4:
            raise TypeError(
                f"{type(self).__name__} expects (y_hat, y) or (model, ps, st, (x, y)), got {len(arguments)} arguments"
            )
        model, ps, st, data = arguments
        if not callable(arguments[0]):
            raise TypeError(f"{type(self).__name__} expects a model before ps and st, got {kind_of(model)}")
        if not isinstance(data, (tuple, list)) or len(data) != 2:
            raise TypeError(f"{type(self).__name__} expects a pair (x, y) as data, got {kind_of(data)}")
        x, y = data
        y_hat, st = model(x, ps, st)
        return self.of(y_hat, y), st, {}

    @abstractmethod
    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""


class MSELoss(Loss):
    """`mse` with its options.

    Args:
        agg: how many losses become one: "mean", "sum", a function of their array, or None to return the array

    Source: Lux.jl ``MSELoss``
    """

    agg: Aggregation = "mean"

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        return regression.mse(y_hat, y, agg=self.agg)


class MAELoss(Loss):
    """`mae` with its options.

    Args:
        agg: how many losses become one: "mean", "sum", a function of their array, or None to return the array

    Source: Lux.jl ``MAELoss``
    """

    agg: Aggregation = "mean"

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        return regression.mae(y_hat, y, agg=self.agg)


L1Loss: TypeAlias = MAELoss
L2Loss: TypeAlias = MSELoss


class MSLELoss(Loss):
    """`msle` with its options.

    Args:
        agg: how many losses become one: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added to what has a logarithm; None for the dtype's distance from 1 to the next number

    Source: Lux.jl ``MSLELoss``
    """

    agg: Aggregation = "mean"
    epsilon: float | None = None

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        return regression.msle(y_hat, y, agg=self.agg, epsilon=self.epsilon)


class HuberLoss(Loss):
    """`huber_loss` with its options.

    Args:
        delta: the distance up to which the loss is a square, at least 0
        agg: how many losses become one: "mean", "sum", a function of their array, or None to return the array

    Source: Lux.jl ``HuberLoss``
    """

    delta: float = 1.0
    agg: Aggregation = "mean"

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        return regression.huber_loss(y_hat, y, agg=self.agg, delta=self.delta)


class PoissonLoss(Loss):
    """`poisson_loss` with its options; epsilon is another one by default, as Lux's.

    Args:
        agg: how many losses become one: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added to what has a logarithm; None for the dtype's distance from 1 to the next number

    Source: Lux.jl ``PoissonLoss``
    """

    agg: Aggregation = "mean"
    epsilon: float | None = None

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        _, y_hat, y = match_target("PoissonLoss", y_hat, y)
        return regression.poisson_loss(y_hat, y, agg=self.agg, epsilon=epsilon_of(y_hat, self.epsilon))


class CrossEntropyLoss(Loss):
    """`crossentropy`, or `logitcrossentropy` with `logits`, of labels that may be smoothed.

    Args:
        axis: the axis of the classes
        logits: whether y_hat holds the numbers before the softmax, and not probabilities
        label_smoothing: the share of the label, from 0 to 1, that is spread over all classes; None for 0
        agg: how many losses become one: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added to what has a logarithm; None for the dtype's distance from 1 to the next number

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
        y_hat, y = _with_smooth_labels(self, y_hat, y, self.axis)
        if self.logits:
            return classification.logitcrossentropy(y_hat, y, axis=self.axis, agg=self.agg)
        return classification.crossentropy(y_hat, y, axis=self.axis, agg=self.agg, epsilon=self.epsilon)


class SparseCrossEntropyLoss(Loss):
    """`sparse_crossentropy`, or `sparse_logitcrossentropy` with `logits`: labels are indices of classes.

    Args:
        axis: the axis of the classes
        logits: whether y_hat holds the numbers before the softmax, and not probabilities
        ignore_index: a label whose losses are 0 and do not count in a mean; None for no such label
        agg: how many losses become one: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added to what has a logarithm; None for the dtype's distance from 1 to the next number
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

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        options: dict[str, Any] = {"axis": self.axis, "agg": self.agg, "ignore_index": self.ignore_index}
        options |= {"class_weights": self.class_weights, "label_smoothing": self.label_smoothing}
        if self.logits:
            return sparse.sparse_logitcrossentropy(y_hat, y, **options)
        return sparse.sparse_crossentropy(y_hat, y, epsilon=self.epsilon, **options)


class BinaryCrossEntropyLoss(Loss):
    """`binarycrossentropy`, or `logitbinarycrossentropy` with `logits`, of labels that may be smoothed.

    Args:
        logits: whether y_hat holds the numbers before the sigmoid, and not probabilities
        label_smoothing: the share of the label, from 0 to 1, that is spread over all classes; None for 0
        agg: how many losses become one: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added to what has a logarithm; None for the dtype's distance from 1 to the next number

    Source: Lux.jl ``BinaryCrossEntropyLoss``
    """

    logits: bool = False
    label_smoothing: float | None = None
    agg: Aggregation = "mean"
    epsilon: float | None = None

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        y_hat, y = _with_smooth_labels(self, y_hat, y, None)
        if self.logits:
            return classification.logitbinarycrossentropy(y_hat, y, agg=self.agg)
        return classification.binarycrossentropy(y_hat, y, agg=self.agg, epsilon=self.epsilon)


class FocalLoss(Loss):
    """`focal_loss` with its options.

    Args:
        gamma: how much less classes count that are predicted well, at least 0
        axis: the axis of the classes
        agg: how many losses become one: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added to what has a logarithm; None for the dtype's distance from 1 to the next number

    Source: Lux.jl ``FocalLoss``
    """

    gamma: float = 2.0
    axis: int = -1
    agg: Aggregation = "mean"
    epsilon: float | None = None

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        return classification.focal_loss(y_hat, y, gamma=self.gamma, axis=self.axis, agg=self.agg, epsilon=self.epsilon)


class BinaryFocalLoss(Loss):
    """`binary_focal_loss` with its options.

    Args:
        gamma: how much less classes count that are predicted well, at least 0
        agg: how many losses become one: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added to what has a logarithm; None for the dtype's distance from 1 to the next number

    Source: Lux.jl ``BinaryFocalLoss``
    """

    gamma: float = 2.0
    agg: Aggregation = "mean"
    epsilon: float | None = None

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        return classification.binary_focal_loss(y_hat, y, gamma=self.gamma, agg=self.agg, epsilon=self.epsilon)


class KLDivergenceLoss(Loss):
    """`kldivergence` with its options, of labels that may be smoothed.

    (Lux smooths the labels of the cross-entropy in it, and not those of the entropy: then the divergence of equal
    distributions is not 0.)

    Args:
        axis: the axis of the classes
        label_smoothing: the share of the label, from 0 to 1, that is spread over all classes; None for 0
        agg: how many losses become one: "mean", "sum", a function of their array, or None to return the array
        epsilon: a small number added to what has a logarithm; None for the dtype's distance from 1 to the next number

    Source: Lux.jl ``KLDivergenceLoss``
    """

    axis: int = -1
    label_smoothing: float | None = None
    agg: Aggregation = "mean"
    epsilon: float | None = None

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        y_hat, y = _with_smooth_labels(self, y_hat, y, self.axis)
        return classification.kldivergence(y_hat, y, axis=self.axis, agg=self.agg, epsilon=self.epsilon)


class HingeLoss(Loss):
    """`hinge_loss` with its options.

    Args:
        agg: how many losses become one: "mean", "sum", a function of their array, or None to return the array

    Source: Lux.jl ``HingeLoss``
    """

    agg: Aggregation = "mean"

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        return classification.hinge_loss(y_hat, y, agg=self.agg)


class SquaredHingeLoss(Loss):
    """`squared_hinge_loss` with its options.

    Args:
        agg: how many losses become one: "mean", "sum", a function of their array, or None to return the array

    Source: Lux.jl ``SquaredHingeLoss``
    """

    agg: Aggregation = "mean"

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        return classification.squared_hinge_loss(y_hat, y, agg=self.agg)


class DiceCoeffLoss(Loss):
    """`dice_coeff_loss` of each sample, over all axes but the first, then aggregated; of a vector as a whole.

    Args:
        smooth: a number added above and below, so that nothing in common with nothing has the loss 0
        agg: how many losses become one: "mean", "sum", a function of their array, or None to return the array

    Source: Lux.jl ``DiceCoeffLoss``
    """

    smooth: float = 1.0
    agg: Aggregation = "mean"

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        _, y_hat, y = match_target("DiceCoeffLoss", y_hat, y)
        axes = tuple(range(1, len(y_hat.shape))) or None
        return overlap.dice_coeff_loss(y_hat, y, smooth=self.smooth, axis=axes, agg=self.agg)


class SiameseContrastiveLoss(Loss):
    """`siamese_contrastive_loss` with its options.

    Args:
        margin: how far apart pairs should be, at least 0
        agg: how many losses become one: "mean", "sum", a function of their array, or None to return the array

    Source: Lux.jl ``SiameseContrastiveLoss``
    """

    margin: float = 1.0
    agg: Aggregation = "mean"

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        return distance.siamese_contrastive_loss(y_hat, y, agg=self.agg, margin=self.margin)


class GenericLossFunction(Loss):
    """``agg(loss_fn(y_hat, y))`` for any function of two arrays that works entry by entry.

    Args:
        loss_fn: a function of y_hat and y that returns a loss for each entry
        agg: how many losses become one: "mean", "sum", a function of their array, or None to return the array

    Source: Lux.jl ``GenericLossFunction``

    >>> import numpy as np
    >>> loss = GenericLossFunction(lambda y_hat, y: (y_hat - y) ** 2)
    >>> print(loss(np.array([1.1, 1.9, 3.1]), np.array([1, 2, 3])).round(6))
    0.01
    """

    loss_fn: Callable[[Array, Array], Array] = field(kw_only=False)
    _: KW_ONLY
    agg: Aggregation = "mean"

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        _, y_hat, y = match_target("GenericLossFunction", y_hat, y, complex_too=True)
        return aggregate(self.loss_fn(y_hat, y), self.agg)


def _with_smooth_labels(loss: Any, y_hat: Array, y: Any, axis: int | None) -> tuple[Array, Array]:
    _, y_hat, y = match_target(type(loss).__name__, y_hat, y)
    return y_hat, smooth_labels(y, loss.label_smoothing, axis) if loss.label_smoothing else y
