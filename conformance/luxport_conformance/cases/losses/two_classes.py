"""Cases of losses for two classes, for pairs and for triplets."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import losses
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import check_function, cite, draw
from luxport_conformance.cases.losses.common import DIGITS, DOCS, FILE, NEAR_ONE, SINGLE, check_loss, sigmoid, softmax
from luxport_conformance.compare import Tolerance


def _check_two_classes() -> list[Case]:
    logits, y = draw(3), np.abs(draw(3, seed=1)) % 1.0
    p, smooth = sigmoid(logits), y * 0.8 + 0.1
    told = np.asarray([[0.268941, 0.5, 0.268941], [0.731059, 0.5, 0.731059]]).T
    true = np.asarray([[0, 1, 0], [1, 0, 1]]).T
    signs, four = np.asarray([1, -1, 1, 1]), np.asarray([[1.0], [2.0], [3.0], [4.0]])
    margins = np.asarray([0.1, 0.3, 1.0, 1.5])
    canceling = Tolerance(reduction=6, magnitude=1.0)
    flags, scores = np.asarray([True, False, True]), np.asarray([2.0, -1.0, np.pi])

    def compute_entropy(p: Any, y: Any) -> Any:
        return -y * np.log(p) - (1 - y) * np.log(1 - p)

    def smooth_targets(loss: Any, **options: Any) -> Any:
        return lambda y_hat, y: loss(y_hat, losses.label_smoothing(y, 0.2, axis=None), agg=None, **options)

    def pull_back(y_hat: Any, y: Any) -> Any:
        loss, smoothing = losses.BinaryCrossEntropyLoss, losses.BinaryCrossEntropyLoss(label_smoothing=0.1)
        logits = loss(logits=True, label_smoothing=0.1)(y_hat, y) - loss(logits=True)(y_hat, y)
        p = luxport.sigmoid(y_hat)
        return luxport.namespace(logits).stack([logits, smoothing(p, y) - loss()(p, y)])

    return [
        check_loss(
            "binarycrossentropy_smooth",
            89,
            smooth_targets(losses.binarycrossentropy, epsilon=0.0),
            *(p, y),
            compute_entropy(p, smooth),
            subject="binarycrossentropy",
        ),
        check_loss(
            "binarycrossentropy_exact",
            90,
            losses.binarycrossentropy,
            *(p, y),
            compute_entropy(p, y).mean(),
            epsilon=0.0,
        ),
        check_loss("binarycrossentropy", 91, losses.binarycrossentropy, *(p, y), compute_entropy(p, y).mean()),
        check_function(
            "losses.binarycrossentropy_constant",
            cite(FILE, 92),
            lambda y_hat: losses.binarycrossentropy(y_hat, 1),
            np.asarray([0.1, 0.2, 0.9]),
            subject="binarycrossentropy",
            expected=-np.mean(np.log([0.1, 0.2, 0.9])),
        ),
        check_loss(
            "logitbinarycrossentropy_smooth",
            96,
            smooth_targets(losses.logitbinarycrossentropy),
            logits,
            y,
            compute_entropy(p, smooth),
            subject="logitbinarycrossentropy",
        ),
        check_loss(
            "logitbinarycrossentropy", 97, losses.logitbinarycrossentropy, logits, y, compute_entropy(p, y).mean()
        ),
        check_loss(
            "logitbinarycrossentropy_far",
            "definition: log(1 + exp(200)) is 200",
            losses.logitbinarycrossentropy,
            np.asarray([-200.0, 200.0]),
            np.asarray([1.0, 0.0]),
            np.asarray([200.0, 200.0]),
            agg=None,
        ),
        *[
            check_loss(id, DOCS, loss, y_hat, flags, expected, tolerance=DIGITS)
            for id, loss, y_hat, expected in (
                ("BinaryCrossEntropyLoss_logits", losses.BinaryCrossEntropyLoss(logits=True), scores, 0.160832),
                ("BinaryCrossEntropyLoss", losses.BinaryCrossEntropyLoss(), sigmoid(scores), 0.16083185),
            )
        ],
        check_loss(
            "BinaryCrossEntropyLoss_smooth",
            f"{DOCS}BinaryCrossEntropyLoss",
            pull_back,
            scores,
            flags,
            Property("more with smoothing", lambda x: (x > 0).all()),
            subject="BinaryCrossEntropyLoss",
        ),
        check_loss(
            "binary_focal_loss", 175, losses.binary_focal_loss, *(told, true), 0.0728675615927385, tolerance=canceling
        ),
        check_loss(
            "binary_focal_loss_two",
            176,
            losses.binary_focal_loss,
            np.asarray([[0.6, 0.4], [0.3, 0.7]]),
            np.eye(2),
            0.05691642237852222,
            tolerance=Tolerance(reduction=4, magnitude=1.0),
        ),
        check_loss(
            "binary_focal_loss_gamma_0",
            177,
            lambda a, b: losses.binary_focal_loss(a, b, gamma=0.0) - losses.binarycrossentropy(a, b),
            *(told, true),
            0.0,
            subject="binary_focal_loss",
            tolerance=NEAR_ONE,
        ),
        check_loss(
            "binary_focal_loss_sure_and_wrong",
            "luxport: finite where upstream takes the logarithm of -eps",
            losses.binary_focal_loss,
            np.asarray([1.0, 0.0]),
            np.asarray([0, 1]),
            Property("a large finite number", lambda x: 10 < x < 40),
        ),
        check_loss(
            "BinaryFocalLoss", DOCS, losses.BinaryFocalLoss(), *(told, true), 0.0728675615927385, tolerance=canceling
        ),
        check_loss("hinge_loss_none", 122, losses.hinge_loss, four + 4, four, 0.0),
        check_loss("hinge_loss", 123, losses.hinge_loss, four, 0.5 * four, 0.125),
        check_loss("squared_hinge_loss_none", 127, losses.squared_hinge_loss, four + 4, four, 0.0),
        check_loss("squared_hinge_loss", 128, losses.squared_hinge_loss, four, 0.5 * four, 0.0625),
        check_loss("HingeLoss", DOCS, losses.HingeLoss(), margins, signs, 0.55),
        check_loss("SquaredHingeLoss", DOCS, losses.SquaredHingeLoss(), margins, signs, 0.625),
    ]


def _check_pairs() -> list[Case]:
    y, y_hat = np.asarray([[1, 0, 0], [0, 0, 1]]), np.asarray([[0.4, 0.5, 0.1], [0.2, 0.5, 0.3]])
    labels = np.asarray([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]])
    told = softmax(np.reshape(np.arange(-7.0, 8.0), (5, 3)))
    five, true = np.asarray([0.6, 0.4, 0.1, 0.2, 0.7]), np.asarray([1, 0, 0, 1, 1])
    distances = np.asarray([0.5, 1.5, 2.5])
    loss = losses.siamese_contrastive_loss

    def check_pair(line: int, y_hat: Any, y: Any, expected: float, **options: Any) -> Case:
        single = {"tolerance": SINGLE} if y_hat is told else {}
        return check_loss(f"siamese_{line}", line, loss, y_hat, y, expected, **single, **options)

    a, b, c = draw(4, 3), draw(4, 3, seed=1), draw(4, 3, seed=2)
    return [
        check_pair(217, y_hat, y, 0.2333333333333333),
        check_pair(218, y_hat, y, 0.10000000000000002, margin=0.5),
        check_pair(219, y_hat, y, 0.5333333333333333, margin=1.5),
        check_pair(220, told, labels, 0.32554644),
        check_pair(221, told, labels, 0.16271012, margin=0.5),
        check_pair(222, told, labels, 0.6532292, margin=1.5),
        check_pair(223, y_hat, y, 0.2333333333333333, margin=1),
        check_pair(224, y * 1.0, y, 0.0),
        check_pair(225, labels * 1.0, labels, 0.0),
        check_pair(226, y_hat, y, 0.09166666666666667, margin=0),
        check_pair(227, told, labels, 0.13161165, margin=0),
        check_pair(228, five, true, 0.21200000000000005),
        check_pair(229, five, five, 0.18800000000000003),
        check_loss(
            "SiameseContrastiveLoss", DOCS, losses.SiameseContrastiveLoss(), distances, [1, 2, 3], -4.833333333333333
        ),
        check_loss(
            "SiameseContrastiveLoss_2", DOCS, losses.SiameseContrastiveLoss(margin=2), distances, [1, 2, 3], -4.0
        ),
        check_loss(
            "cosine_similarity_loss",
            "definition: 1 - cos of the angle",
            losses.cosine_similarity_loss,
            a,
            b,
            1 - np.sum(a * b, axis=-1) / np.sqrt(np.sum(a * a, axis=-1) * np.sum(b * b, axis=-1)),
            agg=None,
        ),
        check_function(
            "losses.triplet_margin_loss",
            ("definition: max(0, d(anchor, positive) - d(anchor, negative) + margin)",),
            lambda a, b, c: losses.triplet_margin_loss(a, b, c, agg=None, margin=0.5),
            a,
            b,
            c,
            subject="triplet_margin_loss",
            expected=np.maximum(0, np.linalg.norm(a - b + 1e-6, axis=-1) - np.linalg.norm(a - c + 1e-6, axis=-1) + 0.5),
            tolerance=Tolerance(reduction=6),
        ),
    ]


CASES: list[Case] = [*_check_two_classes(), *_check_pairs()]
