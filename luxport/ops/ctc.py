"""Connectionist temporal classification: labels for a sequence, without a label for each step."""

from __future__ import annotations

import math
from typing import Any

from array_api_compat import device

from luxport.backend import Array, namespace
from luxport.errors import LayerError
from luxport.loops import scan
from luxport.ops.dtypes import in_single_or_double
from luxport.ops.operation import operation
from luxport.ops.softmax import logsoftmax, logsumexp

__all__ = ["ctc_loss"]


@operation
@in_single_or_double
def ctc_loss(
    logits: Array,
    labels: Array,
    logit_lengths: Array | None = None,
    label_lengths: Array | None = None,
    *,
    blank: int = -1,
) -> Array:
    """Return ``-log P(labels | softmax(logits))``, summed over all ways to stretch the labels over the steps.

    Each label lasts one step or more; between two labels, before the first and after the last may stand any number
    of blanks, and between two that are equal at least one. The blank is the last class unless `blank` says otherwise.
    Without room for the labels the loss is inf, and its gradient 0. The lengths say how many steps and labels of
    each sequence count; None is all.

    Shapes: logits (T, classes), labels (L,) int, counted from 0 -> (); logits (N, T, classes), labels (N, L), lengths
            (N,) int or None -> (N,)
    Raises: LayerError if the shapes do not fit
    Source: NNlib ``ctc_loss``, for one sequence; A. Graves et al., "Connectionist temporal classification" (2006)

    >>> import numpy as np
    >>> print(ctc_loss(np.zeros((1, 4)), np.array([2])).round(4), round(math.log(4), 4))
    1.3863 1.3863
    """
    xp = namespace(logits, labels, logit_lengths, label_lengths)
    if len(logits.shape) not in (2, 3) or len(labels.shape) != len(logits.shape) - 1 or logits.shape[-2] == 0:
        raise LayerError(
            "expects logits (T, classes) with labels (L,), or (N, T, classes) with (N, L), and T of at least 1, "
            f"got {tuple(logits.shape)} and {tuple(labels.shape)}"
        )
    if len(logits.shape) == 2:
        return ctc_loss(logits[None, ...], labels[None, ...], logit_lengths, label_lengths, blank=blank)[0, ...]
    blank %= logits.shape[-1]
    if logit_lengths is not None:  # later steps may hold anything
        steps = xp.arange(logits.shape[1], dtype=xp.int32, device=device(logits))
        counted = steps[None, :] < xp.astype(logit_lengths, xp.int32)[:, None]
        logits = xp.where(counted[..., None], logits, 0.0)
    labels = xp.astype(labels, xp.int32)
    count = labels.shape[1]
    if label_lengths is not None:
        places = xp.arange(count, dtype=xp.int32, device=device(logits))
        used = places[None, :] < xp.astype(label_lengths, xp.int32)[:, None]
        labels = xp.where(used, labels, xp.full_like(labels, blank))
    path = _between_blanks(xp, labels, xp.full_like(logits[:, 0, :1], blank, dtype=xp.int32))
    scores = _scores(xp, logsoftmax(logits), path)

    # A path goes on where it is, or one place further, or two where that leaves out a blank between labels that differ.
    head = min(2, path.shape[1])
    before, after = path[:, : path.shape[1] - head], path[:, head:]
    may_skip = xp.logical_and(after != blank, after != before)
    skips = xp.concat([xp.zeros_like(path[:, :head]) != 0, may_skip], axis=1)
    first = scores[0, ...]
    start = xp.concat([first[:, :head], xp.full_like(first[:, head:], -math.inf)], axis=1)
    edge = xp.full_like(first[:, :1], -math.inf)
    nowhere = xp.full_like(first, -math.inf)

    def step(reached: Array, given: tuple[Array, Array]) -> tuple[Array, Array]:
        here, time = given
        one = xp.concat([edge, reached[:, :-1]], axis=1)
        two = xp.where(skips, xp.concat([edge, one[:, :-1]], axis=1), nowhere)
        further = logsumexp(xp.stack([reached, one, two], axis=0), axis=0) + here
        if logit_lengths is not None:
            further = xp.where((time < xp.astype(logit_lengths, xp.int32))[:, None], further, reached)
        return further, time

    times = xp.arange(1, scores.shape[0], dtype=xp.int32, device=device(logits))
    reached, _ = scan(step, start, (scores[1:, ...], times))
    if label_lengths is None:
        return -logsumexp(reached[:, -head:], axis=-1)
    ends = xp.astype(label_lengths, xp.int32)[:, None] * 2
    places = xp.arange(2 * count + 1, dtype=xp.int32, device=device(logits))[None, :]
    ending = xp.logical_or(places == ends, places == ends - 1)
    return -logsumexp(xp.where(ending, reached, nowhere), axis=-1)


def _between_blanks(xp: Any, labels: Array, blank: Array) -> Array:
    """Put a blank before, between and after the labels: (N, L) and (N, 1) -> (N, 2 L + 1)."""
    count = labels.shape[1]
    if count == 0:
        return blank
    blanks = xp.zeros_like(labels) + blank
    pairs = xp.reshape(xp.stack([blanks, labels], axis=-1), (-1, 2 * count))
    return xp.concat([pairs, blank], axis=1)


def _scores(xp: Any, log_probabilities: Array, path: Array) -> Array:
    """Return the logarithm of the probability of each place of the path at each step: (T, N, 2 L + 1)."""
    steps, classes = log_probabilities.shape[1:]
    rows = xp.reshape(xp.permute_dims(log_probabilities, (1, 0, 2)), (steps, -1))
    # Counted by a sum: how many sequences there are may be known only as the program runs.
    sequences = xp.cumulative_sum(xp.ones_like(path[:, :1]), axis=0, dtype=path.dtype) - 1
    places = xp.reshape(path + sequences * classes, (-1,))
    return xp.reshape(xp.take(rows, places, axis=1), (steps, -1, path.shape[1]))
