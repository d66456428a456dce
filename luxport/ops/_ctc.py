"""Connectionist temporal classification (CTC): the loss of a sequence of labels that is not aligned with the steps."""

from __future__ import annotations

import math
from typing import Any

from luxport.backend import Array, dtype_name, find_array_device, match_shapes, namespace
from luxport.backend.dtypes import convert_indices, run_wide
from luxport.backend.option_rules import ANY_INT
from luxport.errors import LayerError, LayerTypeError, shape_text
from luxport.ops._operation import operation
from luxport.ops._softmax import logsoftmax, logsumexp
from luxport.ops.indices import tell_index, value_range
from luxport.ops.shapes import is_number, read_sizes
from luxport.transforms._loops import scan

__all__ = ["ctc_loss", "ctc_sweep"]


def _check_shapes(logits: Array, labels: Array, *lengths: Array | None, **options: Any) -> None:
    rank = len(logits.shape)
    if (
        rank not in (2, 3)
        or len(labels.shape) != rank - 1
        or not match_shapes(logits.shape[: rank - 2], labels.shape[:-1])
    ):
        raise LayerError(
            "expects logits (T, classes) with labels (L,), or (N, T, classes) with (N, L), "
            f"got {shape_text(logits)} and {shape_text(labels)}"
        )
    for name, array, kinds in (
        ("floating logits", logits, ("float", "bfloat")),
        *[
            (f"integers as {name}", array, ("int", "uint"))
            for name, array in zip(_INTEGERS, (labels, *lengths), strict=True)
        ],
    ):
        if array is not None and not dtype_name(array).startswith(kinds):
            raise LayerTypeError(f"expects {name}, got {dtype_name(array)}")
    for name, array in zip(_INTEGERS[1:], lengths, strict=True):
        single = rank == 2 and array is not None and tuple(array.shape) == ()
        if array is not None and not single and not match_shapes(logits.shape[:-2] or (1,), array.shape):
            raise LayerError(f"expects {name} as one for each sequence, got {shape_text(array)}")


_INTEGERS = ("labels", "logit_lengths", "label_lengths")


@operation(
    takes="logits floating, labels int, logit_lengths int (...)?, label_lengths int (...)?",
    rules={"blank": ANY_INT},
    early=False,
)
@run_wide
def ctc_loss(
    logits: Array,
    labels: Array,
    logit_lengths: Array | None = None,
    label_lengths: Array | None = None,
    *,
    blank: int = -1,
) -> Array:
    """Return ``-log P(labels | softmax(logits))``, where P is summed over all alignments of the labels with the steps.

    In an alignment each label lasts one step or more. Before, between and after the labels there may be any number of
    blanks, and between two equal labels there is at least one. If the labels need more steps than there are, the loss
    is inf and its gradient 0; no labels in no steps have a loss of 0. The lengths say how many steps and labels of
    each sequence count, None for all; logits and labels beyond them are ignored.

    A label that is the blank or no class, and a length out of range, are errors; in compiled programs, which cannot
    raise them, the loss of the sequence is NaN instead.

    Args:
        blank: the class of no label, by default the last

    Shapes: logits (T, classes), labels (L,) int, counted from 0 -> (); logits (N, T, classes), labels (N, L), lengths
            (N,) int or None -> (N,)
    Raises: LayerError if the shapes do not fit, or a label or length is out of range
    Source: NNlib ``ctc_loss``, for one sequence; A. Graves et al., "Connectionist temporal classification" (2006)

    >>> import numpy as np
    >>> print(ctc_loss(np.zeros((1, 4)), np.array([2])).round(4), round(math.log(4), 4))
    1.3863 1.3863
    """
    xp = namespace(logits, labels, logit_lengths, label_lengths)
    _check_shapes(logits, labels, logit_lengths, label_lengths)
    if len(logits.shape) == 2:
        lengths = [None if n is None else xp.reshape(n, (1,)) for n in (logit_lengths, label_lengths)]
        return ctc_loss(logits[None, ...], labels[None, ...], *lengths, blank=blank)[0, ...]
    sequences, steps, classes = read_sizes(logits)
    count = read_sizes(labels)[1]
    if is_number(classes):
        if not -classes <= blank < classes:
            raise LayerError(f"expects a blank in [-{classes}, {classes}), got {blank}")
        blank %= classes
    elif blank < 0:
        blank = classes + blank
    given = convert_indices(xp, labels)  # not yet int32, which might turn a label that is too large into a class
    absent = xp.logical_or(
        xp.logical_or(given < 0, given >= _take_dtype(xp, classes, given)), given == _take_dtype(xp, blank, given)
    )
    labels = xp.astype(labels, xp.int32)
    used = xp.ones_like(labels)
    wrong = None
    if logit_lengths is not None:
        steps_of_each, wrong = _check_lengths(xp, logit_lengths, steps, "logit_lengths from 0 to T")
        logit_lengths = steps_of_each
        # Steps beyond the length may hold anything, NaN for instance.
        counted = xp.arange(steps, dtype=xp.int32, device=find_array_device(logits))[None, :] < steps_of_each[:, None]
        logits = xp.where(counted[..., None], logits, 0.0)
    if label_lengths is not None:
        labels_of_each, beyond = _check_lengths(xp, label_lengths, count, "label_lengths from 0 to L")
        label_lengths = labels_of_each
        wrong = beyond if wrong is None else xp.logical_or(wrong, beyond)
        places = xp.arange(count, dtype=xp.int32, device=find_array_device(logits))
        there = places[None, :] < labels_of_each[:, None]
        used = xp.astype(there, xp.int32)
        absent = xp.logical_and(absent, there)
        labels = xp.where(there, labels, xp.zeros_like(labels) + blank)
    absent = xp.any(_find_wrong(xp, given, absent, "labels in [0, {}) other than the blank {}", classes, blank), axis=1)
    wrong = absent if wrong is None else xp.logical_or(wrong, absent)
    # A wrong label must not index into another sequence.
    labels = xp.where(wrong[:, None], xp.zeros_like(labels) + blank, labels)
    number = xp.sum(used, axis=1, dtype=xp.int32)
    # Sizes that only the running program knows may be 0: then a step and a label are added that do not count.
    if not is_number(steps):
        if logit_lengths is None:
            logit_lengths = xp.sum(xp.ones_like(logits[..., 0], dtype=xp.int32), axis=1, dtype=xp.int32)
        last = xp.zeros((sequences, 1, classes), dtype=logits.dtype, device=find_array_device(logits))
        logits = xp.concat([logits, last], axis=1)
    if not is_number(count):
        label_lengths = number
        labels = xp.concat([labels, number[:, None] * 0 + blank], axis=1)
        count = count + 1
    zero = xp.astype(xp.zeros_like(number), xp.float32)
    nothing = xp.where(number == 0, zero, xp.full_like(zero, math.inf))
    if 0 in logits.shape:
        return xp.astype(nothing, logits.dtype) + xp.sum(logits, axis=(1, 2))
    path = _insert_blanks(xp, labels, xp.zeros_like(logits[:, 0, :1], dtype=xp.int32) + blank)
    head = 1 if path.shape[1] == 1 else 2
    before, after = path[:, :-head], path[:, head:]
    may_skip = xp.logical_and(after != blank, after != before)
    skips = xp.concat([xp.zeros_like(path[:, :head]) != 0, may_skip], axis=1)
    reached = ctc_sweep(_take_scores(xp, logsoftmax(logits), path), skips, logit_lengths)
    if label_lengths is None:
        losses = -logsumexp(reached[:, -head:], axis=-1)
        return _mark_impossible(xp, losses, wrong, logit_lengths, nothing)
    ends = label_lengths[:, None] * 2
    nowhere = xp.full_like(reached, -math.inf)
    places = xp.arange(2 * count + 1, dtype=xp.int32, device=find_array_device(logits))[None, :]
    ending = xp.logical_or(places == ends, places == ends - 1)
    losses = -logsumexp(xp.where(ending, reached, nowhere), axis=-1)
    return _mark_impossible(xp, losses, wrong, logit_lengths, nothing)


@operation(takes="scores floating (T, N, P), skips bool (N, P), lengths int (N)?")
def ctc_sweep(scores: Array, skips: Array, lengths: Array | None = None) -> Array:
    """Run the forward algorithm: return the log probability to be at each place of the path after all steps.

    The path holds the labels with blanks before, between and after them. An alignment starts at its first or second
    place; each step stays, or moves on by one place, or by two if that skips a blank between labels that differ.

    Shapes: scores (T, N, P), the log probability of each place at each step; skips (N, P) bool, the places that two
            at once may reach; lengths (N,) int or None, how many steps count -> (N, P)
    """
    xp = namespace(scores, skips, lengths)
    first = scores[0, ...]
    head = 1 if scores.shape[2] == 1 else 2
    start = xp.concat([first[:, :head], xp.full_like(first[:, head:], -math.inf)], axis=1)
    edge = xp.full_like(first[:, :1], -math.inf)
    nowhere = xp.full_like(first, -math.inf)

    def step(reached: Array, given: tuple[Array, Array]) -> tuple[Array, Array]:
        here, time = given
        one = xp.concat([edge, reached[:, :-1]], axis=1)
        two = xp.where(skips, xp.concat([edge, one[:, :-1]], axis=1), nowhere)
        further = logsumexp(xp.stack([reached, one, two], axis=0), axis=0) + here
        if lengths is not None:
            further = xp.where((time < lengths)[:, None], further, reached)
        return further, time

    times = xp.arange(1, read_sizes(scores)[0], dtype=xp.int32, device=find_array_device(scores))
    return scan(step, start, (scores[1:, ...], times))[0]


def _take_dtype(xp: Any, size: Any, like: Array) -> Any:
    """Return a size in a form that compares with integers: an array is converted to their dtype."""
    return size if is_number(size) else xp.astype(size, like.dtype)


def _check_lengths(xp: Any, lengths: Array, size: Any, name: str) -> tuple[Array, Array]:
    """Return lengths as int32, and whether each is out of range; raise an error if one is known to be."""
    given = convert_indices(xp, lengths)
    wrong = _find_wrong(xp, given, xp.logical_or(given < 0, given > _take_dtype(xp, size, given)), name)
    return xp.astype(given, xp.int32), wrong


def _find_wrong(xp: Any, values: Array, wrong: Array, name: str, *sizes: Any) -> Array:
    """Return `wrong`, the flags of wrong values; raise an error if one is known to be true.

    Sizes are formatted into the name only for the error: PyTorch compiles a program for each size that is formatted.
    """
    seen = value_range(xp.astype(wrong, xp.int32))
    if seen is not None and seen[1]:
        low, _ = value_range(xp.where(wrong, values, xp.full_like(values, xp.iinfo(values.dtype).max))) or (0, 0)
        raise LayerError(f"expects {name.format(*sizes)}, got {tell_index(values, low)}")
    return wrong


def _mark_impossible(xp: Any, losses: Array, wrong: Array, logit_lengths: Array | None, nothing: Array) -> Array:
    """Return the losses with `nothing` for sequences of no step, and NaN for those with wrong labels or lengths."""
    if logit_lengths is not None:
        losses = xp.where(logit_lengths == 0, xp.astype(nothing, losses.dtype), losses)
    return xp.where(wrong, xp.full_like(losses, math.nan), losses)


def _insert_blanks(xp: Any, labels: Array, blank: Array) -> Array:
    """Put a blank before, between and after the labels: (N, L) and (N, 1) -> (N, 2 L + 1)."""
    sequences, count = read_sizes(labels)
    if is_number(count) and count == 0:
        return blank
    blanks = xp.zeros_like(labels) + blank
    pairs = xp.reshape(xp.stack([blanks, labels], axis=-1), (sequences, 2 * count))
    return xp.concat([pairs, blank], axis=1)


def _take_scores(xp: Any, log_probabilities: Array, path: Array) -> Array:
    """Return the log probability of each place of the path at each step: (T, N, 2 L + 1)."""
    number, steps, classes = read_sizes(log_probabilities)
    rows = xp.reshape(xp.permute_dims(log_probabilities, (1, 0, 2)), (steps, number * classes))
    # Numbered by a sum, since only the running program may know how many sequences there are. Not in int32, for which
    # PyTorch's compiler gets the gradient wrong.
    sequences = xp.cumulative_sum(xp.ones_like(path[:, :1]), axis=0) - 1
    places = xp.reshape(xp.astype(path, sequences.dtype) + sequences * _take_dtype(xp, classes, sequences), (-1,))
    return xp.reshape(xp.take(rows, places, axis=1), (steps, number, read_sizes(path)[1]))
