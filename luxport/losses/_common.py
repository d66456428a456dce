"""What all losses share: checks of predictions and targets, the default epsilon, and reductions to a mean or sum."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from luxport.backend import Array, backend_of, dtype_name, is_casting, is_inexact, match_shapes, namespace
from luxport.backend.arguments import Arguments, check_call, convert_options, expect_options
from luxport.backend.dtypes import EPSILON, HALVES, is_floating, widen_halves
from luxport.backend.option_rules import (
    AXIS,
    FLAG,
    FUNCTION,
    LABEL,
    NON_NEGATIVE,
    NUMBER,
    PROBABILITY,
    Rule,
    allow_none,
    allow_number,
    convert_arguments,
    is_of_luxport,
)
from luxport.call_arguments import explain_wrong_arguments
from luxport.core.input_checks import shape_of, shape_text
from luxport.core.option_types import expect_options_of
from luxport.errors import LayerError, LayerTypeError
from luxport.ops.averages import take_mean

__all__ = [
    "OPTIONS",
    "Aggregation",
    "aggregate",
    "choose_epsilon",
    "explain_wrong_options",
    "label_smoothing",
    "wrap_loss",
    "match_target",
]

F = TypeVar("F", bound=Callable[..., Any])

Aggregation: TypeAlias = str | Callable[[Array], Array] | None
"""How losses are reduced: "mean", "sum", a function of their array, or None to return the array."""


OPTIONS: dict[str, Rule] = {
    "agg": Rule(
        '"mean", "sum", a function or None',
        lambda value, shape: value is None or (isinstance(value, str) and value in ("mean", "sum")) or callable(value),
    ),
    "axis": AXIS,
    "beta": NUMBER,
    "delta": NON_NEGATIVE,
    "epsilon": allow_none(NON_NEGATIVE),
    "full": FLAG,
    "gamma": NON_NEGATIVE,
    "ignore_index": allow_none(LABEL),
    "label_smoothing": allow_none(PROBABILITY),
    "logits": FLAG,
    "loss_fn": FUNCTION,
    "margin": NON_NEGATIVE,
    "smooth": NON_NEGATIVE,
}
"""The rules of losses' options, by name."""


def wrap_loss(takes: str = "y_hat, y or number", **rules: Rule) -> Callable[[F], F]:
    """Decorate a loss: explain wrong calls in one line, and compute half types in float32, rounding the result once.

    In half types, sums of many numbers and squares would be wrong. The default epsilon is still that of the half type,
    and a custom `agg` gets the losses in the half type. TensorFlow's AutoGraph does not rewrite the loss.
    """

    def decorate(loss: F) -> F:
        loss.autograph_info__ = True  # type: ignore[attr-defined]
        parameters = inspect.signature(loss).parameters
        takes_epsilon = "epsilon" in parameters and parameters["epsilon"].default is None
        names = [name for name, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
        known = {name: rule for name, rule in {**OPTIONS, **rules}.items() if name in parameters}
        arguments = Arguments(loss, takes, known)

        @functools.wraps(loss)
        def call(*arrays: Any, **options: Any) -> Any:
            try:
                y_hat = arrays[0] if arrays else options.get(names[0])
                if options:
                    convert_options(options, names)
                    arguments.expect_options(options, y_hat)
                if getattr(y_hat, "dtype", None) is None or dtype_name(y_hat) not in HALVES or len(arrays) > len(names):
                    return loss(*arrays, **options)
                named = {**dict(zip(names, arrays, strict=False)), **options}
                if takes_epsilon and named.get("epsilon") is None and not is_casting(y_hat, y_hat):
                    named["epsilon"] = EPSILON[dtype_name(y_hat)]
                return _compute_in_float32(loss, y_hat, named)
            except Exception as error:
                problem = arguments.explain(error, arrays, options)
                if problem is error:
                    raise
                raise problem from error

        return call  # type: ignore[return-value]

    return decorate


def explain_wrong_options(init: Callable[..., None]) -> Callable[..., None]:
    """Wrap the ``__init__`` of a loss so that errors say which option is wrong; options of custom losses may be any."""

    @functools.wraps(init)
    def checked(self: Any, *args: Any, **options: Any) -> None:
        args, options = convert_arguments(self, args, options)
        try:
            init(self, *args, **options)
        except TypeError as error:
            wrong = explain_wrong_arguments(type(self).__name__, init, (self, *args), options)
            if wrong is None:
                raise
            raise TypeError(wrong) from error
        if is_of_luxport(self):
            try:
                expect_options(OPTIONS, vars(self), None)
            except LayerError as error:
                error.place.culprit = type(self).__name__
                raise
            expect_options_of(self)

    return checked


def _compute_in_float32(loss: Callable[..., Any], y_hat: Array, options: dict[str, Any]) -> Any:
    xp, own, stays = namespace(y_hat), options.get("agg", "mean"), is_casting(y_hat, y_hat)
    wide = dict(options)
    for name, value in options.items():
        if getattr(value, "dtype", None) is None:
            continue
        if value.dtype == y_hat.dtype:
            wide[name] = xp.astype(value, xp.float32)
        elif is_floating(value) and not is_casting(y_hat, value):
            return loss(**options)  # raises the error that dtypes differ
    if stays:  # under a framework's autocast losses are float32
        return loss(**wide)
    if callable(own):
        wide["agg"] = None
    result = xp.astype(loss(**wide), y_hat.dtype)
    return own(result) if callable(own) else result


def match_target(loss: str, y_hat: Array, y: Any, *, complex_too: bool = False) -> tuple[Any, Array, Array]:
    """Return the namespace, the prediction, and the target in its dtype; a Python number is the target of all entries.

    Raises: TypeError for a prediction that is not floating, or a floating target of another dtype; ValueError for a
            target of another shape
    """
    shape_of(y_hat)
    kind = dtype_name(y_hat)
    if not (kind in EPSILON or (complex_too and kind.startswith("complex"))):
        raise TypeError(f"{loss} expects a floating y_hat, got {kind}")
    if isinstance(y, (bool, int, float)):
        xp = namespace(y_hat)
        return xp, y_hat, xp.full_like(y_hat, y)
    if y is None:
        raise LayerTypeError(f"{loss} expects an array as y, got None: make one with luxport.asarray")
    if type(y) is not type(y_hat):
        backend_of(y_hat, y)
    if not match_shapes(y_hat.shape, y.shape):
        labels = len(y.shape) + 1 == len(y_hat.shape) and not is_inexact(y)
        raise ValueError(
            f"{loss} expects y_hat and y of one shape, got {shape_text(y_hat)} and {shape_text(y)}"
            + (": labels are for SparseCrossEntropyLoss, luxport.training.onehotbatch makes rows of them" * labels)
        )
    xp = namespace(y_hat, y)
    if y.dtype == y_hat.dtype:
        return xp, y_hat, y
    if is_inexact(y) and not is_casting(y_hat, y):
        raise TypeError(
            f"{loss} expects y in {kind} as y_hat, got {dtype_name(y)}: convert one with luxport.to(..., dtype=)"
        )
    return xp, y_hat, xp.astype(y, y_hat.dtype)


def choose_epsilon(y_hat: Array, epsilon: float | None) -> float:
    """Return epsilon, by default the distance from 1 to the next number of the prediction's dtype."""
    return EPSILON[dtype_name(y_hat)] if epsilon is None else float(epsilon)


def aggregate(losses: Array, agg: Aggregation) -> Array:
    """Reduce losses by "mean", "sum", a function, or not at all (None)."""
    if agg is None:
        return losses
    if callable(agg):
        return agg(losses)
    xp = namespace(losses)
    if agg == "sum":
        return xp.sum(losses)
    return xp.astype(take_mean(xp, widen_halves(xp, losses)), losses.dtype)


def _expect_classes(y: Array, *alpha: float, axis: int | None = -1, **options: Any) -> None:
    if axis is not None and y.shape[axis] == 0:
        raise LayerError(f"expects at least one class along the axis {axis}, got {shape_text(y)}")


@check_call(
    "y",
    check=_expect_classes,
    rules={"alpha": allow_number("a number between 0 and 1", lambda alpha: 0 < alpha < 1), "axis": allow_none(AXIS)},
)
def label_smoothing(y: Array, alpha: float, *, axis: int | None = -1) -> Array:
    """Return ``(1 - alpha) y + alpha / K``, where K is the number of classes.

    Args:
        y: the labels: one-hot, probabilities of all classes, or the probability of one of two classes
        alpha: the share that is distributed to all classes, between 0 and 1
        axis: the axis of the classes; None for the probability of one of two classes

    Shapes: y (...) -> the same; bools and integers become float32
    Raises: ValueError unless 0 < alpha < 1
    Source: Flux.jl ``label_smoothing``, whose ``dims = 0`` is ``axis=None`` here

    >>> import numpy as np
    >>> label_smoothing(np.array([[0.0, 1.0]]), 0.2)
    array([[0.1, 0.9]])
    """
    return smooth_labels(y, alpha, axis)


def smooth_labels(y: Array, alpha: float, axis: int | None) -> Array:
    """Smooth labels as `label_smoothing` does, without checks; alpha may be 0 or 1."""
    if not is_floating(y):
        xp = namespace(y)
        y = xp.astype(y, xp.float32)
    classes = 2 if axis is None else y.shape[axis]
    return y * (1.0 - alpha) + alpha / classes
