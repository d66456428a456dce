"""Losses of pairs and triplets of vectors, which are small if similar vectors are close to each other."""

from __future__ import annotations

import math

from luxport import ops
from luxport.backend import Array
from luxport.backend.option_rules import NON_NEGATIVE
from luxport.losses._common import Aggregation, aggregate, choose_epsilon, match_target, wrap_loss
from luxport.ops.scaling import add_after, sum_squares
from luxport.transforms._stop_gradient import stop_gradient

__all__ = ["cosine_similarity_loss", "siamese_contrastive_loss", "triplet_margin_loss"]


@wrap_loss()
def siamese_contrastive_loss(y_hat: Array, y: Array, *, agg: Aggregation = "mean", margin: float = 1.0) -> Array:
    """Return ``agg((1 - y) y_hat² + y max(0, margin - y_hat)²)``, where y_hat are the distances of pairs.

    Args:
        y_hat: the distances of pairs
        y: 1 for a pair that should be apart, 0 for one that should coincide
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        margin: how far apart pairs should be, at least 0

    Raises: ValueError for a negative margin
    Source: Flux.jl ``siamese_contrastive_loss``; R. Hadsell et al., "Dimensionality reduction by learning an
            invariant mapping" (2006)
    """
    xp, y_hat, y = match_target("siamese_contrastive_loss", y_hat, y)
    short = ops.relu(margin - y_hat)
    # A label of 0 or 1 multiplies one of the two terms by 0, which must not be infinite then.
    fixed_far, fixed_short = stop_gradient(y_hat), stop_gradient(short)
    far = xp.where((y == 1.0) & (fixed_far * fixed_far == math.inf), 0.0, y_hat)
    short = xp.where((y == 0.0) & (fixed_short * fixed_short == math.inf), 0.0, short)
    return aggregate((1.0 - y) * far * far + y * short * short, agg)


@wrap_loss()
def cosine_similarity_loss(
    y_hat: Array, y: Array, *, axis: int = -1, agg: Aggregation = "mean", epsilon: float | None = None
) -> Array:
    """Return ``agg(1 - y_hat · y / (|y_hat| |y|))``: 0 for vectors of the same direction, 2 for opposite ones.

    A norm counts as at least epsilon, so that the loss of a zero vector is 1. (Keras omits the 1.)

    Args:
        y_hat: the prediction
        y: the target, an array like y_hat or a number for all entries
        axis: the axis of the vectors
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        epsilon: the smallest norm; None for the dtype's distance from 1 to the next number

    Shapes: y_hat, y (..., n), vectors along the axis; the losses (...)
    Source: PyTorch ``CosineEmbeddingLoss`` for the label 1
    """
    xp, y_hat, y = match_target("cosine_similarity_loss", y_hat, y)
    least = choose_epsilon(y_hat, epsilon)

    def compute_norm(x: Array) -> tuple[Array, Array]:
        x, total, size = sum_squares(xp, x, axis, least)
        bound = xp.full_like(total, least**2) if size is None else (least / size) ** 2
        return x, xp.sqrt(xp.where(total < bound, bound, total))

    (y_hat, size), (y, other) = compute_norm(y_hat), compute_norm(y)
    norms = xp.squeeze(size * other, axis=axis)
    return aggregate(1.0 - xp.sum(y_hat * y, axis=axis) / norms, agg)


@wrap_loss("anchor, positive or number, negative or number", epsilon=NON_NEGATIVE)
def triplet_margin_loss(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    axis: int = -1,
    agg: Aggregation = "mean",
    margin: float = 1.0,
    epsilon: float = 1e-6,
) -> Array:
    """Return ``agg(max(0, |anchor - positive| - |anchor - negative| + margin))``.

    Args:
        anchor: the points
        positive: the points that should be closer to the anchor, an array like anchor or a number
        negative: the points that should be farther from the anchor, an array like anchor or a number
        axis: the axis of the vectors
        agg: how the losses are reduced: "mean", "sum", a function of their array, or None to return the array
        margin: how much farther the negative should be than the positive, at least 0
        epsilon: a small number added to each difference, so that equal points have a gradient

    Shapes: anchor, positive, negative (..., n), vectors along the axis; the losses (...)
    Source: PyTorch ``TripletMarginLoss``
    """
    xp, anchor, positive = match_target("triplet_margin_loss", anchor, positive)
    _, _, negative = match_target("triplet_margin_loss", anchor, negative)

    def measure_distance(x: Array) -> Array:
        _, total, size = sum_squares(xp, add_after(xp, anchor - x, epsilon), axis)
        root = xp.squeeze(xp.sqrt(total), axis=axis)
        return root if size is None else root * xp.squeeze(size, axis=axis)

    difference = measure_distance(positive) - measure_distance(negative)
    return aggregate(ops.relu(add_after(xp, difference, margin)), agg)
