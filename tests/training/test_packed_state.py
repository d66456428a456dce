"""A state that compiled steps keep in few buffers reads like one that other steps return."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import luxport
from luxport import losses, optimizers, tree
from luxport.training import StateTakenError, TrainState, train_step

MODEL = luxport.Chain(
    luxport.Dense(4, 8, luxport.relu), luxport.BatchNorm(8), luxport.Dropout(0.1), luxport.Dense(8, 1)
)
X = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
BACKENDS = ("jax", "tf")  # backends that declare the capability
EAGER = "torch"  # PyTorch compiles no single operations as JAX does, so it gives the same numbers faster


def take_steps(backend: str, rule: Any, steps: int = 2, **options: Any) -> tuple[Any, TrainState]:
    state = TrainState.create(MODEL, rule, backend=backend)
    x = luxport.asarray(X, backend=backend)
    loss = None
    for _ in range(steps):
        loss, _, state = train_step(losses.MSELoss(), (x, x[:, :1]), state, **options)
    return loss, state


def expect_same(one: Any, other: Any, rtol: float = 0.0) -> None:
    assert tree.structure(one) == tree.structure(other)
    for a, b in zip(tree.leaves(one), tree.leaves(other), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=rtol, atol=rtol)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("rule", "joined"),
    [
        (optimizers.AdamW(0.01, lambda_=0.1), True),
        (optimizers.OptimizerChain(optimizers.ClipNorm(0.1), optimizers.Momentum(0.1)), False),
    ],
)
def test_packed_steps_equal_steps_on_trees(backend: str, rule: Any, joined: bool) -> None:
    """Arrays are joined for elementwise rules, but not for a rule that needs the norm of each."""
    loss, state = take_steps(backend, rule)
    expected, other = take_steps(EAGER, rule, jit=False)
    assert state.lazy is not None and other.lazy is None
    assert (state.lazy.packed[0].value.leaf_structure is not None) == joined
    assert len(state.lazy.packed[1]) <= 4
    np.testing.assert_allclose(float(loss), float(expected), rtol=1e-5)
    expect_same(state, other, rtol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_entries_are_unpacked_when_they_are_read(backend: str) -> None:
    _, state = take_steps(backend, optimizers.Adam(0.01))
    program, ps, st, opt_state, step, _, scale = state
    assert program is state.program and ps is state.ps and state[2] is st and state[-1] is scale is None
    assert int(step) == 2 and state.opt_state is opt_state and list(ps) == [f"layer_{i}" for i in range(1, 5)]
    expect_same(copy.copy(state), state)
    expect_same(state._replace(st=st), state)
    expect_same(tree.map(lambda leaf: leaf, state), state)
    before = np.asarray(ps["layer_1"]["weight"])
    adjusted = state.adjust(0.5)
    assert optimizers.current_rule(adjusted.opt_state).eta == 0.5
    x = luxport.asarray(X, backend=backend)
    kept = train_step(losses.MSELoss(), (x, x[:, :1]), adjusted, donate=False)[2]
    assert int(kept.step) == 3 and np.array_equal(np.asarray(adjusted.ps["layer_1"]["weight"]), before)
    train_step(losses.MSELoss(), (x, x[:, :1]), kept)
    for look in (lambda: kept.ps, lambda: list(kept), lambda: kept[1]):
        with pytest.raises(StateTakenError):
            look()


def test_jax_flattens_states_in_either_form() -> None:
    import jax

    _, state = take_steps("jax", optimizers.Adam(0.01))
    plain = TrainState.create(MODEL, optimizers.Adam(0.01), backend="jax")
    moved = jax.tree.map(lambda new, old: new - old, state, plain)
    assert int(moved.step) == 2 and type(moved) is TrainState
    assert int(jax.jit(lambda state: state.step + 1)(state)) == 3
    expect_same(pickle.loads(pickle.dumps(state.ps)), state.ps)
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(state)]
    assert ".ps['layer_1']['bias']" in paths


def test_a_state_may_grow_during_a_step() -> None:
    """The first call of a stateful cell adds its carry to the states, which the next program begins with."""
    model = luxport.Chain(luxport.StatefulRecurrentCell(luxport.RNNCell(4, 3)), luxport.Dense(3, 1))
    found = []
    for backend in ("jax", EAGER):
        x = luxport.asarray(X, backend=backend)
        state = TrainState.create(model, optimizers.Adam(0.01), backend=backend)
        for _ in range(3):
            _, _, state = train_step(losses.MSELoss(), (x, x[:, :1]), state, jit=backend == "jax")
        found.append(state)
    expect_same(*found, rtol=1e-5)


def penalized_error(model: Any, ps: Any, st: Any, data: Any) -> Any:
    """Return the error plus cubes of weights, which use single layers' parameters directly."""
    y, st = model(data[0], ps, st)
    weights = ps["layer_2"]["weight"], ps["layer_6"]["weight"]
    return ((y - data[1]) ** 2).mean() + sum([(weight**3).sum() for weight in weights]), st, {}


@pytest.mark.parametrize("objective", [losses.MSELoss(), penalized_error])
def test_layers_in_a_scan_are_stepped_as_stacked_arrays(objective: Any) -> None:
    """Parameters of equal layers are one array between steps; entries and results are those of separate layers."""
    block = luxport.Chain(luxport.Dense(4, 4, luxport.tanh), luxport.BatchNorm(4), luxport.Dropout(0.3))
    layers = luxport.Dense(4, 4), *[block] * 3, *[luxport.Dense(4, 4)] * 2
    if objective is penalized_error:
        layers = (luxport.Dense(4, 4),) * 6
    x = luxport.asarray(X, backend="jax")
    found = []
    for scan in (True, False):
        model = luxport.Chain(*layers, scan=scan)
        state = TrainState.create(model, optimizers.AdamW(0.01), backend="jax")
        for _ in range(3):
            _, _, state = train_step(objective, (x, x[:, ::-1]), state)
        layout, buffers = state.lazy.packed
        shapes = {tuple(array.shape) for array in layout.value.unpack_joined(buffers).ps.values()}
        assert ((3, 4, 4) in shapes or (6, 4, 4) in shapes) == scan
        found.append((state.ps, state.st, state.opt_state))
    expect_same(*found, rtol=1e-5)


def test_a_program_of_scanned_layers_does_not_grow_with_depth() -> None:
    import jax

    def count_products(depth: int) -> int:
        model = luxport.Chain(*[luxport.Dense(4, 4)] * depth, scan=True)
        ps, st = luxport.setup(0, model, backend="jax")
        text = str(jax.make_jaxpr(jax.grad(lambda x: model(x, ps, st)[0].sum()))(luxport.asarray(X, backend="jax")))
        return text.count("dot_general")

    assert count_products(3) == count_products(30) == 2


@pytest.mark.parametrize(
    ("options", "loops"), [({"accumulate": 4}, True), ({"steps_per_call": 4}, True), ({"steps_per_call": 2}, False)]
)
def test_many_steps_in_a_call_are_compiled_as_a_loop(options: Any, loops: bool) -> None:
    """The program does not grow with them, except for convolutions, which are slow inside loops on a CPU."""
    model: Any = luxport.Chain(luxport.Dense(4, 4, luxport.tanh), luxport.BatchNorm(4), luxport.Dropout(0.1))
    if not loops:
        model = luxport.Chain(luxport.ReshapeLayer((1, 4)), luxport.Conv((4,), 1, 4), luxport.FlattenLayer(), model)
    calls = 0

    def objective(model: Any, ps: Any, st: Any, data: Any) -> Any:
        nonlocal calls
        calls += 1
        y, st = model(data[0], ps, st)
        return ((y - data[1]) ** 2).mean(), st, {"error": abs(y - data[1]).mean(), "count": data[0].shape[0]}

    def objective_without_count(*given: Any) -> Any:
        loss, st, stats = objective(*given)
        return loss, st, {"error": stats["error"]}

    parts = max(options.values())
    found = []
    for backend in (EAGER, "jax"):
        calls = 0
        x = luxport.asarray(X, backend=backend)
        data = (x, x) if "accumulate" in options else [(x + i, x) for i in range(parts)]
        state = TrainState.create(model, optimizers.Adam(0.01), backend=backend)
        loss, stats, state = train_step(objective_without_count, data, state, jit=backend == "jax", **options)
        assert calls == ((1 if loops else 1 + parts) if backend == "jax" else parts)
        found.append((loss, stats, state))
    expect_same(*found, rtol=1e-5)
    if not loops:  # Python numbers stay as they are
        assert [stats["count"] for stats in train_step(objective, data, state, **options)[1]] == [16] * parts
