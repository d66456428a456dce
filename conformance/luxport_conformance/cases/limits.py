"""Cases of values and gradients of activations and losses at infinity and at the largest finite numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import luxport
from luxport import losses, ops
from luxport.backend import dtype_name
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.activations import ELEMENTWISE
from luxport_conformance.cases.declare import check_program

INF = math.inf
SELU, SELU_LIMIT = 1.0507009873554805, -1.7580993408473766  # selu's scale, and minus its scale times its alpha

# The limits at -inf and at inf: a number, where the slope tends to 0, or the slope of an asymptote through 0.
TAILS: dict[str, tuple[tuple[str, float], tuple[str, float]]] = {
    **dict.fromkeys(("relu", "trelu", "softplus", "hardswish"), (("number", 0.0), ("slope", 1.0))),
    **dict.fromkeys(("gelu", "gelu_tanh", "gelu_sigmoid", "gelu_erf"), (("number", 0.0), ("slope", 1.0))),
    **dict.fromkeys(("swish", "mish"), (("number", 0.0), ("slope", 1.0))),
    **dict.fromkeys(("sigmoid", "hardsigmoid"), (("number", 0.0), ("number", 1.0))),
    **dict.fromkeys(("tanh", "hardtanh", "softsign", "erf"), (("number", -1.0), ("number", 1.0))),
    **dict.fromkeys(("elu", "celu"), (("number", -1.0), ("slope", 1.0))),
    **dict.fromkeys(("tanhshrink", "softshrink"), (("slope", 1.0), ("slope", 1.0))),
    **dict.fromkeys(("lisht", "logcosh"), (("slope", -1.0), ("slope", 1.0))),
    "relu6": (("number", 0.0), ("number", 6.0)),
    "selu": (("number", SELU_LIMIT), ("slope", SELU)),
    "leakyrelu": (("slope", 0.01), ("slope", 1.0)),
    "logsigmoid": (("slope", 1.0), ("number", 0.0)),
}
if missing := {name for name in ELEMENTWISE if not name.endswith("_fast") and name != "thresholdrelu"} - TAILS.keys():
    raise AssertionError(f"limits of {missing} are missing")

# The larger numbers overflow to infinity in float16.
POINTS = np.array([-INF, -3e38, -1e20, -4e4, 4e4, 1e20, 3e38, INF, math.nan])
FIRST_FINITE = {"float16": 3, "bfloat16": 1, "float32": 1, "float64": 1}


def _compute_values_and_slopes(x: Any) -> Any:
    xp = luxport.namespace(x)

    def compute_all_three(name: str, x: Any) -> Any:
        f = getattr(ops, name)

        def compute_slope(x: Any) -> Any:
            return luxport.grad(lambda x: xp.sum(f(x)))(x)

        return {
            "value": f(x),
            "slope": compute_slope(x),
            "curvature": luxport.grad(lambda x: xp.sum(compute_slope(x)))(x),
        }

    # Finite inputs are checked apart, as a backend may compute them by another branch.
    finite = x[FIRST_FINITE[dtype_name(x)] : -1 - FIRST_FINITE[dtype_name(x)]]
    return {name: (compute_all_three(name, x), compute_all_three(name, finite)) for name in TAILS}


def _compute_values(x: Any) -> Any:
    return {name: {"value": getattr(ops, name)(x)} for name in TAILS}


def _make_expected_limits(slopes: bool) -> Any:
    def expected(x: Any) -> Any:
        if not slopes:
            return {name: _expect_tail(name, x) for name in TAILS}
        finite = x[np.isfinite(x.astype(np.float32))]
        return {name: (_expect_tail(name, x, slopes=True), _expect_tail(name, finite, slopes=True)) for name in TAILS}

    return expected


def _expect_tail(name: str, x: Any, slopes: bool = False) -> Any:
    x = x[~np.isnan(x)]
    tails = [TAILS[name][int(at > 0)] for at in x]
    with np.errstate(over="ignore"):
        values = [number if kind == "number" else number * at for (kind, number), at in zip(tails, x, strict=True)]
    wanted = {"value": _expect_near([*values, math.nan])}
    if slopes:
        wanted["slope"] = _expect_near([0.0 if kind == "number" else number for kind, number in tails])
        wanted["curvature"] = _expect_near([0.0] * len(x))
    return wanted


def _expect_near(wanted: list[float]) -> Property:
    """Return the property that each number is right relative to its own size; numbers that overflow are infinite.

    The tolerances are about the eps of bfloat16, 8e-3, and half of it: these cases check limits, not accuracy.
    """

    def holds(y: Any) -> bool:
        most = float(np.finfo(y.dtype).max)
        limits = np.array([math.copysign(INF, at) if abs(at) > 1.02 * most else at for at in wanted])
        return np.allclose(y[: len(wanted)], limits[: len(y)], rtol=1e-2, atol=4e-3, equal_nan=True)

    return Property(f"{wanted}", holds)


def _compute_slopes_of_prelu(x: Any, weight: Any) -> Any:
    xp = luxport.namespace(x)
    by_x, by_weight = luxport.grad(lambda x, weight: xp.sum(luxport.PReLU()(x, {"weight": weight}, {})[0]), (0, 1))(
        x, weight
    )
    return {"x": by_x, "weight": by_weight}


def _compute_gradients_of_sums(x: Any, weight: Any, bias: Any, i: Any) -> Any:
    xp = luxport.namespace(x)

    def sum_rows(table: Any) -> Any:
        return xp.sum(xp.astype(ops.embedding(table, i), xp.float32))

    by_weight, by_bias = luxport.grad(
        lambda weight, bias: xp.sum(xp.astype(ops.dense(x, weight, bias), xp.float32)), (0, 1)
    )(weight, bias)
    return {"weight": by_weight, "bias": by_bias, "table": luxport.grad(sum_rows)(weight)}


def _compute_losses_at_their_edges(x: Any, y: Any) -> Any:
    return _compute_value_and_slope(lambda x: losses.logitbinarycrossentropy(x, y, agg="sum"), x)


def _compute_value_and_slope(f: Any, x: Any) -> Any:
    value, slope = luxport.value_and_grad(f)(x)
    return {"value": value, "slope": slope}


def _compute_losses_far_away(x: Any, small: Any) -> Any:
    def compute_both(loss: Any, x: Any) -> Any:
        return _compute_value_and_slope(lambda x: loss(x, agg="sum"), x)

    at_infinity, huge = x[:2], x[2:3]
    largest, one = 128.0 * huge, 0.0 * huge + 1.0
    xp = luxport.namespace(x)
    return {
        "huber": compute_both(lambda x, agg: losses.huber_loss(x, 0.0, agg=agg), at_infinity),
        "msle": compute_both(lambda x, agg: losses.msle(x, 1.0, agg=agg), at_infinity[:1]),
        "poisson": compute_both(lambda x, agg: losses.poisson_loss(x, 3.0, agg=agg), at_infinity[:1]),
        "siamese, apart": compute_both(
            lambda x, agg: losses.siamese_contrastive_loss(x, 1.0, agg=agg), at_infinity[:1]
        ),
        "siamese, one": compute_both(lambda x, agg: losses.siamese_contrastive_loss(x, 0.0, agg=agg), -at_infinity[:1]),
        "msle, huge": compute_both(lambda x, agg: losses.msle(x, small, agg=agg, epsilon=0.0), huge),
        "msle, distant": compute_both(lambda x, agg: losses.msle(x, largest, agg=agg, epsilon=0.0), 128.0 * one),
        "gaussian, huge": compute_both(lambda v, agg: losses.gaussian_nll(huge, huge / 2.0, v, agg=agg), huge),
        "gaussian, no end": compute_both(lambda v, agg: losses.gaussian_nll(huge, 0.0, v, agg=agg), at_infinity[:1]),
        "dice, huge": compute_both(lambda x, agg: losses.dice_coeff_loss(x, 1.0, agg=agg), huge),
        "tversky, huge": compute_both(
            lambda x, agg: losses.tversky_loss(x, 1.0, agg=agg), xp.concat([largest, largest, -largest])
        ),
        "cosine, below epsilon": compute_both(
            lambda x, agg: losses.cosine_similarity_loss(x, xp.concat([one, one]), agg=agg, epsilon=SMALL),
            xp.concat([one / huge, 0.0 * one]),
        ),
        "poisson, by the label": compute_both(
            lambda y, agg: losses.poisson_loss(at_infinity[:1], y, agg=agg), 3.0 * one
        ),
        "hinge, by the label": compute_both(lambda y, agg: losses.hinge_loss(at_infinity[:1], y, agg=agg), one),
    }


def _compute_slopes_of_logarithms(x: Any) -> Any:
    xp = luxport.namespace(x)
    return {
        "xlogx": luxport.grad(lambda x: xp.sum(ops.xlogx(x)))(x),
        "xlogy": luxport.grad(lambda y: xp.sum(ops.xlogy(x, y)))(x),
    }


def _compute_losses_of_logits_apart(x: Any, shares: Any, labels: Any) -> Any:
    """Return values and slopes of losses of finite logits, of which some differ by more than the largest number."""
    scale = 2.0**1016 if dtype_name(x) == "float64" else 2.0**120

    def compute_both(loss: Any) -> Any:
        return _compute_value_and_slope(lambda x: loss(x * scale) / scale, x)

    f = losses.sparse_logitcrossentropy
    return {
        "of shares": compute_both(lambda x: losses.logitcrossentropy(x, shares, agg="sum")),
        "mean": compute_both(lambda x: f(x, labels)),
        "weighted": compute_both(lambda x: f(x, labels, class_weights=(0.25, 0.25), agg="sum")),
        "smoothed": compute_both(lambda x: f(x, 1 - labels, label_smoothing=0.5)),
        "ignored": compute_both(lambda x: f(x, labels, ignore_index=2)),
    }


# The dtypes with at least the range of float32, and all dtypes.
LARGE: dict[str, Any] = {"dtypes": ("float32", "bfloat16", "float64"), "differentiates": True}
ALL: dict[str, Any] = {"dtypes": ("float16", "bfloat16", "float32", "float64"), "differentiates": True}
HUGE, SMALL = 2.0**120, 2.0**-20
FLAT = Property("less than float32 holds", lambda slope: bool((np.abs(slope) < 2.0**-126).all()))
LOG2 = math.log(2.0)
LOG = 140 * LOG2

ONE_APART = {"value": np.array(120.0), "slope": np.array([[0.25, -0.25], [0, 0], [0, 0], [0, 0]])}

CASES: list[Case] = [
    *(
        check_program(
            f"activations.{name}",
            ("mathematics: the limits of the formulas",),
            program,
            {"x": POINTS},
            expected=_make_expected_limits(differentiates),
            dtypes=("float16", "float32", "float64", "bfloat16"),
            differentiates=differentiates,
        )
        for name, program, differentiates in (
            ("limits", _compute_values, False),
            ("limits_and_slopes", _compute_values_and_slopes, True),
        )
    ),
    check_program(
        "halves.gradients_of_what_is_spread",
        ("arithmetic: a sum of 5,000 ones, which half types cannot count to one by one",),
        _compute_gradients_of_sums,
        {"x": np.ones((5000, 1)), "weight": np.ones((1, 1)), "bias": np.ones(1), "i": np.zeros(5000, np.int32)},
        subject="Dense",
        expected={"weight": np.full((1, 1), 5000.0), "bias": np.full(1, 5000.0), "table": np.full((1, 1), 5000.0)},
        dtypes=("bfloat16", "float16", "float32"),
        differentiates=True,
    ),
    check_program(
        "prelu.slope_beside_infinities",
        ("K. He et al. (2015), eq. (9): the weight's slope is the sum of what is not above 0",),
        _compute_slopes_of_prelu,
        {"x": np.array([INF, -2.0, 3.0]), "weight": np.array([0.25])},
        expected={"x": np.array([1.0, 0.25, 1.0]), "weight": np.array([-2.0])},
        **ALL,
    ),
    check_program(
        "losses.far_away",
        ("mathematics: the limits of the formulas, and their values where a square or a quotient overflows",),
        _compute_losses_far_away,
        {"x": np.array([INF, -INF, HUGE]), "small": np.array([SMALL])},
        expected={
            "huber": {"value": np.array(INF), "slope": np.array([1.0, -1.0])},
            "msle": {"value": np.array(INF), "slope": np.array([0.0])},
            "poisson": {"value": np.array(INF), "slope": np.array([1.0])},
            "siamese, apart": {"value": np.array(0.0), "slope": np.array([0.0])},
            "siamese, one": {"value": np.array(INF), "slope": np.array([-INF])},
            "msle, huge": {"value": np.array(LOG**2), "slope": np.array([2 * LOG / HUGE])},
            "msle, distant": {"value": np.array((120 * LOG2) ** 2), "slope": np.array([-240 * LOG2 / 128])},
            "dice, huge": {"value": np.array(1.0), "slope": FLAT},
            "tversky, huge": {"value": np.array(1 - 1 / 0.7), "slope": FLAT},
            "cosine, below epsilon": {"value": np.array(1.0), "slope": np.array([-1.0, -1.0]) / SMALL / math.sqrt(2.0)},
            "poisson, by the label": {"value": np.array(INF), "slope": np.array([-INF])},
            "hinge, by the label": {"value": np.array(0.0), "slope": np.array([0.0])},
            "gaussian, no end": {"value": np.array(INF), "slope": np.array([0.0])},
            "gaussian, huge": {"value": np.array((math.log(HUGE) + HUGE / 4) / 2), "slope": np.array([-0.125])},
        },
        **LARGE,
    ),
    check_program(
        "losses.logits_apart",
        ("mathematics: -sum(y log softmax(x)), where softmax is 1 for the larger of two",),
        _compute_losses_of_logits_apart,
        {
            # In units in which the largest number is 256, the first logits differ by 480; the label is the smaller one.
            "x": np.array([[240.0, -240.0], [160.0, 32.0], [192.0, 160.0], [3.0, 1.0]]),
            "shares": np.array([[0.75, 0.25], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]),
            "labels": np.array([1, 0, 0, 0], np.int32),
        },
        expected={
            "of shares": ONE_APART,
            "mean": ONE_APART,
            "weighted": ONE_APART,
            "smoothed": {
                "value": np.array((0.25 * 480 + 0.75 * (128 + 32 + 2)) / 4),
                "slope": np.array([[0.25, -0.25], [0.75, -0.75], [0.75, -0.75], [0.75, -0.75]]) / 4,
            },
            "ignored": ONE_APART,
        },
        **LARGE,
    ),
    check_program(
        "xlogy.slopes_of_the_largest",
        ("mathematics: log(x) + 1 and x / y, where 1 / y is below the least normal number of float32",),
        _compute_slopes_of_logarithms,
        {"x": np.array([2.0**126, 1.5 * 2.0**127])},
        expected={"xlogx": np.array([126 * LOG2 + 1, 127 * LOG2 + math.log(1.5) + 1]), "xlogy": np.ones(2)},
        **LARGE,
    ),
    check_program(
        "losses.hidden_and_infinite",
        ("mathematics: the limits of the formulas",),
        _compute_losses_at_their_edges,
        {"x": np.array([INF, -INF, 0.0]), "y": np.array([1.0, 0.0, 1.0])},
        expected={"value": np.array(math.log(2.0)), "slope": np.array([0.0, 0.0, -0.5])},
        **ALL,
    ),
]
