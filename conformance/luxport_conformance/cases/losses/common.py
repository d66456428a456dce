"""Inputs and functions that the cases of losses share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_function, cite
from luxport_conformance.compare import Tolerance

__all__ = [
    "DIGITS",
    "DOCS",
    "FILE",
    "NEAR_ONE",
    "SINGLE",
    "SINGLE_EPSILON",
    "bind_options",
    "check_loss",
    "sigmoid",
    "softmax",
]

FILE = "flux:losses.jl"
DOCS = "lux: docstring of "
NEAR_ONE = Tolerance(magnitude=1.0)
SINGLE = Tolerance(rounding=2e-7, reduction=15, reason="upstream computes the number in single precision")
SINGLE_EPSILON = Tolerance(rounding=2e-6, reason="upstream adds the epsilon of single precision")
DIGITS = Tolerance(rounding=1e-6, reason="upstream's documentation gives the number in single precision")


def check_loss(
    id: str,
    source: int | str,
    loss: Callable[..., Any],
    y_hat: Any,
    y: Any,
    expected: Any,
    *,
    subject: str = "",
    tolerance: Tolerance | None = None,
    **options: Any,
) -> Case:
    """Check the value of a loss.

    An int as `source` is a line of Flux's tests of losses; a str names another source, and `DOCS` that the value is in
    Lux's documentation of the loss.
    """
    name = getattr(loss, "__name__", type(loss).__name__)
    return check_function(
        f"losses.{id}",
        cite(FILE, source) if isinstance(source, int) else (source + name if source == DOCS else source,),
        lambda y_hat, y: loss(y_hat, y, **options),
        *(y_hat, y),
        subject=subject or name,
        expected=expected,
        tolerance=tolerance or Tolerance(reduction=int(np.size(y_hat))),
    )


def softmax(x: Any) -> Any:
    """Return the softmax along the last axis."""
    powers = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def sigmoid(x: Any) -> Any:
    """Return the logistic function."""
    return 1.0 / (1.0 + np.exp(-x))


def bind_options(loss: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Return a loss with these options bound, and with the name of the loss."""

    def call_with_options(*arrays: Any, **more: Any) -> Any:
        return loss(*arrays, **options, **more)

    call_with_options.__name__ = loss.__name__
    return call_with_options
