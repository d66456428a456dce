"""Cases of `luxport.optimisers`: Optimisers.jl's own tests of rules, trees and ties."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from luxport import optimisers, tree
from luxport.backend import dtype_name, namespace
from luxport.optimisers import (
    AccumGrad,
    AdaBelief,
    AdaDelta,
    AdaGrad,
    Adam,
    AdaMax,
    AdamW,
    AMSGrad,
    ClipGrad,
    ClipNorm,
    Descent,
    HigherOrder,
    Lion,
    MixedPrecision,
    Momentum,
    NAdam,
    Nesterov,
    OAdam,
    OptimiserChain,
    RAdam,
    RMSProp,
    Rprop,
    SignDecay,
    WeightDecay,
)
from luxport.optimisers.clip import norm
from luxport.optimisers.rule import subtract
from luxport.static import Static
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import at, draw, fact, fails, function
from luxport_conformance.compare import Tolerance

__all__ = ["CASES"]

MAIN = "optimisers:runtests.jl"
RULES = "optimisers:rules.jl"

ALL_RULES = (
    *(Descent(), Adam(), Momentum(), Nesterov(), Rprop(), RMSProp(), AdaGrad(), AdaMax(), AdaDelta(), AMSGrad()),
    *(NAdam(), AdamW(), RAdam(), OAdam(), AdaBelief(), Lion(), MixedPrecision(Adam(), "float64")),
    OptimiserChain(SignDecay(0.001), Adam(0.001)),
    OptimiserChain(ClipNorm(), Adam(0.001)),
    OptimiserChain(ClipGrad(0.5), Momentum()),
    OptimiserChain(WeightDecay(), OAdam(), ClipGrad(1.0)),
    *(RMSProp(centred=True), AdamW(couple=False)),
)
COMPLEX_RULES = (
    *(Adam(1e-2), RMSProp(1e-2), RAdam(1e-2), OAdam(1e-2), AdaGrad(1e-2), AdaDelta(0.9, 1e-5), NAdam(1e-2)),
    *(AdaBelief(1e-2), Descent(1e-2), Momentum(1e-2), Nesterov(1e-2), AdamW(1e-2)),
)
X, DX = np.array([1.0, 10.0, 100.0]), np.array([1.0, 2.0, 3.0])


def _step(
    id: str,  # noqa: A002
    lines: tuple[str, ...],
    rule: Any,
    ps: Any,
    grads: Any,
    *,
    expected: Any,
    subject: str = "",
    **options: Any,
) -> Case:
    """One update; `expected` is a tree of some of the new parameters, and of states."""

    def program(ps: Any, grads: Any) -> Any:
        state, new = optimisers.update(optimisers.setup(rule, ps), ps, grads)
        return {"ps": new, "state": state, "old": ps}

    return Case(
        id=f"optimisers.{id}",
        subject=subject or type(rule).__name__,
        source=lines,
        program=program,
        inputs={"ps": ps, "grads": grads},
        expected=expected,
        **options,
    )


def _vector(id: str, line: int, rule: Any, expected: list[float], x: Any = X, dx: Any = DX) -> Case:  # noqa: A002
    return _step(id, at(MAIN, line), rule, x, dx, expected={"ps": np.array(expected)})


def _is(dtype: str) -> Property:
    return Property(f"an array of {dtype}", lambda value: value.dtype.name == dtype)


BRANCHES = {"a": (np.zeros(1),), "c": np.array([4.0, 3.0, 2.0])}


def _clipped(rule: Any, dx: Any, alpha: Any = None) -> Callable[..., Any]:
    def program(ps: Any, dx: Any, alpha: Any) -> Any:
        grads = {"a": None if alpha is None else (alpha,), "c": dx}
        _, new = optimisers.update(optimisers.setup(rule, ps), ps, grads)
        return {"a": ps["a"][0] - new["a"][0], "c": ps["c"] - new["c"]}

    return program


def _clips(id: str, lines: tuple[int, ...], rule: Any, dx: Any, alpha: Any = None, **options: Any) -> Case:  # noqa: A002
    return Case(
        id=f"optimisers.{id}",
        subject=type(rule).__name__,
        source=at(MAIN, *lines),
        program=_clipped(rule, dx, alpha),
        inputs={"ps": BRANCHES, "dx": np.asarray(dx), "alpha": alpha},
        **options,
    )


HUNDRED = np.array([1.0, 10.0, 100.0])
EPSILON_LEFT_OUT = Tolerance(rounding=1e-8, reason="the values expected are those for an epsilon of 0, which is 1e-8")
NESTED = {1: np.array([1.0, 2.0]), 2: {"a": {"c": np.array([3.0, 4.0])}, "b": np.array(1)}}


def _adjusted(which: str) -> Any:
    """Take a step with single-precision parameters and a function beside them."""
    rule = {
        "rule": Momentum(0.1, 0.9),
        "chain": OptimiserChain(ClipGrad(2.0), Adam()),
        "mixed": MixedPrecision(Momentum(0.1, 0.9)),
    }[which]
    ps = {"a": (np.zeros(1), np.sin), "c": np.array([4.0, 3.0, 2.0], np.float32)}
    grads = {"a": None, "c": HUNDRED}
    state, new = optimisers.update(optimisers.setup(rule, ps), ps, grads)
    return ps, grads, state, new


def _momentum_adjusted() -> Any:
    ps, grads, first, new = _adjusted("rule")
    second = optimisers.adjust(first, 0.2)
    third = optimisers.adjust(first, eta=0.3, rho=0.7)
    _, other = optimisers.update(third, ps, grads)
    return {
        "step": (ps["c"] - new["c"]).astype(np.float64),
        "moments": [np.asarray(state["c"]["state"], np.float64) for state in (first, second, third)],
        "rules": [repr(state[key]["rule"].value) for state in (first, second, third) for key in ("c",)],
        "other": [repr(state["a"][0]["rule"].value) for state in (second, third)],
        "same": bool(np.array_equal(first["a"][0]["state"], second["a"][0]["state"])),
        "changed": not np.allclose(ps["c"] - other["c"], HUNDRED),
    }


def _chain_adjusted() -> Any:
    _, _, first, _ = _adjusted("chain")
    states = (first, optimisers.adjust(first, 0.2), optimisers.adjust(first, delta=2.5))
    rules = [state["c"]["rule"].value.rules for state in states]
    return {
        "moments": [np.asarray(state["c"]["state"][1][0], np.float64) for state in states],
        "delta": [float(clip.delta) for clip, _ in rules],
        "eta": [adam.eta for _, adam in rules],
    }


def _mixed_adjusted() -> Any:
    _, _, first, _ = _adjusted("mixed")
    states = (first, optimisers.adjust(first, 0.2), optimisers.adjust(first, eta=0.3, rho=0.7))
    return {
        "moments": np.asarray(first["c"]["state"][1], np.float64),
        "rules": [repr(state["c"]["rule"].value.rule) for state in states],
    }


ABOUT_TENS = Property("0.1, 1 and 10", lambda m: np.allclose(m, [0.1, 1, 10]))


def _unknown_is_ignored() -> bool:
    import warnings

    _, _, state, _ = _adjusted("rule")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        same = optimisers.adjust(state, zeta="this does nothing")
    return len(caught) == 1 and same["c"]["rule"] == state["c"]["rule"] and same["c"]["state"] is state["c"]["state"]


def _frozen(ps: Any, grads: Any) -> Any:
    state = optimisers.freeze(optimisers.setup(Descent(0.1), ps), "y")
    state, first = optimisers.update(state, ps, grads)
    state = optimisers.thaw(optimisers.adjust(state, 0.2))
    state, second = optimisers.update(state, first, grads)
    return {"first": first, "second": second}


def _tied_pair(ps: Any, grads: Any) -> Any:
    twice, other = ps
    model = (twice, (other, twice))
    state, new = optimisers.update(optimisers.setup(Momentum(0.1), model), model, grads)
    return {"ps": new, "one": new[1][1] is new[0], "state": state}


def _tied_three(ps: Any, drop: bool) -> Any:
    thrice, y, x = ps["thrice"], ps["y"], ps["x"]
    model = {"a": {"x": thrice, "y": y, "z": True}, "b": ({"m": (0, 1, thrice)},), "c": {"x": x, "y": thrice}}
    # Slopes of a sum of squares, each doubled as often as the loss goes around it.
    grads = {
        "a": {"x": 4.0 * thrice, "y": 4.0 * y, "z": None},
        "b": None if drop else ({"m": (None, None, 8.0 * thrice)},),
        "c": {"x": 4.0 * x, "y": 4.0 * thrice},
    }
    _, new = optimisers.update(optimisers.setup(Momentum(0.1, 0.9), model), model, grads)
    return {
        "x": new["a"]["x"],
        "one": new["a"]["x"] is new["b"][0]["m"][2] and new["a"]["x"] is new["c"]["y"],
        "tied_before": model["a"]["x"] is model["b"][0]["m"][2],
    }


def _tied_by_hand(ps: Any, grads: Any) -> Any:
    state = optimisers.setup(Momentum(0.1), ps)
    separate = "tied" not in state["b"]
    state["b"] = {"tied": Static(("a",))}
    for _ in range(2):
        state, ps = optimisers.update(state, ps, grads)
    xp = namespace(ps["a"])
    return {
        "as_summed": ps["a"] - ps["d"],
        "the_same": ps["a"] - ps["b"],
        "unlike": xp.any(xp.abs(ps["a"] - ps["c"]) > 0.1),
        "separate": separate,
        "still": state["b"] == {"tied": Static(("a",))},
    }


@dataclass(frozen=True)
class Both(HigherOrder):
    """A rule that wants the gradient twice, the same."""

    def init(self, x: Any) -> None:
        return None

    def apply(self, state: None, x: Any, dx: Any, *more: Any) -> tuple[None, Any]:
        (again,) = more
        if not np.array_equal(np.asarray(dx), np.asarray(again)):
            raise RuntimeError("two gradients that agree expected")
        return state, dx


@dataclass(frozen=True)
class Weighted(HigherOrder):
    """A rule whose step is a sum of two gradients, with weights that grow."""

    def init(self, x: Any) -> tuple[Any, Any]:
        xp = namespace(x)
        return xp.ones_like(x), xp.zeros_like(x)

    def apply(self, state: Any, x: Any, dx: Any, *more: Any) -> Any:
        a, b = state
        (dx2,) = more
        return (a + 1.0, b + 1.0), a * dx + b * dx2


def _weighted(rule: Any) -> Callable[..., Any]:
    def program(ps: Any, dx: Any, dx2: Any) -> Any:
        start = optimisers.setup(rule, ps)
        start, ps = optimisers.update(start, ps, dx, dx2)
        state, new = optimisers.update(start, ps, dx, dx2)
        return {"ps": new, "state": state}

    return program


TWO = {"w": draw(4, 3), "b": draw(3, seed=1)}
SLOPES = {"w": draw(4, 3, seed=2), "b": draw(3, seed=3)}
CURVES = {"w": draw(4, 3, seed=4), "b": draw(3, seed=5)}


def _weighted_by_hand(factor: float) -> Callable[..., Any]:
    """The first step is ``factor dx``, with the weights 1 and 0; the second ``2 factor dx + dx2``."""
    return lambda ps, dx, dx2: {"ps": tree.map(lambda x, a, b: x - 3.0 * factor * a - b, ps, dx, dx2)}


def _accumulated(x: Any, grads: Any) -> Any:
    state = optimisers.setup(OptimiserChain(AccumGrad(3), Descent(0.01)), x)
    steps = []
    for dx in grads:
        state, x = optimisers.update(state, x, dx)
        steps.append(x)
    return tuple(steps)


def _in_single_and_double(rules: Any) -> Callable[..., Any]:
    def program(x: Any) -> Any:
        ps = (namespace(x).astype(x, namespace(x).float32), x)
        results = []
        for rule in rules:
            state, new = optimisers.update(optimisers.setup(rule, ps), ps, (x, x))
            arrays = [tuple([a for a in tree.leaves(leaf["state"]) if "int" not in dtype_name(a)]) for leaf in state]
            results.append({"ps": new, "state": arrays})
        return tuple(results)

    return program


EVERY_DTYPE = tuple([{"ps": (_is("float32"), _is("float64"))} for _ in ALL_RULES])


def _one_without_gradient(a: Any, b: Any, dx: Any) -> Any:
    results = []
    for rule in ALL_RULES:
        ps = {"a": a, "b": b}
        _, new = optimisers.update(optimisers.setup(rule, ps), ps, {"a": dx, "b": None})
        results.append({"moved": namespace(a).any(new["a"] != a), "b": new["b"]})
    return tuple(results)


def _complex_losses(w: Any, x: Any) -> Any:
    xp = namespace(w)
    target = xp.conj(x)
    rows = []
    for rule in COMPLEX_RULES:
        y, state, losses = w, optimisers.setup(rule, w), []
        for _ in range(10):
            losses.append(xp.sum(xp.abs(y * x - target) ** 2))
            state, y = optimisers.update(state, y, 2.0 * (y * x - target) * target)
        rows.append(xp.stack([*losses, xp.sum(xp.abs(y * x - target) ** 2)]))
    return xp.stack(rows)


def _falls(losses: Any) -> bool:
    for rule, row in zip(COMPLEX_RULES, losses, strict=True):
        flat_at_the_end = isinstance(rule, (Momentum, Nesterov))
        if not (np.isclose(row[0], 2.0) and row[-1] < 1.9 and (np.diff(row)[: 8 if flat_at_the_end else 10] < 0).all()):
            return False
    return True


def _mixed(rule: Any) -> Callable[..., Any]:
    def program(x: Any, dx: Any) -> Any:
        first = optimisers.setup(rule, x)
        state, new = optimisers.update(first, x, dx)
        copy = namespace(x).astype(state["state"][0], x.dtype)
        return {"state": first["state"], "new": new, "off": new - copy}

    return program


def _converges(rule: Any) -> bool:
    """A product of two random matrices, at most 10,000 steps; both matrices are one array."""
    rng = np.random.default_rng(1)
    target = np.prod(rng.random((2, 3, 3)), axis=0)
    ps = np.stack([5 * rng.random((3, 3)), rng.random((3, 3))])
    state = optimisers.setup(rule, ps)
    start = np.mean((ps[0] * ps[1] - target) ** 2)
    for _ in range(10_000):
        distance = ps[0] * ps[1] - target
        if np.mean(distance**2) < 1e-6:
            break
        state, ps = optimisers.update(state, ps, 2 / 9 * distance * ps[::-1])
    return bool(start > 1 and np.mean((ps[0] * ps[1] - target) ** 2) < 0.001)


def _convergence(rule: Any) -> Case:
    name = repr(rule).replace(" ", "")
    return fact(f"optimisers.converges.{name}", at(RULES, 77, 82), type(rule).__name__, lambda: _converges(rule))


NORMS = (-math.inf, -3, -1, 0, 0.5, 1, 1.5, 2, 3.0, math.inf)


def _norms(*arrays: Any) -> Any:
    return tuple([tuple([norm(x, p) for p in NORMS]) for x in arrays])


def _numpy_norms(*arrays: Any) -> Any:
    return tuple([tuple([np.linalg.norm(np.ravel(x), p) for p in NORMS]) for x in arrays])


TIED = np.array([1.0, 2.0])
SEVENS, THREES, TENS = np.array([7.0, 7.0]), np.array([3.0, 3.0]), np.array([10.0, 10.0])


def _tie(id: str, lines: tuple[int, ...], grads: Any, expected: Any) -> Case:  # noqa: A002
    return Case(
        id=f"optimisers.{id}",
        subject="update",
        source=at(MAIN, *lines),
        program=_tied_pair,
        inputs={"ps": (TIED, TIED), "grads": grads},
        expected=expected,
    )


CASES: list[Case] = [
    _step(
        "descent",
        at(MAIN, 53, 55),
        Descent(0.1),
        (TIED,),
        (np.array([25.0, 33.0]),),
        expected={"ps": (np.array([-1.5, -1.3]),), "old": (TIED,)},
    ),
    _step(
        "momentum_keeps_a_velocity",
        at(MAIN, 69, 70),
        Momentum(0.1),
        (TIED,),
        (np.array([25.0, 33.0]),),
        expected={"state": ({"state": np.array([2.5, 3.3])},)},
    ),
    _clips("clip_grad_branches", (81,), ClipGrad(13.0), HUNDRED, expected={"c": np.array([1.0, 10.0, 13.0])}),
    _clips(
        "clip_norm",
        (85, 86),
        ClipNorm(10.0),
        HUNDRED,
        np.array([0.1]),
        expected={
            "a": np.array([0.1]),
            "c": Property("a norm of 10", lambda c: np.isclose(np.linalg.norm(c), 10, rtol=1e-5)),
        },
    ),
    _clips(
        "clip_norm_of_nan",
        (88,),
        ClipNorm(10.0),
        [1.0, 10.0, np.nan],
        np.array([0.1]),
        raises=ValueError,
        message=r"a gradient with a finite 2-norm, got nan for one of shape \(3,\)",
        dtypes=("float32",),
    ),
    _clips(
        "clip_other_norm",
        (92, 93),
        ClipNorm(5.0, 1, throw=False),
        HUNDRED,
        np.array([0.1]),
        expected={
            "a": np.array([0.1]),
            "c": Property("a 1-norm of 5", lambda c: np.isclose(np.abs(c).sum(), 5, rtol=1e-5)),
        },
    ),
    _clips(
        "clip_norm_of_inf",
        (95,),
        ClipNorm(5.0, 1, throw=False),
        [1.0, 10.0, np.inf],
        expected={"c": np.array([0.0, 0.0, np.nan])},
    ),
    _step(
        "dict",
        at(MAIN, 102, 103, 104, 105, 109, 110, 111, 112, 113),
        AdamW(0.1),
        {"a": TIED, "b": np.array([3.0, 4.0]), "c": np.array(1)},
        {"a": 2.0 * TIED, "b": None, "c": None},
        expected={
            "ps": {"a": np.array([0.9, 1.9]), "b": np.array([3.0, 4.0]), "c": np.array(1)},
            "state": {"a": {"rule": Static(AdamW(0.1))}, "b": {"rule": Static(AdamW(0.1))}, "c": None},
        },
        tolerance=EPSILON_LEFT_OUT,
    ),
    _step(
        "nested_dict",
        at(MAIN, 119, 122, 123, 124),
        AdamW(0.1),
        NESTED,
        {1: None, 2: {"a": {"c": np.ones(2)}, "b": None}},
        expected={
            "ps": {1: TIED, 2: {"a": {"c": np.array([2.9, 3.9])}, "b": np.array(1)}},
            "state": {2: {"a": {"c": {"rule": Static(AdamW(0.1))}}}},
        },
        tolerance=EPSILON_LEFT_OUT,
    ),
    _vector("weight_decay", 130, WeightDecay(0.1), [1 - 0.1 - 1, 10 - 1 - 2, 100 - 10 - 3]),
    _vector("sign_decay", 131, SignDecay(0.1), [1 - 0.1 - 1, 10 - 0.1 - 2, 100 - 0.1 - 3]),
    _vector("clip_grad", 132, ClipGrad(2.0), [1 - 1, 10 - 2, 100 - 2]),
    _vector("chain", 135, OptimiserChain(ClipGrad(2.0), WeightDecay(0.1)), [1 - 0.1 - 1, 10 - 1 - 2, 100 - 10 - 2]),
    _vector(
        "chain_in_chain",
        138,
        OptimiserChain(OptimiserChain(ClipGrad(2.0), WeightDecay(0.1))),
        [1 - 0.1 - 1, 10 - 1 - 2, 100 - 10 - 2],
    ),
    _vector("chain_reversed", 141, OptimiserChain(WeightDecay(0.1), ClipGrad(2.0)), [1 - 1.1, 10 - 2, 100 - 2]),
    _vector("chain_of_one", 145, OptimiserChain(Descent(0.1)), [0.9, 9.8, 99.7]),
    _vector("chain_of_none", 148, OptimiserChain(), [1 - 1, 10 - 2, 100 - 3]),
    _vector(
        "sign_decay_signs",
        152,
        SignDecay(0.1),
        [1 - 0.1 - 3, -10 + 0.1 - 2, 100 - 0.1 + 1],
        np.array([1.0, -10.0, 100.0]),
        np.array([3.0, 2.0, -1.0]),
    ),
    _step(
        "leaves_that_are_no_parameters",
        at(MAIN, 162, 163),
        Descent(0.1),
        {"x": TIED, "y": {"b": np.array([3.0, 4.0]), "c": np.array(5)}},
        {"x": None, "y": {"b": np.ones(2), "c": np.array(1)}},
        expected={"ps": {"x": TIED, "y": {"b": np.array([2.9, 3.9]), "c": np.array(5)}}},
        subject="update",
    ),
    _step(
        "a_part_without_gradient",
        at(MAIN, 179, 180, 181),
        Momentum(0.1, 0.9),
        {"a": TIED, "b": np.array([3.0, 4.0]), "c": np.array([5.0, 6.0])},
        {"a": 2.0 * TIED, "b": None, "c": None},
        expected={"ps": {"a": np.array([0.8, 1.6]), "b": np.array([3.0, 4.0]), "c": np.array([5.0, 6.0])}},
        subject="update",
    ),
    Case(
        id="optimisers.dtypes_of_descent",
        subject="Descent",
        source=at(MAIN, 197, 198, 203, 204),
        program=_in_single_and_double((Descent(0.1),)),
        inputs={"x": TIED},
        expected=({"ps": (_is("float32"), _is("float64"))},),
        dtypes=("float64",),
    ),
    Case(
        id="optimisers.dtypes_of_rprop",
        subject="Rprop",
        source=at(MAIN, 210, 211, 212, 213, 214, 215),
        program=_in_single_and_double((Rprop(0.1),)),
        inputs={"x": TIED},
        expected=(
            {
                "ps": (_is("float32"), _is("float64")),
                "state": ((_is("float32"), _is("float32")), (_is("float64"), _is("float64"))),
            },
        ),
        dtypes=("float64",),
    ),
    Case(
        id="optimisers.dtypes",
        subject="update",
        source=at(RULES, 120, 125),
        program=_in_single_and_double(ALL_RULES),
        inputs={"x": TIED},
        expected=EVERY_DTYPE,
        dtypes=("float64",),
        compiles=False,  # the rules' own tests compile them all
    ),
    fact(
        "optimisers.adjust",
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
    fact("optimisers.adjust_unknown", at(MAIN, 243), "adjust", _unknown_is_ignored),
    fact(
        "optimisers.adjust_chain",
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
        "optimisers.adjust_mixed",
        at(MAIN, 264, 265, 268, 269, 272, 273),
        "adjust",
        _mixed_adjusted,
        {
            "moments": ABOUT_TENS,
            "rules": tuple([f"Momentum(eta={eta}, rho={rho})" for eta, rho in ((0.1, 0.9), (0.2, 0.9), (0.3, 0.7))]),
        },
    ),
    Case(
        id="optimisers.freeze",
        subject="freeze",
        source=at(MAIN, 339, 340, 345, 346),
        program=_frozen,
        inputs={
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
        "optimisers.freeze_parameters",
        at(MAIN, 348),
        lambda: optimisers.freeze({"x": TIED}),
        message="a state of optimisers.setup expected, got ndarray",
        raises=ValueError,
        subject="freeze",
    ),
    fails(
        "optimisers.thaw_parameters",
        at(MAIN, 349),
        lambda: optimisers.thaw({"x": TIED}),
        message="a state of optimisers.setup expected, got ndarray",
        raises=ValueError,
        subject="thaw",
    ),
    fact(
        "optimisers.keywords",
        at(MAIN, 353, 354),
        "Nesterov",
        lambda: (
            Nesterov(rho=0.8, eta=0.1) == Nesterov(0.1, 0.8)
            and AdamW(lambda_=0.3, eta=0.1) == AdamW(0.1, (0.9, 0.999), 0.3, 1e-8)
        ),
    ),
    fails(
        "optimisers.forgotten_gradient",
        at(MAIN, 360, 364),
        lambda: optimisers.update(optimisers.setup(Descent(), {"x": TIED}), {"x": TIED}),  # type: ignore[call-arg]
        message="missing 1 required positional argument: 'grads'",
        raises=TypeError,
        subject="update",
    ),
    _tie(
        "tied_sum",
        (392, 393),
        (THREES, (TENS, SEVENS)),
        {"ps": (TIED - 1.0, (TIED - 1.0, TIED - 1.0)), "one": True},
    ),
    _tie("tied_first_only", (396, 397), (THREES, None), {"ps": (TIED - 0.3, (TIED, TIED - 0.3)), "one": True}),
    _tie(
        "tied_second_only",
        (400,),
        (None, (np.array([5.0, 5.0]), SEVENS)),
        {"ps": (TIED - 0.7, (TIED - 0.5, TIED - 0.7))},
    ),
    Case(
        id="optimisers.tied_thrice",
        subject="update",
        source=at(MAIN, 407, 414),
        program=lambda ps: _tied_three(ps, False),
        inputs={"ps": {"thrice": np.array([3.0]), "y": np.array([4.0, 5.0, 6.0]), "x": np.array([7.0, 8.0])}},
        expected={"x": np.array([3.0 - 0.1 * 48.0]), "one": True, "tied_before": True},
    ),
    Case(
        id="optimisers.tied_thrice_without_one",
        subject="update",
        source=at(MAIN, 419),
        program=lambda ps: _tied_three(ps, True),
        inputs={"ps": {"thrice": np.array([3.0]), "y": np.array([4.0, 5.0, 6.0]), "x": np.array([7.0, 8.0])}},
        expected={"x": np.array([3.0 - 0.1 * 24.0]), "one": True},
    ),
    Case(
        id="optimisers.tied_by_hand",
        subject="update",
        source=at(MAIN, 458, 465, 466, 467),
        program=_tied_by_hand,
        inputs={
            "ps": {name: TIED for name in "abcd"},
            "grads": {"a": THREES, "b": SEVENS, "c": THREES, "d": TENS},
        },
        expected={
            "as_summed": np.zeros(2),
            "the_same": np.zeros(2),
            "unlike": np.array(True),
            "separate": True,
            "still": True,
        },
        tolerance=Tolerance(magnitude=3.0),
    ),
    Case(
        id="optimisers.two_gradients",
        subject="update",
        source=at(MAIN, 498),
        program=lambda ps, dx: optimisers.update(optimisers.setup(Both(), ps), ps, dx, dx)[1],
        inputs={"ps": BRANCHES, "dx": {"a": (np.array([0.1]),), "c": HUNDRED}},
        expected={"a": (np.array([-0.1]),)},
        compiles=False,
    ),
    fails(
        "optimisers.two_gradients_that_differ",
        at(MAIN, 499),
        lambda: optimisers.update(optimisers.setup(Both(), TIED), TIED, TIED, 2.0 * TIED),
        message="two gradients that agree expected",
        raises=RuntimeError,
        subject="update",
    ),
    Case(
        id="optimisers.second_gradient_not_wanted",
        subject="update",
        source=at(MAIN, 505),
        program=lambda x, dx: (
            optimisers.update(optimisers.setup(Adam(), x), x, dx)[1]
            - optimisers.update(optimisers.setup(Adam(), x), x, dx, dx)[1]
        ),
        inputs={"x": X, "dx": DX},
        expected=np.zeros(3),
        tolerance=Tolerance(magnitude=100.0),
    ),
    Case(
        id="optimisers.second_order",
        subject="update",
        source=at(MAIN, 519, 520, 521, 522),
        program=_weighted(Weighted()),
        inputs={"ps": TWO, "dx": SLOPES, "dx2": CURVES},
        expected=_weighted_by_hand(1.0),
    ),
    fails(
        "optimisers.second_order_missing",
        at(MAIN, 525),
        lambda: optimisers.update(optimisers.setup(Weighted(), TIED), TIED, TIED),
        message="not enough values to unpack",
        raises=ValueError,
        subject="update",
    ),
    Case(
        id="optimisers.second_order_in_chain",
        subject="OptimiserChain",
        source=at(MAIN, 531, 532),
        program=_weighted(OptimiserChain(Descent(0.1), Weighted())),
        inputs={"ps": TWO, "dx": SLOPES, "dx2": CURVES},
        expected=_weighted_by_hand(0.1),
    ),
    fact("optimisers.no_step", at(MAIN, 539, 541), "update", lambda: subtract(TIED, None) is TIED),
    function(
        "optimisers.norms",
        at(MAIN, 550, 552),
        "ClipNorm",
        _norms,
        draw(10, 10),
        np.array([1.0, 0.0, -3.0, 4.0]),
        expected=_numpy_norms,
        tolerance=Tolerance(reduction=100),
    ),
    function(
        "optimisers.dtypes_of_norms",
        at(MAIN, 551, 553),
        "ClipNorm",
        lambda x: all(dtype_name(norm(x, p)) == dtype_name(x) for p in NORMS),
        draw(10, 10),
        expected=True,
        compiles=False,
    ),
    function(
        "optimisers.one_without_gradient",
        at(RULES, 145, 146),
        "update",
        _one_without_gradient,
        np.ones((2, 2)),
        np.ones((2, 2)),
        np.array([[1.0, 2.0], [3.0, 4.0]]),
        expected=tuple([{"moved": np.array(True), "b": np.ones((2, 2))} for _ in ALL_RULES]),
        dtypes=("float64",),
        compiles=False,  # the rules' own tests compile them all
    ),
    function(
        "optimisers.complex",
        at(RULES, 200, 210, 213),
        "update",
        _complex_losses,
        np.zeros(1, np.complex128),
        np.array([1.0 + 1.0j]),
        expected=Property("losses that fall from 2 at each of 10 steps, below 1.9", _falls),
        dtypes=("float64",),
        compiles=False,
    ),
    Case(
        id="optimisers.accumulate",
        subject="AccumGrad",
        source=at(RULES, 242, 243, 246, 247, 250, 254),
        program=_accumulated,
        inputs={"x": draw(5), "grads": tuple([draw(5, seed=seed) for seed in (1, 2, 3, 4)])},
        expected=lambda x, grads: (x, x, *[x - 0.01 * sum(grads[:3]) / 3] * 2),
    ),
    _step(
        "float16_epsilon",
        at(RULES, 264),
        Adam(1e-4),
        np.array([0.579, -0.729, 0.5493]),
        np.array([-0.001497, 0.0001875, -0.013176]),
        expected={"ps": np.array([1.835, -0.886, 0.5493])},
        dtypes=("float16",),
        compiles=False,  # a compiler may keep more digits in between, and then nothing underflows
    ),
    Case(
        id="optimisers.mixed_precision",
        subject="MixedPrecision",
        source=at(RULES, 270, 271, 274, 275),
        program=_mixed(MixedPrecision(Adam(1e-3))),
        inputs={"x": np.array([0.25, 0.75]), "dx": np.array([0.5, 0.125])},
        expected={
            "state": (_is("float32"), (_is("float32"), _is("float32"), _is("float32"))),
            "off": np.zeros(2),
            "new": np.array([0.249, 0.749]),
        },
        dtypes=("float16",),
    ),
    Case(
        id="optimisers.mixed_precision_double",
        subject="MixedPrecision",
        source=at(RULES, 279, 280),
        program=lambda x: optimisers.setup(
            MixedPrecision(Adam(1e-3), "float64"), namespace(x).astype(x, namespace(x).float32)
        )["state"],
        inputs={"x": np.array([0.25, 0.75])},
        expected=(_is("float64"), (_is("float64"), _is("float64"), _is("float64"))),
        dtypes=("float64",),
    ),
    fact(
        "optimisers.mixed_precision_adjusted",
        at(RULES, 284, 285),
        "MixedPrecision",
        lambda: (
            optimisers.adjust(optimisers.setup(MixedPrecision(Adam(1e-3), "float64"), TIED), 2e-3)["rule"]
            == Static(MixedPrecision(Adam(2e-3), "float64"))
        ),
    ),
    fails(
        "optimisers.mixed_precision_in_chain",
        at(RULES, 287),
        lambda: OptimiserChain(MixedPrecision(Adam())),
        message="OptimiserChain expects MixedPrecision around it, not in it",
        raises=ValueError,
        subject="OptimiserChain",
    ),
    *map(_convergence, ALL_RULES),
]
