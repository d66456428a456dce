"""Losses of sequences whose labels are not aligned with the steps: `ctc_loss`."""

from __future__ import annotations

from luxport import ops
from luxport.backend import Array
from luxport.backend.option_rules import ANY_INT
from luxport.losses._common import Aggregation, aggregate, wrap_loss

__all__ = ["ctc_loss"]


@wrap_loss("y_hat, y, y_hat_lengths (...)?, y_lengths (...)?", blank=ANY_INT)
def ctc_loss(
    y_hat: Array,
    y: Array,
    y_hat_lengths: Array | None = None,
    y_lengths: Array | None = None,
    *,
    blank: int = -1,
    agg: Aggregation = "mean",
) -> Array:
    """Return ``agg(-log P(y | softmax(y_hat)))``, the reduced losses of `luxport.ops.ctc_loss`, one per sequence.

    A sequence that is too short for its labels has an infinite loss. The mean is taken over sequences, whatever their
    lengths (PyTorch first divides each loss by the number of labels).

    Args:
        y_hat: the numbers before the softmax, at each step
        y: the labels, indices of classes from 0
        y_hat_lengths: how many steps of each sequence count; None for all
        y_lengths: how many labels of each sequence count; None for all
        blank: the class of no label, by default the last (in PyTorch the first)
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array

    Shapes: y_hat (N, T, classes), y (N, L) of integers from 0, lengths (N,) or None for all; the losses (N,). One
            sequence: y_hat (T, classes), y (L,)
    Raises: LayerError if the shapes do not fit
    Source: Flux.jl ``ctc_loss``; A. Graves et al., "Connectionist temporal classification" (2006)

    >>> import numpy as np
    >>> print(ctc_loss(np.zeros((2, 1, 4)), np.array([[2], [0]]), agg="sum").round(4))  # 2 log 4
    2.7726
    """
    return aggregate(ops.ctc_loss(y_hat, y, y_hat_lengths, y_lengths, blank=blank), agg)
