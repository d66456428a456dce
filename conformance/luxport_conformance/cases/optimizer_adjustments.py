"""Cases of `adjust`, `freeze` and `thaw`."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport import optimizers
from luxport.optimizers import Adam, AdamW, ClipGrad, Descent, MixedPrecision, Momentum, Nesterov, OptimizerChain
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import at, computation, fact, fails
from luxport_conformance.cases.optimizer_parts import HUNDRED, MAIN, TIED


def _adjusted(which: str) -> Any:
    """Take a step with single-precision parameters and a function beside them."""
    rule = {
        "rule": Momentum(0.1, 0.9),
        "chain": OptimizerChain(ClipGrad(2.0), Adam()),
        "mixed": MixedPrecision(Momentum(0.1, 0.9)),
    }[which]
    ps = {"a": (np.zeros(1), np.sin), "c": np.array([4.0, 3.0, 2.0], np.float32)}
    grads = {"a": None, "c": HUNDRED}
    state, new = optimizers.update(optimizers.setup(rule, ps), ps, grads)
    return ps, grads, state, new


def _momentum_adjusted() -> Any:
    ps, grads, first, new = _adjusted("rule")
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


def _chain_adjusted() -> Any:
    _, _, first, _ = _adjusted("chain")
    states = (first, optimizers.adjust(first, 0.2), optimizers.adjust(first, delta=2.5))
    rules = [optimizers.current_rule(state, "c").rules for state in states]
    return {
        "moments": [np.asarray(state.leaves["c"].state[1][0], np.float64) for state in states],
        "delta": [float(clip.delta) for clip, _ in rules],
        "eta": [adam.eta for _, adam in rules],
    }


def _mixed_adjusted() -> Any:
    _, _, first, _ = _adjusted("mixed")
    states = (first, optimizers.adjust(first, 0.2), optimizers.adjust(first, eta=0.3, rho=0.7))
    return {
        "moments": np.asarray(first.leaves["c"].state[1], np.float64),
        "rules": [repr(optimizers.current_rule(state, "c").rule) for state in states],
    }


ABOUT_TENS = Property("0.1, 1 and 10", lambda m: np.allclose(m, [0.1, 1, 10]))


def _unknown_is_ignored() -> bool:
    import warnings

    _, _, state, _ = _adjusted("rule")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        same = optimizers.adjust(state, zeta="this does nothing")
    return (
        len(caught) == 1
        and optimizers.current_rule(same) == optimizers.current_rule(state)
        and same.leaves == state.leaves
    )


def _frozen(ps: Any, grads: Any) -> Any:
    state = optimizers.freeze(optimizers.setup(Descent(0.1), ps), "y")
    state, first = optimizers.update(state, ps, grads)
    state = optimizers.thaw(optimizers.adjust(state, 0.2))
    state, second = optimizers.update(state, first, grads)
    return {"first": first, "second": second}


CASES: list[Case] = [
    fact(
        "optimizers.adjust",
        at(MAIN, 223, 224, 225, 228, 229, 230, 231, 232, 235, 236, 237, 238, 241),
        "adjust",
        _momentum_adjusted,
        {
            "step": ABOUT_TENS,
            "moments": (ABOUT_TENS,) * 3,
            "rules": tuple([f"Momentum(eta={eta}, rho={rho})" for eta, rho in ((0.1, 0.9), (0.2, 0.9), (0.3, 0.7))]),
            "other": ("Momentum(eta=0.2, rho=0.9)", "Momentum(eta=0.3, rho=0.7)"),
            "same": True,
            "changed": True,
        },
    ),
    fact("optimizers.adjust_unknown", at(MAIN, 243), "adjust", _unknown_is_ignored),
    fact(
        "optimizers.adjust_chain",
        at(MAIN, 248, 249, 252, 253, 254, 257, 258, 259),
        "adjust",
        _chain_adjusted,
        {
            "moments": (Property("0.1, 0.2, 0.2", lambda m: np.allclose(m, [0.1, 0.2, 0.2])),) * 3,
            "delta": (2.0, 2.0, 2.5),
            "eta": (0.001, 0.2, 0.001),
        },
    ),
    fact(
        "optimizers.adjust_mixed",
        at(MAIN, 264, 265, 268, 269, 272, 273),
        "adjust",
        _mixed_adjusted,
        {
            "moments": ABOUT_TENS,
            "rules": tuple([f"Momentum(eta={eta}, rho={rho})" for eta, rho in ((0.1, 0.9), (0.2, 0.9), (0.3, 0.7))]),
        },
    ),
    computation(
        "optimizers.freeze",
        at(MAIN, 339, 340, 345, 346),
        "freeze",
        _frozen,
        {
            "ps": {"x": TIED, "y": (np.array([3.0, 4.0]),)},
            "grads": {"x": np.array([1.0, 10.0]), "y": (np.array([100.0, 1000.0]),)},
        },
        expected={
            "first": {"x": np.array([0.9, 1.0]), "y": (np.array([3.0, 4.0]),)},
            "second": {"x": np.array([0.7, -1.0]), "y": (np.array([-17.0, -196.0]),)},
        },
        compiles=False,
    ),
    fails(
        "optimizers.freeze_parameters",
        at(MAIN, 348),
        lambda: optimizers.freeze({"x": TIED}),
        message=r"a state of optimizers.setup expected, got an array \(2,\)",
        raises=ValueError,
        subject="freeze",
    ),
    fails(
        "optimizers.thaw_parameters",
        at(MAIN, 349),
        lambda: optimizers.thaw({"x": TIED}),
        message=r"a state of optimizers.setup expected, got an array \(2,\)",
        raises=ValueError,
        subject="thaw",
    ),
    fact(
        "optimizers.keywords",
        at(MAIN, 353, 354),
        "Nesterov",
        lambda: (
            Nesterov(rho=0.8, eta=0.1) == Nesterov(0.1, 0.8)
            and AdamW(lambda_=0.3, eta=0.1) == AdamW(0.1, (0.9, 0.999), 0.3, 1e-8)
        ),
    ),
]
