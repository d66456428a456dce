"""Cases of losses for regression and segmentation, and of the functions that losses are built from."""

from __future__ import annotations

import numpy as np

import luxport
from luxport import losses, ops
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_function, cite, draw
from luxport_conformance.cases.losses.common import DIGITS, DOCS, FILE, NEAR_ONE, check_loss
from luxport_conformance.compare import Tolerance


def _check_numbers() -> list[Case]:
    y, y_hat = np.asarray([1, 1, 0, 0]), np.asarray([0.9, 0.1, 0.1, 0.9])
    three, around = np.asarray([1, 2, 3]), np.asarray([1.1, 1.9, 3.1])
    measured, told = np.asarray([123.0, 456.0, 789.0]), np.asarray([345.0, 332.0, 789.0])
    row, above = np.asarray([[0.1], [0.2], [0.3]]), np.asarray([[0.4], [0.5], [0.6]])
    return [
        check_loss("mse", 23, losses.mse, y_hat, y, (0.1**2 + 0.9**2) / 2),
        check_loss("mse_complex", 26, losses.mse, np.asarray(0j), np.asarray(1 + 1j), 2.0),
        check_loss("mae", 30, losses.mae, y_hat, y, 0.5),
        check_loss(
            "mae_complex", "definition: |y_hat - y|", losses.mae, np.asarray([0j, 3j]), np.asarray([3 + 4j, 0]), 4.0
        ),
        check_loss("huber_loss", 34, losses.huber_loss, y_hat, y, 0.20500000000000002),
        check_loss("msle", 40, losses.msle, told, measured, 0.38813985859136585),
        check_loss("poisson_loss", 135, losses.poisson_loss, above, row, 0.6278353988097339),
        check_loss("poisson_loss_of_equal", 136, losses.poisson_loss, row, row, 0.5044459776946685),
        check_loss("sum", f"{DOCS}MAELoss", losses.mae, around, three, 0.3, agg="sum"),
        check_loss(
            "not_aggregated", f"{DOCS}MSELoss", losses.mse, around, three, [0.01] * 3, agg=None, tolerance=NEAR_ONE
        ),
        check_loss(
            "own_aggregation",
            "lux: agg is any function",
            losses.mse,
            around * 1.0,
            three,
            0.01,
            tolerance=NEAR_ONE,
            agg=lambda x: luxport.namespace(x).max(x),
        ),
        check_loss("MSELoss", DOCS, losses.MSELoss(), around, three, 0.01, tolerance=NEAR_ONE),
        check_loss("L2Loss", f"{DOCS}MSELoss", losses.L2Loss(agg="sum"), around, three, 0.03, tolerance=NEAR_ONE),
        check_loss("MAELoss", DOCS, losses.MAELoss(), around, three, 0.1, tolerance=Tolerance(magnitude=3.0)),
        check_loss("HuberLoss", DOCS, losses.HuberLoss(), around, three, 0.005, tolerance=NEAR_ONE),
        check_loss("HuberLoss_delta", DOCS, losses.HuberLoss(delta=0.05), around, three, 0.00375),
        check_loss("MSLELoss_above", DOCS, losses.MSLELoss(), 1.1 * three, three, 0.009084041, tolerance=DIGITS),
        check_loss("MSLELoss_below", DOCS, losses.MSLELoss(), 0.9 * three, three, 0.011100831, tolerance=DIGITS),
        check_loss("PoissonLoss", DOCS, losses.PoissonLoss(), np.asarray([1.0, 3.0, 3.0]), three, 0.502312852219817),
        check_loss(
            "GenericLossFunction",
            DOCS,
            losses.GenericLossFunction(lambda y_hat, y: (y_hat - y) * (y_hat - y)),
            around,
            three,
            0.01,
            tolerance=NEAR_ONE,
        ),
        check_function(
            "losses.gaussian_nll",
            ("definition: the negative logarithm of the normal density",),
            lambda y_hat, y, v: losses.gaussian_nll(y_hat, y, v, full=True, agg=None),
            np.asarray([0.0, 1.0, 2.0]),
            np.asarray([0.5, -1.0, 2.0]),
            np.asarray([1.0, 4.0, 0.0]),
            subject="gaussian_nll",
            expected=lambda y_hat, y, v: (
                -np.log(
                    np.exp(-((y_hat - y) ** 2) / (2 * np.maximum(v, 1e-6))) / np.sqrt(2 * np.pi * np.maximum(v, 1e-6))
                )
            ),
        ),
    ]


def _check_regions() -> list[Case]:
    y, y_hat = np.asarray([[1.0], [0.5], [0.3], [2.4]]), np.asarray([[0.0], [1.4], [0.5], [1.2]])
    three, above = np.asarray([1, 2, 3]), np.asarray([1.1, 2.1, 3.1])
    canceling = Tolerance(reduction=3, magnitude=1.0)
    return [
        check_loss("dice_coeff_loss", 143, losses.dice_coeff_loss, y_hat, y, 0.2799999999999999),
        check_loss("dice_coeff_loss_of_equal", 144, losses.dice_coeff_loss, y, y, 0.0, tolerance=canceling),
        check_loss("tversky_loss", 148, losses.tversky_loss, y_hat, y, -0.06772009029345383, tolerance=canceling),
        check_loss(
            "tversky_loss_beta", 149, losses.tversky_loss, y_hat, y, -0.09490740740740744, beta=0.8, tolerance=canceling
        ),
        check_loss(
            "tversky_loss_of_equal",
            150,
            losses.tversky_loss,
            y,
            y,
            -0.5576923076923075,
            tolerance=Tolerance(reduction=8),
        ),
        check_loss(
            "DiceCoeffLoss", DOCS, losses.DiceCoeffLoss(), above, three, 0.000992391663909964, tolerance=canceling
        ),
        check_loss(
            "DiceCoeffLoss_sample",
            DOCS,
            losses.DiceCoeffLoss(),
            above[None],
            three[None],
            0.000992391663909964,
            tolerance=canceling,
        ),
        check_loss(
            "DiceCoeffLoss_samples",
            "lux: one loss per sample",
            losses.DiceCoeffLoss(agg=None),
            draw(2, 3, 2),
            draw(2, 3, 2, seed=1),
            lambda a, b: 1 - (2 * (a * b).sum((1, 2)) + 1) / ((a**2).sum((1, 2)) + (b**2).sum((1, 2)) + 1),
        ),
    ]


def _check_xlog() -> list[Case]:
    nan = np.nan
    return [
        check_function(
            "losses.xlogx",
            cite(FILE, 3, 4, 5),
            ops.xlogx,
            [0.0, nan, 2.0],
            subject="xlogx",
            expected=[0.0, nan, 2 * np.log(2.0)],
        ),
        check_function(
            "losses.xlogy",
            cite(FILE, 9, 10, 11, 12, 13),
            ops.xlogy,
            [0.0, nan, 1.0, nan, 2.0],
            [1.0, 1.0, nan, nan, 3.0],
            subject="xlogy",
            expected=[0.0, nan, nan, nan, 2 * np.log(3.0)],
        ),
        check_function(
            "losses.label_smoothing",
            cite(FILE, 103),
            lambda y: losses.label_smoothing(y, 0.2),
            [[0.0, 1.0]],
            subject="label_smoothing",
            expected=[[0.1, 0.9]],
        ),
        check_function(
            "losses.label_smoothing_four",
            ("definition: (1 - alpha) y + alpha / K",),
            lambda y: losses.label_smoothing(y, 0.2),
            [[0.0, 1.0, 0.0, 0.0]],
            subject="label_smoothing",
            expected=[[0.05, 0.85, 0.05, 0.05]],
        ),
        check_function(
            "losses.PoissonLoss_of_nothing",
            ("lux: PoissonLoss adds the epsilon of the dtype to what it takes the logarithm of",),
            losses.PoissonLoss(),
            *([0.0, 1.0], [1.0, 1.0]),
            subject="PoissonLoss",
            expected=(52 * np.log(2.0) + 1.0) / 2,
            dtypes=("float64",),
        ),
        check_function(
            "losses.label_smoothing_two",
            cite(FILE, 104),
            lambda y: losses.label_smoothing(y, 0.2, axis=None),
            [[0.0, 1.0, 1.0]],
            subject="label_smoothing",
            expected=[[0.1, 0.9, 0.9]],
        ),
    ]


CASES: list[Case] = [*_check_numbers(), *_check_regions(), *_check_xlog()]
