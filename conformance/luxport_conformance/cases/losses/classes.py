"""Cases of losses for classification into many classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import losses
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import check_function, draw
from luxport_conformance.cases.losses.common import DIGITS, DOCS, SINGLE_EPSILON, check_loss, softmax
from luxport_conformance.compare import Tolerance


def _check_classes() -> list[Case]:
    labels = np.asarray([1, 1, 0, 0])
    y = np.eye(2)[labels]
    y_hat = np.asarray([[0.1, 0.9], [0.9, 0.1], [0.9, 0.1], [0.1, 0.9]])
    v = np.log(0.1 / 0.9)
    logits = np.asarray([[v, 0.0], [0.0, v], [0.0, v], [v, 0.0]])
    one, smooth = np.asarray([[0.0, 1.0]]), np.asarray([[0.1, 0.9]])
    probable, its_logits = np.asarray([[0.9, 0.1]]), np.asarray([[0.0, v]])
    many = np.eye(2)[[1, 1, 1, 0, 0]]
    similar = many * 0.8 + 0.1
    value = 1.203972804325936
    three = np.asarray([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]])
    sloped = np.reshape(np.arange(-7.0, 8.0), (5, 3))

    def smooth_labels(y: Any, alpha: float) -> Any:
        return losses.label_smoothing(y, alpha)

    def smooth_targets(loss: Callable[..., Any], alpha: float) -> Callable[..., Any]:
        def call_smoothed(y_hat: Any, y: Any, **options: Any) -> Any:
            return loss(y_hat, smooth_labels(y, alpha), **options)

        call_smoothed.__name__ = loss.__name__
        return call_smoothed

    def subtract_smoothed(y_hat: Any, y: Any) -> Any:
        return losses.crossentropy(y_hat, y) - losses.crossentropy(y_hat, smooth_labels(y, 0.2))

    def subtract_ends(loss: Callable[..., Any]) -> Callable[..., Any]:
        def call_both(y_hat: Any, y: Any) -> Any:
            ends = [luxport.namespace(x).concat([x[:1], x[2:]]) for x in (y_hat, y)]
            return loss(y_hat, y) - loss(*ends)

        call_both.__name__ = loss.__name__
        return call_both

    middle = np.asarray([0.1, 0.0, 0.9])
    counted, even = np.asarray([[1], [2], [3]]), np.full((2, 2), 0.5)
    near_zero = Tolerance(magnitude=1.0)
    return [
        check_loss(
            "crossentropy_of_nothing", 68, subtract_ends(losses.crossentropy), middle, middle, 0.0, tolerance=near_zero
        ),
        check_loss("crossentropy", 69, losses.crossentropy, y_hat, y, value),
        check_loss("crossentropy_smoothed", 70, smooth_targets(losses.crossentropy, 0.1), y_hat, y, value),
        check_loss(
            "crossentropy_smoothed_more",
            71,
            smooth_targets(losses.crossentropy, 0.2),
            probable,
            one,
            -np.sum(smooth * np.log(probable)),
        ),
        check_loss("crossentropy_one", 72, losses.crossentropy, probable, one, -np.log(0.1)),
        check_loss("crossentropy_of_equal", 73, losses.crossentropy, many, many, 0.0, epsilon=0.0),
        check_loss("crossentropy_of_bools", 74, losses.crossentropy, many, many.astype(bool), 0.0, epsilon=0.0),
        *[
            check_loss(id, source, subtract_smoothed, y_hat, many, expected, subject="crossentropy")
            for id, source, y_hat, expected in (
                ("smoothing_where_right", 75, similar, Property("less without", lambda x: x < 0)),
                ("smoothing_where_wrong", 76, similar[:, ::-1], Property("more without", lambda x: x > 0)),
            )
        ],
        check_loss("logitcrossentropy", 80, losses.logitcrossentropy, logits, y, value),
        check_loss(
            "logitcrossentropy_one",
            81,
            losses.logitcrossentropy,
            its_logits,
            one,
            -np.sum(one * np.log(softmax(its_logits))),
        ),
        check_loss(
            "logitcrossentropy_smoothed",
            82,
            smooth_targets(losses.logitcrossentropy, 0.2),
            its_logits,
            one,
            -np.sum(smooth * np.log(softmax(its_logits))),
        ),
        check_loss(
            "crossentropy_other_axis",
            "definition: the sum is along the axis",
            losses.logitcrossentropy,
            draw(2, 3, 4),
            np.abs(draw(2, 3, 4, seed=1)),
            lambda a, b: -np.sum(b * np.log(softmax(np.moveaxis(a, 1, -1)).swapaxes(1, -1)), axis=1),
            axis=1,
            agg=None,
        ),
        *[
            check_loss(id, source, loss, y_hat, three, expected, tolerance=tolerance)
            for id, source, loss, y_hat, expected, tolerance in (
                ("CrossEntropyLoss", DOCS, losses.CrossEntropyLoss(), softmax(sloped), 1.6076053, DIGITS),
                (
                    "CrossEntropyLoss_sum",
                    DOCS,
                    losses.CrossEntropyLoss(agg="sum"),
                    softmax(sloped),
                    5 * 1.6076053,
                    Tolerance(rounding=5e-6, reason="five times a number given in single precision"),
                ),
                (
                    "CrossEntropyLoss_smooth",
                    DOCS,
                    losses.CrossEntropyLoss(label_smoothing=0.15),
                    softmax(sloped),
                    1.5776052,
                    DIGITS,
                ),
                ("CrossEntropyLoss_logits", DOCS, losses.CrossEntropyLoss(logits=True), sloped, 1.6076053, DIGITS),
                ("focal_loss", 191, losses.focal_loss, softmax(sloped), 1.1277571935622628, SINGLE_EPSILON),
            )
        ],
        check_loss(
            "focal_loss_two",
            192,
            losses.focal_loss,
            np.asarray([[0.4, 0.5, 0.1], [0.2, 0.5, 0.3]]),
            np.asarray([[1, 0, 0], [0, 0, 1]]),
            0.45990566879720157,
        ),
        check_loss(
            "focal_loss_gamma_0",
            193,
            lambda a, b: losses.focal_loss(a, b, gamma=0) - losses.crossentropy(a, b),
            softmax(sloped),
            three,
            0.0,
            subject="focal_loss",
            tolerance=near_zero,
        ),
        check_loss("FocalLoss", DOCS, losses.FocalLoss(), softmax(sloped), three, 1.1277556, tolerance=SINGLE_EPSILON),
        check_loss(
            "kldivergence_of_nothing", 113, subtract_ends(losses.kldivergence), middle, middle, 0.0, tolerance=near_zero
        ),
        check_loss("kldivergence", 114, losses.kldivergence, counted + 3.0, counted, -1.7661057888493457),
        check_loss(
            "kldivergence_of_equal",
            115,
            losses.kldivergence,
            counted * 1.0,
            counted,
            0.0,
            tolerance=Tolerance(magnitude=3.0),
        ),
        check_loss("KLDivergenceLoss", DOCS, losses.KLDivergenceLoss(), even, np.eye(2), np.log(2)),
        check_loss("KLDivergenceLoss_sum", DOCS, losses.KLDivergenceLoss(agg="sum"), even, np.eye(2), 2 * np.log(2)),
        check_loss("KLDivergenceLoss_equal", DOCS, losses.KLDivergenceLoss(epsilon=0.0), even, even, 0.0),
        check_loss("KLDivergenceLoss_impossible", DOCS, losses.KLDivergenceLoss(epsilon=0.0), np.eye(2), even, np.inf),
        *[
            check_loss(
                f"{name}_ignoring_{ignored}",
                "definition: -log of the probability of the class",
                getattr(losses, name),
                prepare(sloped),
                np.asarray([0, 1, 2, 1, 0], np.int32),
                -np.log(softmax(sloped))[np.arange(5), [0, 1, 2, 1, 0]][kept].mean(),
                ignore_index=ignored,
            )
            for name, prepare in (
                ("nll_loss", lambda x: np.log(softmax(x))),
                ("sparse_crossentropy", softmax),
                ("sparse_logitcrossentropy", lambda x: x),
            )
            for ignored, kept in ((None, [0, 1, 2, 3, 4]), (1, [0, 2, 4]))
        ],
        check_loss(
            "SparseCrossEntropyLoss",
            "definition: -log of the probability of the class",
            losses.SparseCrossEntropyLoss(logits=True, axis=1, agg="sum"),
            np.stack([sloped.T, -sloped.T]),
            np.asarray([[0, 1, 2, 1, 0], [2, 2, 2, 2, 2]], np.int32),
            -np.log(softmax(sloped))[np.arange(5), [0, 1, 2, 1, 0]].sum() - 5 * np.log(softmax(-sloped)[0, 2]),
        ),
    ]


CASES: list[Case] = [
    *_check_classes(),
    check_loss(
        "crossentropy_of_the_impossible",
        "definition: -log(0 + epsilon) for a class that has no probability",
        losses.crossentropy,
        *([[0.0, 1.0]], [[1.0, 0.0]]),
        np.log(8.0),
        epsilon=0.125,
    ),
    check_function(
        "losses.crossentropy_in_double_precision",
        ("flux: epsilon is eps of the dtype, 2^-52",),
        losses.crossentropy,
        *([[0.0, 1.0]], [[1.0, 0.0]]),
        subject="crossentropy",
        expected=52 * np.log(2.0),
        dtypes=("float64",),
    ),
]
