"""Cases of `luxport.ops.ctc_loss`: upstream's values, and sums over all alignments of the labels."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from luxport import LayerError, ops
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_error, check_function, check_gradient, draw
from luxport_conformance.compare import Tolerance

NNLIB, FLUX = "nnlib:ctc.jl", "flux:ctc.jl"
FIRST = np.array([[1.0, 2.0, 3.0], [2.0, 1.0, 1.0], [3.0, 3.0, 2.0]]).T  # upstream's arrays are (classes, steps)
SECOND = np.array([[-3.0, 12.0, 8.0, 15.0], [4.0, 20.0, -2.0, 20.0], [8.0, -33.0, 6.0, 5.0]]).T
LABELS = np.array([0, 1], np.int32)
FIRST_LOSS, SECOND_LOSS = 3.6990738275138035, 8.02519869363453
FIRST_SLOPES = np.array(
    [[-0.317671, -0.427729, 0.665241], [0.244728, -0.0196172, -0.829811], [0.0729422, 0.447346, 0.16457]]
).T
SECOND_SLOPES = np.array(
    [
        [-2.29294774655333e-06, -0.999662657278862, 1.75500863563993e-06, 0.00669284889063],
        [0.017985914969696, 0.999662657278861, -1.9907078755387e-06, -0.006693150917307],
        [-0.01798362202195, -2.52019580677916e-20, 2.35699239251042e-07, 3.02026677058789e-07],
    ]
).T
SIX_DIGITS = Tolerance(reduction=20, rounding=1e-5, reason="upstream compares to 1e-5")
SUM = Tolerance(reduction=100)
LONG = np.array([1, 1, 3, 0, 2, 4, 4, 1], np.int32)


def _cite_both(nnlib: int, flux: int) -> tuple[str, ...]:
    return f"{NNLIB}:{nnlib}", f"{FLUX}:{flux}"


def enumerate_sequences(logits: Any, labels: Any, blank: int) -> float:
    """Return the loss by its definition: sum the probabilities of all paths that collapse to the labels."""
    steps, classes = logits.shape
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    total = 0.0
    for path in itertools.product(range(classes), repeat=steps):
        if [k for k, _ in itertools.groupby(path) if k != blank] == list(labels):
            total += math.prod(p[t, k] for t, k in enumerate(path))
    return -math.log(total) if total else math.inf


def walk_by_probabilities(logits: Any, labels: Any) -> float:
    """Return the loss by the forward algorithm on probabilities: in float64 a few steps need no logarithms."""
    blank = logits.shape[-1] - 1
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    path = [blank] + [k for label in labels for k in (int(label), blank)]
    skips = np.array([k > 1 and path[k] != blank and path[k] != path[k - 2] for k in range(len(path))])
    reached = p[0, path] * (np.arange(len(path)) < 2)
    for row in p[1:]:
        one, two = np.append(0.0, reached[:-1]), np.append([0.0, 0.0], reached[:-2])
        reached = (reached + one + two * skips) * row[path]
    return -math.log(reached[-1] + reached[-2])


def _estimate_slopes(logits: Any, labels: Any) -> Any:
    """Differentiate the loss with respect to the logits by four-point differences."""
    slopes = np.zeros_like(logits)
    for entry in np.ndindex(logits.shape):

        def call_moved(step: int, entry: tuple[int, ...] = entry) -> float:
            changed = logits.copy()
            changed[entry] += step * 1e-3
            return walk_by_probabilities(changed, labels)

        slopes[entry] = (8 * (call_moved(1) - call_moved(-1)) - (call_moved(2) - call_moved(-2))) / 12e-3
    return slopes


def _check_ctc_gradient(
    id: str, source: tuple[str, ...], x: Any, labels: Any, expected: Any, tolerance: Tolerance
) -> Case:
    return check_gradient(
        f"ctc_loss.{id}",
        source,
        lambda x, labels: ops.ctc_loss(x, labels),
        {"x": x, "labels": labels},
        expected=expected,
        tolerance=tolerance,
    )


BATCH = draw(3, 5, 3)
BATCH_LABELS = np.array([[0, 1], [1, 7], [1, 1]], np.int32)  # labels beyond the length are ignored
STEPS, COUNTS = np.array([5, 4, 3], np.int32), np.array([2, 1, 2], np.int32)

CASES: list[Case] = [
    _check_ctc_gradient(
        "gradient_long",
        _cite_both(29, 24),
        draw(20, 6),
        LONG,
        _estimate_slopes,
        Tolerance(reduction=300, rounding=1e-8, reason="wanted by differences with an error of about 1e-10"),
    ),
    check_function(
        "ctc_loss.first", _cite_both(34, 29), ops.ctc_loss, *(FIRST, LABELS), expected=FIRST_LOSS, tolerance=SUM
    ),
    _check_ctc_gradient("first_gradient", _cite_both(38, 33), FIRST, LABELS, FIRST_SLOPES, SIX_DIGITS),
    check_function(
        "ctc_loss.second", _cite_both(42, 37), ops.ctc_loss, *(SECOND, LABELS), expected=SECOND_LOSS, tolerance=SUM
    ),
    _check_ctc_gradient("second_gradient", _cite_both(46, 41), SECOND, LABELS, SECOND_SLOPES, SIX_DIGITS),
    check_function(
        "ctc_loss.batch",
        ("luxport: the sum over all sequences of classes that shrink to the labels",),
        lambda x, labels, steps, counts: (
            ops.ctc_loss(x, labels % 2),
            ops.ctc_loss(x, labels, steps, counts),
            ops.ctc_loss(x, labels % 2 + 1, blank=0),
        ),
        *(BATCH, BATCH_LABELS, STEPS, COUNTS),
        expected=lambda x, labels, steps, counts: (
            np.array([enumerate_sequences(x[i], labels[i] % 2, 2) for i in range(3)]),
            np.array([enumerate_sequences(x[i, : int(steps[i])], labels[i, : int(counts[i])], 2) for i in range(3)]),
            np.array([enumerate_sequences(x[i], labels[i] % 2 + 1, 0) for i in range(3)]),
        ),
        tolerance=SUM,
    ),
    check_function(
        "ctc_loss.no_labels",
        ("luxport: nothing but blanks",),
        lambda x, labels, none: (ops.ctc_loss(x, labels[:, :0]), ops.ctc_loss(x, labels % 2, None, none)),
        *(BATCH, BATCH_LABELS, np.zeros(3, np.int32)),
        expected=lambda x, labels, none: 2 * (np.array([enumerate_sequences(x[i], [], 2) for i in range(3)]),),
        tolerance=SUM,
    ),
    check_function(
        "ctc_loss.no_room",
        ("nnlib: ctc.jl adds logarithms of 0 only, and torch says inf too",),
        ops.ctc_loss,
        *(draw(2, 2, 3), np.array([[0, 0], [0, 1]], np.int32)),
        expected=lambda x, labels: np.array([enumerate_sequences(x[i], labels[i], 2) for i in range(2)]),
        tolerance=SUM,
    ),
    check_gradient(
        "ctc_loss.gradient_no_room",
        ("luxport: a loss of inf has a gradient of 0, not NaN",),
        lambda x, labels: ops.ctc_loss(x, labels),
        {"x": draw(2, 3), "labels": np.array([0, 0], np.int32)},
        expected=np.zeros((2, 3)),
    ),
    check_error(
        "ctc_loss.shapes",
        ("luxport: shapes that do not fit are an error",),
        lambda: ops.ctc_loss(np.zeros((2, 3)), np.zeros((1, 2), int)),
        raises=LayerError,
        message=r"expects logits \(T, classes\) with labels \(L,\).* got \(2, 3\) and \(1, 2\)",
    ),
    *(
        check_error(
            f"ctc_loss.{name}",
            ("luxport: what is out of range is an error",),
            lambda arrays=arrays: ops.ctc_loss(np.zeros((1, 3, 4)), *arrays),
            raises=LayerError,
            message=message,
        )
        for name, arrays, message in (
            (
                "label_negative",
                (np.array([[0, -1]]),),
                r"^ctc_loss expects labels in \[0, 4\) other than the .* 3, got -1$",
            ),
            (
                "label_blank",
                (np.array([[0, 3]]),),
                r"^ctc_loss expects labels in \[0, 4\) other than the blank 3, got 3$",
            ),
            (
                "label_beyond",
                (np.array([[0, 9]]),),
                r"^ctc_loss expects labels in \[0, 4\) other than the blank 3, got 9$",
            ),
            ("labels_floating", (np.array([[0.0]]),), "^ctc_loss expects integers as labels, got float64$"),
            (
                "steps_beyond",
                (np.array([[0, 1]]), np.array([4])),
                "^ctc_loss expects logit_lengths from 0 to T, got 4$",
            ),
        )
    ),
    check_function(
        "ctc_loss.no_steps",
        ("luxport: without steps there is room for no label",),
        lambda x, labels, counts: ops.ctc_loss(x, labels, None, counts),
        *(np.zeros((2, 0, 3)), np.array([[0], [0]], np.int32), np.array([0, 1], np.int32)),
        expected=np.array([0.0, np.inf]),
    ),
    check_function(
        "ctc_loss.length_of_no_step",
        ("luxport: without steps there is room for no label",),
        lambda x, labels, steps, counts: ops.ctc_loss(x, labels, steps, counts),
        *(np.ones((2, 2, 3)), np.array([[0], [0]], np.int32), np.zeros(2, np.int32), np.array([0, 1], np.int32)),
        expected=np.array([0.0, np.inf]),
    ),
]
