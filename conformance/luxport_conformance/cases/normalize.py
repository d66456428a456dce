"""Cases of `BatchNorm`."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import BatchNorm, relu, sigmoid
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_error, check_fact, check_output, check_program, cite, draw, set_up
from luxport_conformance.compare import Tolerance

FILE = "flux:layers/normalisation.jl"
FIVE_DECIMALS = Tolerance(reduction=3, rounding=1e-5, reason="upstream gives five decimals and asks for atol=1e-5")
ONE, TWO = BatchNorm(1), BatchNorm(2)
TWO_PS, TWO_ST = set_up(TWO)
THREE_ROWS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


def _normalize_columns(x: Any, ps: Any, st: Any) -> Any:
    """Compute batch normalization as a normalization of the columns of a matrix (values, channels)."""
    matrix = np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])
    columns = [(column - column.mean()) / np.sqrt(column.var() + 1e-5) for column in matrix.T]
    return np.moveaxis(np.stack(columns, axis=-1).reshape(*x.shape[:1], *x.shape[2:], -1), -1, 1)


def _check_axes(lines: int, *shape: int) -> Case:
    count = int(np.prod(shape))
    return check_output(
        f"batch_norm.train_{len(shape)}d",
        cite(FILE, lines),
        BatchNorm(2),
        np.arange(1.0, count + 1).reshape(shape),
        training=True,
        y=_normalize_columns,
        tolerance=Tolerance(reduction=count),
    )


RELU_FIVE = BatchNorm(5, relu)
_, TRAINING = set_up(RELU_FIVE)


def _compute_slopes_both_ways(x: Any, direction: Any, ps: Any, st: Any) -> Any:
    """Return the gradient of the sum of squared outputs, and its forward-mode derivative along a direction."""

    def sum_squares(x: Any) -> Any:
        y, _ = RELU_FIVE(x, ps, st)
        return luxport.namespace(y).sum(y**2)

    return {"backwards": luxport.grad(sum_squares)(x), "forwards": luxport.jvp(sum_squares, (x,), (direction,))[1]}


def _expect_slopes(x: Any, direction: Any, ps: Any, st: Any) -> Any:
    deviation = np.sqrt(x.var(0) + 1e-5)
    normed = (x - x.mean(0)) / deviation
    dy = 2 * np.maximum(normed, 0)
    slopes = (dy - dy.mean(0) - normed * (dy * normed).mean(0)) / deviation
    return {"backwards": slopes, "forwards": np.sum(slopes * direction)}


ONE_VALUE = r"BatchNorm expects more than one value per channel in training, got \(1, 1\)"

CASES: list[Case] = [
    check_program(
        "batch_norm.slopes_both_ways",
        cite(FILE, 481),
        _compute_slopes_both_ways,
        {
            "x": draw(3, 5, seed=2),
            "direction": draw(3, 5, seed=3),
            "ps": {"scale": np.ones(5), "bias": np.zeros(5)},
            "st": TRAINING,
        },
        expected=_expect_slopes,
        differentiates=True,
        # The gradients are sums of much larger terms that cancel.
        tolerance=Tolerance(reduction=15, magnitude=4.0),
    ),
    check_fact("batch_norm.parameters", cite(FILE, 129, 128), lambda: list(TWO_PS) == ["bias", "scale"]),
    check_fact("batch_norm.initial_bias", cite(FILE, 131), lambda: TWO_PS["bias"].tolist() == [0.0, 0.0]),
    check_fact("batch_norm.initial_scale", cite(FILE, 132), lambda: TWO_PS["scale"].tolist() == [1.0, 1.0]),
    check_output(
        "batch_norm.train",
        cite(FILE, 137),
        TWO,
        THREE_ROWS,
        training=True,
        y=[[-1.22474, -1.22474], [0.0, 0.0], [1.22474, 1.22474]],
        tolerance=FIVE_DECIMALS,
    ),
    *[
        check_output(
            f"batch_norm.{name}",
            cite(FILE, line),
            TWO,
            THREE_ROWS,
            training=True,
            state={name: value},
            tolerance=Tolerance(reduction=3),
        )
        for name, line, value in (
            ("running_mean", 150, [0.3, 0.4]),
            ("running_var", 156, [1.3, 1.3]),  # the number is in upstream's comment at line 154
        )
    ],
    check_program(
        "batch_norm.test_after_train",
        cite(FILE, 159),
        lambda x, ps, st: _train_then_test(x, ps, st)[0, 0],
        {"x": np.array(THREE_ROWS), "ps": TWO_PS, "st": TWO_ST},
        expected=(1 - 0.3) / np.sqrt(1.3),
        tolerance=FIVE_DECIMALS,
    ),
    check_error("batch_norm.one_value", cite(FILE, 178), ONE, np.zeros((1, 1)), training=True, message=ONE_VALUE),
    Case(
        id="batch_norm.one_value_gradient",
        subject="BatchNorm",
        source=cite(FILE, 179),
        program=lambda x, ps, st: luxport.grad(lambda ps: luxport.namespace(x).sum(ONE(x, ps, st)[0]))(ps),
        inputs={"x": np.zeros((1, 1)), "ps": set_up(ONE)[0], "st": set_up(ONE)[1]},
        raises=luxport.LayerError,
        message=ONE_VALUE,
        differentiates=True,
        dtypes=("float32",),
    ),
    check_output(
        "batch_norm.one_sample",
        cite(FILE, 180),
        BatchNorm(1),
        [[[0.0, 1.0, 2.0, 3.0]]],
        training=True,
        y=_normalize_columns,
        tolerance=Tolerance(reduction=4),
    ),
    check_output("batch_norm.test_one_value", cite(FILE, 184), ONE, np.zeros((1, 1)), y=np.zeros((1, 1))),
    check_output(
        "batch_norm.sigmoid",
        cite(FILE, 191),
        BatchNorm(2, sigmoid),
        THREE_ROWS,
        y=lambda x, ps, st: 1 / (1 + np.exp(-(x - st["running_mean"]) / np.sqrt(st["running_var"] + 1e-5))),
    ),
    _check_axes(204, 1, 2, 3),
    _check_axes(211, 1, 2, 3, 2),
    _check_axes(218, 1, 2, 3, 2, 2),
    *[
        check_fact(f"batch_norm.{name}", cite(FILE, line), lambda layer=layer: len(set_up(layer)[0]), count)
        for name, line, layer, count in (
            ("two_parameters", 228, BatchNorm(10), 2),
            ("affine", 229, BatchNorm(10, affine=True), 2),
            ("not_affine", 230, BatchNorm(10, affine=False), 0),
        )
    ],
    check_output(
        "batch_norm.momentum",
        ("lux: running = (1 - momentum) running + momentum batch, variance unbiased",),
        BatchNorm(3, momentum=0.25),
        draw(8, 3),
        training=True,
        state={
            "running_mean": 0.25 * draw(8, 3).mean(0),
            "running_var": 0.75 + 0.25 * draw(8, 3).var(0, ddof=1),
            "training": luxport.Static(True),
        },
        tolerance=Tolerance(reduction=8, magnitude=1.0),
    ),
    check_output(
        "batch_norm.epsilon_in_the_root",
        ("definition: (x - mean) / sqrt(var + epsilon)",),
        BatchNorm(2, epsilon=0.5, affine=False),
        THREE_ROWS,
        training=True,
        y=lambda x, ps, st: (x - x.mean(0)) / np.sqrt(x.var(0) + 0.5),
        tolerance=Tolerance(reduction=3),
    ),
]


def _train_then_test(x: Any, ps: Any, st: Any) -> Any:
    _, st = TWO(x, ps, luxport.train_mode(st))
    return TWO(x, ps, luxport.test_mode(st))[0]
