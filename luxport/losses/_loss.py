"""Losses as objects, which hold their options: functions of prediction and target, and objectives of training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any, ClassVar, dataclass_transform, overload

from luxport.backend import Array
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.losses._common import Aggregation, aggregate, explain_wrong_options, match_target, smooth_labels
from luxport.text import name_kind

__all__ = ["FunctionLoss", "GenericLossFunction", "Loss", "prepare_labels"]


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class Loss(ABC):
    """A loss with its options: ``loss(y_hat, y)``, or ``loss(model, ps, st, (x, y))`` as an objective of training.

    As an objective it returns the loss, the new state and a dict of statistics, which is empty. Losses are immutable,
    and compared and hashed by their options, which are keyword arguments.

    >>> import numpy as np, luxport
    >>> loss = luxport.losses.MSELoss(agg="sum")
    >>> print(loss(np.array([1.0, 3.0]), np.array([1.0, 1.0])))
    4.0
    >>> objective, st, statistics = loss(luxport.NoOpLayer(), {}, {}, (np.array([1.0, 3.0]), np.array([1.0, 1.0])))
    >>> print(objective, st, statistics)
    4.0 {} {}
    """

    autograph_info__ = True  # keeps TensorFlow's AutoGraph from rewriting losses

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
            raise TypeError(f"{type(self).__name__} expects a model before ps and st, got {name_kind(model)}")
        if not isinstance(data, (tuple, list)) or len(data) != 2:
            raise TypeError(f"{type(self).__name__} expects a pair (x, y) as data, got {name_kind(data)}")
        x, y = data
        y_hat, st = model(x, ps, st)
        return self.of(y_hat, y), st, {}

    @abstractmethod
    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""


class FunctionLoss(Loss):
    """A loss that is one of the functions of `luxport.losses`, with its options as fields."""

    function: ClassVar[Callable[..., Array]]
    _options: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "function" in vars(cls):  # further fields of a subclass are none of its options
            cls._options = tuple([option.name for option in fields(cls)])  # type: ignore[arg-type]

    def of(self, y_hat: Array, y: Any) -> Array:
        """Return the loss of a prediction."""
        return type(self).function(y_hat, y, **{name: getattr(self, name) for name in self._options})


class GenericLossFunction(Loss):
    """``agg(loss_fn(y_hat, y))`` for any elementwise function of two arrays.

    Args:
        loss_fn: a function of y_hat and y that returns a loss for each entry
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array

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


def prepare_labels(loss: Any, y_hat: Array, y: Any, axis: int | None) -> tuple[Array, Array]:
    _, y_hat, y = match_target(type(loss).__name__, y_hat, y)
    return y_hat, smooth_labels(y, loss.label_smoothing, axis) if loss.label_smoothing else y
