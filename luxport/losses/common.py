"""What all losses share: targets made to fit, a small number, and how many losses become one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from luxport.backend import Array, backend_of, dtype_name, namespace
from luxport.layers.checks import shape_of, shape_text
from luxport.ops.dtypes import EPSILON, HALVES

__all__ = ["Aggregation", "aggregate", "as_written", "epsilon_of", "label_smoothing", "operands", "rounded_once"]

F = TypeVar("F", bound=Callable[..., Any])

Aggregation: TypeAlias = str | Callable[[Array], Array] | None
"""How many losses become one: "mean", "sum", a function of their array, or None to keep them all."""


def as_written(loss: F) -> F:
    """Let TensorFlow's AutoGraph run a loss as it is written instead of rewriting it."""
    loss.autograph_info__ = True  # type: ignore[attr-defined]
    return loss


def rounded_once(loss: F) -> F:
    """Compute a loss of half types in float32, and round its end: sums of many, and squares, would be wrong in them.

    Epsilon stays that of the dtype. A user's own aggregation is given the losses in the dtype.
    """
    parameters = inspect.signature(loss).parameters
    takes_epsilon = "epsilon" in parameters and parameters["epsilon"].default is None
    names = [name for name, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]

    @functools.wraps(loss)
    def rounded(*arrays: Any, **options: Any) -> Any:
        y_hat = arrays[0] if arrays else options.get(names[0])
        if getattr(y_hat, "dtype", None) is None or dtype_name(y_hat) not in HALVES or len(arrays) > len(names):
            return loss(*arrays, **options)
        options = {**dict(zip(names, arrays, strict=False)), **options}
        if takes_epsilon and options.get("epsilon") is None:
            options["epsilon"] = EPSILON[dtype_name(y_hat)]
        return _in_float32(loss, y_hat, options)

    return rounded  # type: ignore[return-value]


def _in_float32(loss: Callable[..., Any], y_hat: Array, options: dict[str, Any]) -> Any:
    xp, own = namespace(y_hat), options.get("agg", "mean")
    wide = dict(options)
    for name, value in options.items():
        if getattr(value, "dtype", None) is None:
            continue
        if value.dtype == y_hat.dtype:
            wide[name] = xp.astype(value, xp.float32)
        elif "float" in dtype_name(value):
            return loss(**options)  # which says that dtypes differ
    if callable(own):
        wide["agg"] = None
    result = xp.astype(loss(**wide), y_hat.dtype)
    return own(result) if callable(own) else result


def operands(loss: str, y_hat: Array, y: Any, *, complex_too: bool = False) -> tuple[Any, Array, Array]:
    """Return the namespace, the prediction, and the target in its dtype; a Python number is a target for every entry.

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
    if type(y) is not type(y_hat):
        backend_of(y_hat, y)
    if len(y.shape) != len(y_hat.shape) or any(
        n != m and None not in (n, m) for n, m in zip(y_hat.shape, y.shape, strict=True)
    ):
        raise ValueError(f"{loss} expects y_hat and y of one shape, got {shape_text(y_hat)} and {shape_text(y)}")
    xp = namespace(y_hat, y)
    if y.dtype == y_hat.dtype:
        return xp, y_hat, y
    if "float" in dtype_name(y) or "complex" in dtype_name(y):
        raise TypeError(
            f"{loss} expects y in {kind} as y_hat, got {dtype_name(y)}: convert one with luxport.to(..., dtype=)"
        )
    return xp, y_hat, xp.astype(y, y_hat.dtype)


def epsilon_of(y_hat: Array, epsilon: float | None) -> float:
    """Return epsilon, by default the distance from 1 to the next number of the prediction's dtype."""
    return EPSILON[dtype_name(y_hat)] if epsilon is None else epsilon


def aggregate(losses: Array, agg: Aggregation) -> Array:
    """Make one loss of many.

    Raises: ValueError for a string other than "mean" and "sum"
    """
    if agg is None:
        return losses
    if callable(agg):
        return agg(losses)
    if agg not in ("mean", "sum"):
        raise ValueError(f'agg expects "mean", "sum", a function or None, got {agg!r}')
    return getattr(namespace(losses), agg)(losses)


@as_written
def label_smoothing(y: Array, alpha: float, *, axis: int | None = -1) -> Array:
    """Return ``(1 - alpha) y + alpha / K``, K the number of classes along the axis; without an axis there are two.

    Shapes: y (...) -> the same; bools and integers become float32
    Raises: ValueError unless 0 < alpha < 1
    Source: Flux.jl ``label_smoothing``, whose ``dims = 0`` is an axis of None

    >>> import numpy as np
    >>> label_smoothing(np.array([[0.0, 1.0]]), 0.2)
    array([[0.1, 0.9]])
    """
    if not 0 < alpha < 1:
        raise ValueError(f"label_smoothing expects alpha between 0 and 1, got {alpha}")
    return smoothed(y, alpha, axis)


def smoothed(y: Array, alpha: float, axis: int | None) -> Array:
    """Smooth labels, alpha being 0 or 1 as well."""
    if "float" not in dtype_name(y):
        xp = namespace(y)
        y = xp.astype(y, xp.float32)
    classes = 2 if axis is None else y.shape[axis]
    return y * (1.0 - alpha) + alpha / classes
