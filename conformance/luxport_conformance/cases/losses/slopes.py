"""Cases of gradients of losses at special numbers, and of the dtypes of losses and gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import luxport
from luxport import losses, ops
from luxport.backend import dtype_name
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import check_gradient, check_program, cite, draw
from luxport_conformance.cases.losses.common import FILE, bind_options
from luxport_conformance.compare import Tolerance

# Made outside of the programs: PyTorch's compiler cannot trace the construction of a layer.
_OBJECTIVE, _MODEL = losses.MSELoss(), luxport.Dense(3, 2)

ALL: tuple[Callable[..., Any], ...] = (
    *(losses.mse, losses.mae, losses.msle, losses.crossentropy, losses.logitcrossentropy, losses.binarycrossentropy),
    *(losses.logitbinarycrossentropy, losses.kldivergence, losses.huber_loss, losses.tversky_loss),
    *(losses.dice_coeff_loss, losses.poisson_loss, losses.hinge_loss, losses.squared_hinge_loss),
    *(losses.binary_focal_loss, losses.focal_loss, losses.siamese_contrastive_loss, losses.cosine_similarity_loss),
)
"""The losses in Flux's list of all losses, and luxport's losses with the same arguments."""


def _compare_dtypes(transform: Callable[..., Any], y_hat: Any, y: Any) -> dict[str, bool]:
    return {f.__name__: dtype_name(transform(f)(y_hat, y)) == dtype_name(y_hat) for f in ALL}


def _check_slopes() -> list[Case]:
    def make_sum(loss: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arrays: loss(*arrays, agg="sum")

    def make_total(operation: Callable[..., Any]) -> Callable[..., Any]:
        def sum_up(*arrays: Any) -> Any:
            y = operation(*arrays)
            return luxport.namespace(y).sum(y)

        return sum_up

    def check_slope(id: str, why: str, loss: Any, y_hat: Any, y: Any, expected: Any, **options: Any) -> Case:
        inputs = {"y_hat": np.asarray(y_hat), "y": np.asarray(y)}
        source = (f"derivative: {why}",)
        return check_gradient(
            f"losses.gradient_{id}", source, make_sum(loss), inputs, subject=loss.__name__, expected=expected, **options
        )

    signs = np.asarray([1.0, -1.0, 1.0, -1.0])
    scores = np.asarray([0.5, -0.25, 2.0, 3.0])
    violated = scores * signs < 1
    vectors = np.asarray([[0.0, 0.0], [1.0, 0.0]])
    xlog = ("lux: xlogx and xlogy are 0 at 0, and so is their slope",)
    return [
        check_gradient(
            "losses.gradient_xlogx",
            xlog,
            make_total(ops.xlogx),
            {"x": np.asarray([0.0, 2.0])},
            subject="xlogx",
            expected=[0.0, np.log(2.0) + 1],
        ),
        check_gradient(
            "losses.gradient_xlogy",
            xlog,
            make_total(ops.xlogy),
            {"x": np.asarray([0.0, 2.0, 0.0]), "y": np.asarray([0.0, 3.0, 5.0])},
            subject="xlogy",
            expected=([0.0, np.log(3.0), 0.0], [0.0, 2 / 3, 0.0]),
            wrt=(0, 1),
        ),
        check_slope("hinge", "-y where y_hat y < 1", losses.hinge_loss, scores, signs, np.where(violated, -signs, 0)),
        check_slope(
            "squared_hinge",
            "-2 y (1 - y_hat y) where y_hat y < 1",
            losses.squared_hinge_loss,
            scores,
            signs,
            np.where(violated, -2 * signs * (1 - scores * signs), 0),
        ),
        check_slope(
            "huber",
            "d up to delta, its sign beyond",
            losses.huber_loss,
            [0.0, 0.5, -3.0],
            np.zeros(3),
            [0.0, 0.5, -1.0],
        ),
        check_slope(
            "crossentropy",
            "-y / y_hat, 0 where y is 0",
            bind_options(losses.crossentropy, epsilon=0.0),
            [[0.0, 0.25]],
            [[0.0, 1.0]],
            [[0.0, -4.0]],
        ),
        check_slope("poisson", "1 - y / y_hat", losses.poisson_loss, [0.0, 2.0], [0.0, 4.0], [1.0, -1.0]),
        check_slope(
            "focal_sure",
            "0 where the class is certain",
            losses.focal_loss,
            [[1.0, 0.0]],
            [[1.0, 0.0]],
            Property("about 0", lambda x: np.abs(x).max() < 1e-4),
        ),
        check_slope(
            "focal_gamma_0",
            "-y / y_hat",
            bind_options(losses.focal_loss, gamma=0, epsilon=0.0),
            [[0.5, 0.5]],
            [[1.0, 0.0]],
            [[-2.0, 0.0]],
        ),
        check_slope(
            "cosine_of_zero",
            "finite at a zero vector",
            losses.cosine_similarity_loss,
            vectors,
            vectors,
            Property("finite numbers", lambda x: np.isfinite(x).all()),
        ),
        check_slope(
            "sparse",
            "softmax minus one-hot",
            losses.sparse_logitcrossentropy,
            [[0.0, np.log(3.0)]] * 2,
            np.asarray([1, 1], np.int32),
            [[0.25, -0.25]] * 2,
        ),
        check_slope(
            "ignored",
            "0 for a label that is ignored",
            bind_options(losses.sparse_logitcrossentropy, ignore_index=-1),
            [[0.0, np.log(3.0)]] * 2,
            np.asarray([-1, 1], np.int32),
            [[0.0, 0.0], [0.25, -0.25]],
        ),
        check_gradient(
            "losses.gradient_triplet_of_equal",
            ("derivative: finite where points coincide",),
            losses.triplet_margin_loss,
            {name: np.ones((2, 3)) for name in ("anchor", "positive", "negative")},
            subject="triplet_margin_loss",
            expected=tuple([Property("finite numbers", lambda x: np.isfinite(x).all())] * 3),
            wrt=(0, 1, 2),
        ),
        check_gradient(
            "losses.objective",
            ("lux: loss(model, ps, st, (x, y)) is an objective of training",),
            lambda ps, x, y: _OBJECTIVE(_MODEL, ps, {}, (x, y))[0],
            {"ps": {"weight": draw(3, 2), "bias": draw(2)}, "x": draw(4, 3), "y": draw(4, 2, seed=1)},
            subject="MSELoss",
            expected=lambda ps, x, y: {
                "weight": x.T @ (x @ ps["weight"] + ps["bias"] - y) / 4,
                "bias": (x @ ps["weight"] + ps["bias"] - y).sum(axis=0) / 4,
            },
            tolerance=Tolerance(reduction=16),
        ),
    ]


_TWO = {"y_hat": np.asarray([0.25, 0.75]), "y": np.asarray([0.5, 0.125])}

CASES: list[Case] = [
    *_check_slopes(),
    *[
        check_program(
            f"losses.dtypes{of}",
            cite(FILE, line),
            partial(_compare_dtypes, transform),
            _TWO,
            subject="mse",
            expected={f.__name__: True for f in ALL},
            compiles=False,
            differentiates=bool(of),
        )
        for of, line, transform in (("", 159, lambda f: f), ("_of_gradients", 160, luxport.grad))
    ],
]
