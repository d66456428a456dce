"""Eager steps of PyTorch that keep flat lists of arrays equal steps through trees, whatever is read in between."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import luxport as lp
from luxport import losses, optimizers, tree
from luxport.training import NonFiniteError, StateTakenError, TrainState, train_step

MODEL = lp.Chain(lp.Dense(4, 8, lp.relu), lp.BatchNorm(8), lp.Dropout(0.1), lp.Dense(8, 1))
LOSS = losses.MSELoss()
X = torch.from_numpy(np.random.default_rng(0).standard_normal((16, 4)))


def create_state(dtype: str = "float32", rule: Any = None) -> TrainState:
    return TrainState.create(MODEL, rule or optimizers.Adam(0.01), backend="torch", dtype=dtype)


def step(state: TrainState, **options: Any) -> TrainState:
    x = X.to(state.st["layer_2"]["running_var"].dtype)
    return train_step(LOSS, (x, x[:, :1]), state, jit=False, **options)[2]


def expect_same(one: TrainState, other: TrainState) -> None:
    """Assert equal structure, dtypes and bits."""
    assert tree.structure(one) == tree.structure(other)
    for a, b in zip(tree.leaves(one), tree.leaves(other), strict=True):
        assert a.dtype == b.dtype and torch.equal(a, b) and not a.requires_grad


def keep_state(state: TrainState) -> TrainState:
    return state


def change_in_place(state: TrainState) -> TrainState:
    state.ps["layer_4"]["weight"].mul_(2.0)
    state.opt_state.groups[0].clock[1].mul_(0.5)
    state.opt_state.groups[0].values["eta"].mul_(0.5)
    return state


def replace_array(state: TrainState) -> TrainState:
    state.ps["layer_4"]["bias"] = torch.ones_like(state.ps["layer_4"]["bias"])
    return state


BETWEEN: dict[str, Callable[[TrainState], TrainState]] = {
    "nothing": keep_state,
    "adjusted": lambda state: state.adjust(0.5, beta=(0.8, 0.99)),
    "changed in place": change_in_place,
    "another array": replace_array,
    "replaced": lambda state: state.replace(ps=tree.map(lambda x: 3.0 * x, state.ps)),
    "copied": copy.deepcopy,
    "pickled": lambda state: pickle.loads(pickle.dumps(state)),
    "test mode": lambda state: state.replace(st=lp.test_mode(state.st)),
    "rows of channels": lambda state: state.replace(
        ps={**state.ps, "layer_1": {**state.ps["layer_1"], "weight": state.ps["layer_1"]["weight"].T.contiguous().T}}
    ),
}


@pytest.mark.parametrize("between", BETWEEN.values(), ids=BETWEEN)
def test_steps_on_lists_equal_steps_on_trees(between: Callable[[TrainState], TrainState]) -> None:
    """A step with `donate=False` goes through the trees."""
    state, other = create_state(), create_state()
    for change in (keep_state, keep_state, between, keep_state):
        state, other = step(change(state)), step(change(other), donate=False)
    assert other.lazy is None
    expect_same(state, other)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers_of_beta_are_rounded_as_on_trees(dtype: str) -> None:
    state, other = create_state(dtype), create_state(dtype)
    for _ in range(40):
        state, other = step(state), step(other, donate=False)
    expect_same(state, other)


def test_entries_are_built_when_they_are_read() -> None:
    state = step(step(create_state()))
    assert state.lazy is not None and not state.lazy.is_seen
    assert int(state.step) == 2 and state.step is state.step and not state.lazy.is_seen
    ps = state.ps
    assert state.ps is ps and state.lazy.is_seen and state.opt_state.leaves["layer_1"]["bias"].group is None
    kept = step(state, donate=False)
    assert int(kept.step) == 3 and kept.ps["layer_1"]["bias"] is not ps["layer_1"]["bias"]
    after = step(state)
    assert after.ps["layer_1"]["bias"] is ps["layer_1"]["bias"]
    expect_same(after, kept)
    for look in (lambda: state.ps, lambda: list(state), lambda: state[1]):
        with pytest.raises(StateTakenError):
            look()


def test_an_objective_that_fails_leaves_the_state() -> None:
    def failing(model: Any, ps: Any, st: Any, data: Any) -> Any:
        LOSS(model, ps, st, data)
        raise ValueError("no loss")

    state, other = step(create_state()), step(create_state(), donate=False)
    with pytest.raises(ValueError, match="no loss"):
        train_step(failing, (X.float(), X[:, :1].float()), state, jit=False)
    assert torch.is_grad_enabled()
    expect_same(step(state), step(other, donate=False))


@pytest.mark.parametrize("nonfinite", ["skip", "raise"])
@pytest.mark.parametrize(
    ("factor", "taken"),
    [(1.0, True), (math.inf, False), (math.nan, False), (1e25, True)],
    ids=["usual", "infinite", "NaN", "finite, of an infinite norm"],
)
def test_a_step_that_is_not_finite_is_not_taken(nonfinite: str, factor: float, taken: bool) -> None:
    """If the norm is infinite, each number is tested, because squares of finite numbers may overflow."""

    def objective(model: Any, ps: Any, st: Any, data: Any) -> Any:
        loss, st, _ = LOSS(model, ps, st, data)
        return loss + factor * ps["layer_4"]["bias"].sum(), st, {}

    state, other = create_state(), create_state()
    data = X.float(), X[:, :1].float()
    for one in (LOSS, objective, LOSS):
        found = []
        for before, options in ((state, {}), (other, {"donate": False})):
            try:
                found.append(train_step(one, data, before, jit=False, nonfinite=nonfinite, **options)[2])
            except NonFiniteError as error:
                found.append(error.state)
        state, other = found
    assert state.lazy is not None and other.lazy is None
    expect_same(state, other)
    assert int(state.step) == 2 + taken and int(state.skipped) == 1 - taken


@pytest.mark.parametrize(
    "state",
    [create_state(rule=optimizers.AdamW(0.01)), create_state(rule=optimizers.OptimizerChain(optimizers.Adam()))],
    ids=["another rule", "a chain"],
)
def test_other_rules_go_through_the_trees(state: TrainState) -> None:
    assert step(state).lazy is None


def test_arrays_with_a_graph_go_through_the_trees() -> None:
    """Such as an array that requires a gradient, or a tensor of inference mode."""
    state = create_state()
    state.ps["layer_1"]["bias"].requires_grad_()
    assert step(state).lazy is None
    state, other = step(create_state("float64")), step(create_state("float64"), donate=False)
    assert state.lazy is not None
    with torch.inference_mode():
        state, other = step(state), step(other, donate=False)
    assert state.lazy is None
    expect_same(step(state), step(other, donate=False))
