"""Cases of `adjust`, `freeze` and `thaw`."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport import optimizers
from luxport.optimizers import Adam, AdamW, ClipGrad, Descent, MixedPrecision, Momentum, Nesterov, OptimizerChain
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import check_error, check_fact, check_program, cite
from luxport_conformance.cases.optimizer_parts import HUNDRED, MAIN, TIED


def _take_first_step(which: str) -> Any:
    """Take one step on a tree of float32 and float64 parameters that also holds a function."""
    rule = {
        "rule": Momentum(0.1, 0.9),
        "chain": OptimizerChain(ClipGrad(2.0), Adam()),
        "mixed": MixedPrecision(Momentum(0.1, 0.9)),
    }[which]
    ps = {"a": (np.zeros(1), np.sin), "c": np.array([4.0, 3.0, 2.0], np.float32)}
    grads = {"a": None, "c": HUNDRED}
    state, new = optimizers.update(optimizers.setup(rule, ps), ps, grads)
    return ps, grads, state, new


def _adjust_momentum() -> Any:
    ps, grads, first, new = _take_first_step("rule")
    second = optimizers.adjust(first, 0.2)
    third = optimizers.adjust(first, eta=0.3, rho=0.7)
    _, other = optimizers.update(third, ps, grads)
    return {
        "step": (ps["c"] - new["c"]).astype(np.float64),
        "moments": [np.asarray(state.leaves["c"].state, np.float64) for state in (first, second, third)],
        "rules": [repr(optimizers.current_rule(state, "c")) for state in (first, second, third)],
        "other": [repr(optimizers.current_rule(state, "a")) for state in (second, third)],
        "same": bool(np.array_equal(first.leaves["a"][0].state, second.leaves["a"][0].state)),
        "changed": not np.allclose(ps["c"] - other["c"], HUNDRED),
    }


def _adjust_chain() -> Any:
    _, _, first, _ = _take_first_step("chain")
    states = (first, optimizers.adjust(first, 0.2), optimizers.adjust(first, delta=2.5))
    rules = [optimizers.current_rule(state, "c").rules for state in states]
    return {
        "moments": [np.asarray(state.leaves["c"].state[1][0], np.float64) for state in states],
        "delta": [float(clip.delta) for clip, _ in rules],
        "eta": [adam.eta for _, adam in rules],
    }


def _adjust_mixed() -> Any:
    _, _, first, _ = _take_first_step("mixed")
    states = (first, optimizers.adjust(first, 0.2), optimizers.adjust(first, eta=0.3, rho=0.7))
    return {
        "moments": np.asarray(first.leaves["c"].state[1], np.float64),
        "rules": [repr(optimizers.current_rule(state, "c").rule) for state in states],
    }


ABOUT_TENS = Property("0.1, 1 and 10", lambda m: np.allclose(m, [0.1, 1, 10]))


def _ignores_unknown() -> bool:
    import warnings

    _, _, state, _ = _take_first_step("rule")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        same = optimizers.adjust(state, zeta="this does nothing")
    return (
        len(caught) == 1
        and optimizers.current_rule(same) == optimizers.current_rule(state)
        and same.leaves == state.leaves
    )


def _freeze_and_thaw(ps: Any, grads: Any) -> Any:
    state = optimizers.freeze(optimizers.setup(Descent(0.1), ps), "y")
    state, first = optimizers.update(state, ps, grads)
    state = optimizers.thaw(optimizers.adjust(state, 0.2))
    state, second = optimizers.update(state, first, grads)
    return {"first": first, "second": second}


CASES: list[Case] = [
    check_fact(
        "optimizers.adjust",
        cite(MAIN, 223, 224, 225, 228, 229, 230, 231, 232, 235, 236, 237, 238, 241),
        _adjust_momentum,
        {
            "step": ABOUT_TENS,
            "moments": (ABOUT_TENS,) * 3,
            "rules": tuple([f"Momentum(eta={eta}, rho={rho})" for eta, rho in ((0.1, 0.9), (0.2, 0.9), (0.3, 0.7))]),
            "other": ("Momentum(eta=0.2, rho=0.9)", "Momentum(eta=0.3, rho=0.7)"),
            "same": True,
            "changed": True,
        },
        subject="adjust",
    ),
    check_fact("optimizers.adjust_unknown", cite(MAIN, 243), _ignores_unknown, subject="adjust"),
    check_fact(
        "optimizers.adjust_chain",
        cite(MAIN, 248, 249, 252, 253, 254, 257, 258, 259),
        _adjust_chain,
        {
            "moments": (Property("0.1, 0.2, 0.2", lambda m: np.allclose(m, [0.1, 0.2, 0.2])),) * 3,
            "delta": (2.0, 2.0, 2.5),
            "eta": (0.001, 0.2, 0.001),
        },
        subject="adjust",
    ),
    check_fact(
        "optimizers.adjust_mixed",
        cite(MAIN, 264, 265, 268, 269, 272, 273),
        _adjust_mixed,
        {
            "moments": ABOUT_TENS,
            "rules": tuple([f"Momentum(eta={eta}, rho={rho})" for eta, rho in ((0.1, 0.9), (0.2, 0.9), (0.3, 0.7))]),
        },
        subject="adjust",
    ),
    check_program(
        "optimizers.freeze",
        cite(MAIN, 339, 340, 345, 346),
        _freeze_and_thaw,
        {
            "ps": {"x": TIED, "y": (np.array([3.0, 4.0]),)},
            "grads": {"x": np.array([1.0, 10.0]), "y": (np.array([100.0, 1000.0]),)},
        },
        subject="freeze",
        expected={
            "first": {"x": np.array([0.9, 1.0]), "y": (np.array([3.0, 4.0]),)},
            "second": {"x": np.array([0.7, -1.0]), "y": (np.array([-17.0, -196.0]),)},
        },
        compiles=False,
    ),
    *[
        check_error(
            f"optimizers.{f.__name__}_parameters",
            cite(MAIN, line),
            lambda f=f: f({"x": TIED}),
            message=r"a state of optimizers.setup expected, got an array \(2,\)",
            raises=ValueError,
            subject=f.__name__,
        )
        for f, line in ((optimizers.freeze, 348), (optimizers.thaw, 349))
    ],
    check_fact(
        "optimizers.keywords",
        cite(MAIN, 353, 354),
        lambda: (
            Nesterov(rho=0.8, eta=0.1) == Nesterov(0.1, 0.8)
            and AdamW(lambda_=0.3, eta=0.1) == AdamW(0.1, (0.9, 0.999), 0.3, 1e-8)
        ),
        subject="Nesterov",
    ),
]
