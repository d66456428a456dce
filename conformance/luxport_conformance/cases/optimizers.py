"""Cases of `luxport.optimizers`: Optimisers.jl's tests of rules and of trees."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport import optimizers
from luxport.backend import namespace
from luxport.optimizers import (
    AccumGrad,
    AdamW,
    ClipGrad,
    Descent,
    Momentum,
    Nesterov,
    OptimizerChain,
    SignDecay,
    WeightDecay,
)
from luxport.optimizers._hyperparameters import clear_numbers
from luxport.optimizers._rule import subtract
from luxport.tree.static import Static
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import check_error, check_fact, check_function, check_program, cite, draw
from luxport_conformance.cases.optimizer_parts import ALL_RULES, DX, MAIN, RULES, TIED, X, check_step
from luxport_conformance.compare import Tolerance

COMPLEX_RULES = (
    *(optimizers.Adam(1e-2), optimizers.RMSProp(1e-2), optimizers.RAdam(1e-2), optimizers.OAdam(1e-2)),
    *(optimizers.AdaGrad(1e-2), optimizers.AdaDelta(0.9, 1e-5), optimizers.NAdam(1e-2), optimizers.AdaBelief(1e-2)),
    *(Descent(1e-2), Momentum(1e-2), Nesterov(1e-2), AdamW(1e-2)),
)


def _check_vector(id: str, line: int, rule: Any, expected: list[float], x: Any = X, dx: Any = DX) -> Case:
    return check_step(id, cite(MAIN, line), rule, x, dx, expected={"ps": np.array(expected)})


BARE_ADAM_W = Static(clear_numbers(AdamW()))
EPSILON_LEFT_OUT = Tolerance(rounding=1e-8, reason="the values expected are those for an epsilon of 0, which is 1e-8")
NESTED = {1: np.array([1.0, 2.0]), 2: {"a": {"c": np.array([3.0, 4.0])}, "b": np.array(1)}}


def _accumulate(x: Any, grads: Any) -> Any:
    state = optimizers.setup(OptimizerChain(AccumGrad(3), Descent(0.01)), x)
    steps = []
    for dx in grads:
        state, x = optimizers.update(state, x, dx)
        steps.append(x)
    return tuple(steps)


def _update_one_without_gradient(a: Any, b: Any, dx: Any) -> Any:
    results = []
    for rule in ALL_RULES:
        ps = {"a": a, "b": b}
        _, new = optimizers.update(optimizers.setup(rule, ps), ps, {"a": dx, "b": None})
        results.append({"moved": namespace(a).any(new["a"] != a), "b": new["b"]})
    return tuple(results)


def _compute_complex_losses(w: Any, x: Any) -> Any:
    xp = namespace(w)
    target = xp.conj(x)
    rows = []
    for rule in COMPLEX_RULES:
        y, state, losses = w, optimizers.setup(rule, w), []
        for _ in range(10):
            losses.append(xp.sum(xp.abs(y * x - target) ** 2))
            state, y = optimizers.update(state, y, 2.0 * (y * x - target) * target)
        rows.append(xp.stack([*losses, xp.sum(xp.abs(y * x - target) ** 2)]))
    return xp.stack(rows)


def _is_falling(losses: Any) -> bool:
    for rule, row in zip(COMPLEX_RULES, losses, strict=True):
        flat_at_the_end = isinstance(rule, (Momentum, Nesterov))
        if not (np.isclose(row[0], 2.0) and row[-1] < 1.9 and (np.diff(row)[: 8 if flat_at_the_end else 10] < 0).all()):
            return False
    return True


def _has_converged(rule: Any) -> bool:
    """Return whether a rule fits an element-wise product of two matrices, one array, within 5,000 steps."""
    rng = np.random.default_rng(1)
    target = np.prod(rng.random((2, 3, 3)), axis=0)
    ps = np.stack([5 * rng.random((3, 3)), rng.random((3, 3))])
    state = optimizers.setup(rule, ps)
    start = np.mean((ps[0] * ps[1] - target) ** 2)
    for _ in range(5_000):
        distance = ps[0] * ps[1] - target
        if np.mean(distance**2) < 1e-6:
            break
        state, ps = optimizers.update(state, ps, 2 / 9 * distance * ps[::-1])
    return bool(start > 1 and np.mean((ps[0] * ps[1] - target) ** 2) < 0.001)


def _check_convergence(rule: Any) -> Case:
    name = repr(rule).replace(" ", "")
    return check_fact(
        f"optimizers.converges.{name}", cite(RULES, 77, 82), lambda: _has_converged(rule), subject=type(rule).__name__
    )


CASES: list[Case] = [
    *[
        check_step(id, cite(MAIN, *lines), rule, (TIED,), (np.array([25.0, 33.0]),), expected=expected)
        for id, lines, rule, expected in (
            ("descent", (53, 55), Descent(0.1), {"ps": (np.array([-1.5, -1.3]),), "old": (TIED,)}),
            ("momentum_keeps_a_velocity", (69, 70), Momentum(0.1), {"state": ({"state": np.array([2.5, 3.3])},)}),
        )
    ],
    check_step(
        "dict",
        cite(MAIN, 102, 103, 104, 105, 109, 110, 111, 112, 113),
        AdamW(0.1),
        {"a": TIED, "b": np.array([3.0, 4.0]), "c": np.array(1)},
        {"a": 2.0 * TIED, "b": None, "c": None},
        expected={
            "ps": {"a": np.array([0.9, 1.9]), "b": np.array([3.0, 4.0]), "c": np.array(1)},
            "state": {
                "a": {"rule": BARE_ADAM_W, "values": {"eta": np.array(0.1)}},
                "b": {"rule": BARE_ADAM_W, "values": {"eta": np.array(0.1)}},
                "c": None,
            },
        },
        tolerance=EPSILON_LEFT_OUT,
    ),
    check_step(
        "nested_dict",
        cite(MAIN, 119, 122, 123, 124),
        AdamW(0.1),
        NESTED,
        {1: None, 2: {"a": {"c": np.ones(2)}, "b": None}},
        expected={
            "ps": {1: TIED, 2: {"a": {"c": np.array([2.9, 3.9])}, "b": np.array(1)}},
            "state": {2: {"a": {"c": {"rule": BARE_ADAM_W, "values": {"eta": np.array(0.1)}}}}},
        },
        tolerance=EPSILON_LEFT_OUT,
    ),
    _check_vector("weight_decay", 130, WeightDecay(0.1), [1 - 0.1 - 1, 10 - 1 - 2, 100 - 10 - 3]),
    _check_vector("sign_decay", 131, SignDecay(0.1), [1 - 0.1 - 1, 10 - 0.1 - 2, 100 - 0.1 - 3]),
    _check_vector("clip_grad", 132, ClipGrad(2.0), [1 - 1, 10 - 2, 100 - 2]),
    _check_vector(
        "chain", 135, OptimizerChain(ClipGrad(2.0), WeightDecay(0.1)), [1 - 0.1 - 1, 10 - 1 - 2, 100 - 10 - 2]
    ),
    _check_vector(
        "chain_in_chain",
        138,
        OptimizerChain(OptimizerChain(ClipGrad(2.0), WeightDecay(0.1))),
        [1 - 0.1 - 1, 10 - 1 - 2, 100 - 10 - 2],
    ),
    _check_vector("chain_reversed", 141, OptimizerChain(WeightDecay(0.1), ClipGrad(2.0)), [1 - 1.1, 10 - 2, 100 - 2]),
    _check_vector("chain_of_one", 145, OptimizerChain(Descent(0.1)), [0.9, 9.8, 99.7]),
    _check_vector("chain_of_none", 148, OptimizerChain(), [1 - 1, 10 - 2, 100 - 3]),
    _check_vector(
        "sign_decay_signs",
        152,
        SignDecay(0.1),
        [1 - 0.1 - 3, -10 + 0.1 - 2, 100 - 0.1 + 1],
        np.array([1.0, -10.0, 100.0]),
        np.array([3.0, 2.0, -1.0]),
    ),
    check_step(
        "leaves_that_are_no_parameters",
        cite(MAIN, 162, 163),
        Descent(0.1),
        {"x": TIED, "y": {"b": np.array([3.0, 4.0]), "c": np.array(5)}},
        {"x": None, "y": {"b": np.ones(2), "c": np.array(1)}},
        expected={"ps": {"x": TIED, "y": {"b": np.array([2.9, 3.9]), "c": np.array(5)}}},
        subject="update",
    ),
    check_step(
        "a_part_without_gradient",
        cite(MAIN, 179, 180, 181),
        Momentum(0.1, 0.9),
        {"a": TIED, "b": np.array([3.0, 4.0]), "c": np.array([5.0, 6.0])},
        {"a": 2.0 * TIED, "b": None, "c": None},
        expected={"ps": {"a": np.array([0.8, 1.6]), "b": np.array([3.0, 4.0]), "c": np.array([5.0, 6.0])}},
        subject="update",
    ),
    check_error(
        "optimizers.forgotten_gradient",
        cite(MAIN, 360, 364),
        lambda: optimizers.update(optimizers.setup(Descent(), {"x": TIED}), {"x": TIED}),  # type: ignore[call-arg]
        message=r"update is called as update\(sta",
        raises=TypeError,
        subject="update",
    ),
    check_fact("optimizers.no_step", cite(MAIN, 539, 541), lambda: subtract(TIED, None) is TIED, subject="update"),
    check_function(
        "optimizers.one_without_gradient",
        cite(RULES, 145, 146),
        _update_one_without_gradient,
        np.ones((2, 2)),
        np.ones((2, 2)),
        np.array([[1.0, 2.0], [3.0, 4.0]]),
        subject="update",
        expected=tuple([{"moved": np.array(True), "b": np.ones((2, 2))} for _ in ALL_RULES]),
        dtypes=("float64",),
        compiles=False,  # other cases compile every rule
    ),
    check_function(
        "optimizers.complex",
        cite(RULES, 200, 210, 213),
        _compute_complex_losses,
        np.zeros(1, np.complex128),
        np.array([1.0 + 1.0j]),
        subject="update",
        expected=Property("losses that fall from 2 at each of 10 steps, below 1.9", _is_falling),
        dtypes=("float64",),
        traces=False,  # forty rules in one program compile slowly
    ),
    check_program(
        "optimizers.accumulate",
        cite(RULES, 242, 243, 246, 247, 250, 254),
        _accumulate,
        {"x": draw(5), "grads": tuple([draw(5, seed=seed) for seed in (1, 2, 3, 4)])},
        subject="AccumGrad",
        expected=lambda x, grads: (x, x, *[x - 0.01 * sum(grads[:3]) / 3] * 2),
    ),
    *map(_check_convergence, ALL_RULES),
]
