"""Cases of rules of several gradients, and of derivatives through optimizer steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import luxport
from luxport import optimizers, tree
from luxport.backend import namespace
from luxport.optimizers import Adam, AdamW, Descent, HigherOrder, MixedPrecision, OptimizerChain, RMSProp
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import check_error, check_program, cite, draw
from luxport_conformance.cases.optimizer_parts import ALL_RULES, BRANCHES, DX, HUNDRED, MAIN, TIED, X
from luxport_conformance.compare import Tolerance


@dataclass(frozen=True)
class Both(HigherOrder):
    """A rule that takes the gradient twice, and raises unless both are equal."""

    def init(self, x: Any) -> None:
        return None

    def apply(self, state: None, x: Any, dx: Any, *more: Any) -> tuple[None, Any]:
        (again,) = more
        if not np.array_equal(luxport.to_numpy(dx), luxport.to_numpy(again)):
            raise RuntimeError("two gradients that agree expected")
        return state, dx


@dataclass(frozen=True)
class Weighted(HigherOrder):
    """A rule whose step is a weighted sum of two gradients; both weights grow by 1 in each step."""

    def init(self, x: Any) -> tuple[Any, Any]:
        xp = namespace(x)
        return xp.ones_like(x), xp.zeros_like(x)

    def apply(self, state: Any, x: Any, dx: Any, *more: Any) -> Any:
        a, b = state
        (dx2,) = more
        return (a + 1.0, b + 1.0), a * dx + b * dx2


def _make_weighted_steps(rule: Any) -> Callable[..., Any]:
    def program(ps: Any, dx: Any, dx2: Any) -> Any:
        start = optimizers.setup(rule, ps)
        start, ps = optimizers.update(start, ps, dx, dx2)
        state, new = optimizers.update(start, ps, dx, dx2)
        return {"ps": new, "state": state}

    return program


def _compute_slopes_at_rest(x: Any, dx: Any) -> Any:
    """Return the derivative of the first step of every rule with respect to the gradient."""

    def compute_slope(rule: Any) -> Any:
        return luxport.grad(lambda dx: namespace(x).sum(optimizers.update(optimizers.setup(rule, x), x, dx)[1]))(dx)

    # MixedPrecision computes in its own dtype, float64 here, which not every backend has.
    return {str(rule): compute_slope(rule) for rule in ALL_RULES if not isinstance(rule, MixedPrecision)}


_FINITE = Property("finite numbers", lambda slopes: bool(np.isfinite(slopes).all()))
# The derivative at dx = 0 of ``-eta dx / (|dx| + epsilon)`` is ``-eta / epsilon``.
_AT_REST = {
    **{str(rule): _FINITE for rule in ALL_RULES if not isinstance(rule, MixedPrecision)},
    **{str(rule): np.full(3, -rule.eta / rule.epsilon) for rule in (Adam(), AdamW())},
    str(RMSProp()): np.full(3, -RMSProp().eta / RMSProp().epsilon),
}
TWO = {"w": draw(4, 3), "b": draw(3, seed=1)}
SLOPES = {"w": draw(4, 3, seed=2), "b": draw(3, seed=3)}
CURVES = {"w": draw(4, 3, seed=4), "b": draw(3, seed=5)}


def _make_expected_steps(factor: float) -> Callable[..., Any]:
    """Return the parameters after two steps: ``factor dx``, by the weights 1 and 0, then ``2 factor dx + dx2``."""
    return lambda ps, dx, dx2: {"ps": tree.map(lambda x, a, b: x - 3.0 * factor * a - b, ps, dx, dx2)}


CASES: list[Case] = [
    check_program(
        "optimizers.slopes_at_rest",
        ("mathematics: the derivative of a first step, of Adam's -eta g / (|g| + epsilon), at a gradient of 0",),
        _compute_slopes_at_rest,
        {"x": X, "dx": np.zeros(3)},
        subject="Adam",
        expected=_AT_REST,
        dtypes=("float32", "float64"),
        differentiates=True,
        compiles=False,
    ),
    check_program(
        "optimizers.two_gradients",
        cite(MAIN, 498),
        lambda ps, dx: optimizers.update(optimizers.setup(Both(), ps), ps, dx, dx)[1],
        {"ps": BRANCHES, "dx": {"a": (np.array([0.1]),), "c": HUNDRED}},
        subject="update",
        expected={"a": (np.array([-0.1]),)},
        traces=False,
    ),
    check_error(
        "optimizers.two_gradients_that_differ",
        cite(MAIN, 499),
        lambda: optimizers.update(optimizers.setup(Both(), TIED), TIED, TIED, 2.0 * TIED),
        message="two gradients that agree expected",
        raises=RuntimeError,
        subject="update",
    ),
    check_program(
        "optimizers.second_gradient_not_wanted",
        cite(MAIN, 505),
        lambda x, dx: (
            optimizers.update(optimizers.setup(Adam(), x), x, dx)[1]
            - optimizers.update(optimizers.setup(Adam(), x), x, dx, dx)[1]
        ),
        {"x": X, "dx": DX},
        subject="update",
        expected=np.zeros(3),
        tolerance=Tolerance(magnitude=100.0),
    ),
    check_program(
        "optimizers.second_order",
        cite(MAIN, 519, 520, 521, 522),
        _make_weighted_steps(Weighted()),
        {"ps": TWO, "dx": SLOPES, "dx2": CURVES},
        subject="update",
        expected=_make_expected_steps(1.0),
    ),
    check_error(
        "optimizers.second_order_missing",
        cite(MAIN, 525),
        lambda: optimizers.update(optimizers.setup(Weighted(), TIED), TIED, TIED),
        message="not enough values to unpack",
        raises=ValueError,
        subject="update",
    ),
    check_program(
        "optimizers.second_order_in_chain",
        cite(MAIN, 531, 532),
        _make_weighted_steps(OptimizerChain(Descent(0.1), Weighted())),
        {"ps": TWO, "dx": SLOPES, "dx2": CURVES},
        subject="OptimizerChain",
        expected=_make_expected_steps(0.1),
    ),
]
