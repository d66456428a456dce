"""Functions that the cases of attention share: the formula in NumPy, input arrays and finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from luxport_conformance.cases.declare import draw
from luxport_conformance.compare import Tolerance

SUM = Tolerance(reduction=60)
DIFFERENCES = Tolerance(
    reduction=200, rounding=1e-8, reason="wanted by four-point differences with an error of about 1e-10"
)


def attend(q: Any, k: Any, v: Any, nheads: int, bias: Any = 0.0, mask: Any = True) -> tuple[Any, Any]:
    """Compute attention head by head, and its scores; a query whose keys are all masked gets 0."""
    parts, weights = [], []
    for head in range(nheads):
        cut = [x[..., head * x.shape[-1] // nheads : (head + 1) * x.shape[-1] // nheads] for x in (q, k, v)]
        logits = cut[0] @ np.swapaxes(cut[1], -1, -2) / math.sqrt(cut[0].shape[-1])
        powers = np.where(_take_head(mask, head), np.exp(logits + _take_head(bias, head)), 0.0)
        total = powers.sum(-1, keepdims=True)
        scores = powers / np.where(total == 0, 1.0, total)
        parts.append(scores @ cut[2])
        weights.append(scores)
    return np.concatenate(parts, -1), np.stack(weights, -3)


def _take_head(x: Any, head: int) -> Any:
    x = np.asarray(x)
    return x if x.ndim < 3 else x[..., min(head, x.shape[-3] - 1), :, :]


def estimate_slopes(f: Callable[..., Any], arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """Differentiate a scalar function of arrays by four-point differences, entry by entry."""

    def estimate_slope(which: int, entry: tuple[int, ...]) -> float:
        def call_moved(step: int) -> Any:
            changed = [np.array(array) for array in arrays]
            changed[which][entry] += step * 1e-3
            return f(*changed)

        return (8 * (call_moved(1) - call_moved(-1)) - (call_moved(2) - call_moved(-2))) / 12e-3

    return tuple(
        [np.array([estimate_slope(i, e) for e in np.ndindex(x.shape)]).reshape(x.shape) for i, x in enumerate(arrays)]
    )


Q, K, V = draw(5, 3, 4), draw(5, 3, 4, seed=1), draw(5, 3, 4, seed=2)
