"""PyTorch's overrides of cross-entropies; results that are not finite are computed again by the definition."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from luxport.losses import _classification as classification
from luxport.losses import _sparse as sparse
from luxport.ops import definition_of
from luxport_torch.readable_values import may_look

__all__ = ["crossentropy_of_labels", "crossentropy_of_logits"]

_define_of_logits = definition_of(classification.crossentropy_of_logits)
_define_of_labels = definition_of(sparse.crossentropy_of_labels)


def crossentropy_of_logits(y_hat: torch.Tensor, y: torch.Tensor, *, axis: int, agg: str | None) -> torch.Tensor:
    """Call `cross_entropy` for matrices, `log_softmax` for others; if the loss is not finite, the definition."""
    if _is_usual(y_hat) and y.dtype is y_hat.dtype:
        if agg is not None and y_hat.ndim == 2 and axis in (1, -1):
            losses = functional.cross_entropy(y_hat, y, reduction=agg)
        else:
            losses = _aggregate((torch.log_softmax(y_hat, axis) * y).sum(axis).neg(), agg)
        if _is_finite(losses):
            return losses
    return _define_of_logits(y_hat, y, axis=axis, agg=agg)


def crossentropy_of_labels(
    y_hat: torch.Tensor, y: torch.Tensor, *, axis: int, agg: str | None, ignore_index: int | None
) -> torch.Tensor:
    """Pick the labels' log-probabilities; if the loss is not finite or a label is out of range, call the definition."""
    if _is_usual(y_hat):
        try:
            losses = _find_labels(y_hat, y, axis, agg, ignore_index)
        except (IndexError, RuntimeError):  # a label out of range: the definition raises an error that tells it
            losses = None
        if losses is not None and _is_finite(losses):
            return losses
    return _define_of_labels(y_hat, y, axis=axis, agg=agg, ignore_index=ignore_index)


def _find_labels(
    y_hat: torch.Tensor, y: torch.Tensor, axis: int, agg: str | None, ignore_index: int | None
) -> torch.Tensor | None:
    if ignore_index is None:  # PyTorch's `cross_entropy` always ignores one index
        losses = torch.log_softmax(y_hat, axis).gather(axis, y.long().unsqueeze(axis)).squeeze(axis).neg()
        return _aggregate(losses, agg)
    # Ignored rows may hold NaN, for which PyTorch's gradient would be NaN instead of 0.
    if y_hat.ndim == 2 and axis in (1, -1) and _is_finite(y_hat):
        return functional.cross_entropy(y_hat, y.long(), ignore_index=ignore_index, reduction=agg or "none")
    return None


def _is_usual(y_hat: torch.Tensor) -> bool:
    return may_look(y_hat) and y_hat.is_floating_point() and y_hat.dtype.itemsize >= 4 and y_hat.numel() > 0


def _is_finite(x: torch.Tensor) -> bool:
    x = x.detach()
    return math.isfinite((x.sum() if x.ndim else x).item())


def _aggregate(losses: torch.Tensor, agg: str | None) -> torch.Tensor:
    return losses.mean() if agg == "mean" else losses.sum() if agg == "sum" else losses
