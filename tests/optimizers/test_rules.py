"""Rules change none of their inputs and keep dtypes, eager and compiled; NumPy's steps equal the formulas exactly."""

from __future__ import annotations

import numpy as np
import pytest

import luxport
from luxport import optimizers
from luxport.backend import get_backend

BACKENDS = ("numpy", "strict", "jax", "torch", "tf")
RULES = {
    "Descent": optimizers.Descent(0.1),
    "Momentum": optimizers.Momentum(0.1, 0.8),
    "Adam": optimizers.Adam(0.01),
    "AdamW": optimizers.AdamW(0.01, lambda_=0.1),
    "AdamW uncoupled": optimizers.AdamW(0.01, lambda_=0.1, couple=False),
}


def make_arrays(backend, values, dtype="float32"):
    return luxport.tree.map(lambda leaf: get_backend(backend).asarray(np.asarray(leaf, dtype)), values)


def host(values):
    def to_numpy(leaf):
        return luxport.backend.backend_of(leaf).to_numpy(leaf)

    return luxport.tree.map(to_numpy, values)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_branch_without_gradient_stays(backend):
    """Steps are 0.1, 1, 10, and a branch with the gradient None keeps its state."""
    ps = make_arrays(backend, {"a": (np.zeros(1),), "c": np.array([4.0, 3.0, 2.0])})
    state = optimizers.setup(optimizers.Momentum(0.1, 0.9), ps)
    new, new_ps = optimizers.update(state, ps, {"a": None, "c": make_arrays(backend, np.array([1.0, 10.0, 100.0]))})
    np.testing.assert_allclose(host(ps)["c"] - host(new_ps)["c"], [0.1, 1.0, 10.0], rtol=1e-5)
    np.testing.assert_allclose(host(new.leaves["c"].state), [0.1, 1.0, 10.0], rtol=1e-6)
    assert optimizers.current_rule(new, "c") == optimizers.Momentum(0.1, 0.9)
    assert new.leaves["a"] is state.leaves["a"] and new_ps["a"] is ps["a"]


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", RULES)
def test_an_update_changes_none_of_its_inputs(name, backend, compiled):
    ps = make_arrays(backend, {"w": np.ones((3, 4), np.float32)})
    state = optimizers.setup(RULES[name], ps)
    before = host(ps), host(state)
    step = luxport.jit(optimizers.update) if compiled else optimizers.update
    new_state, new_ps = state, ps
    for dx in np.random.default_rng(0).standard_normal((3, 3, 4)):
        new_state, new_ps = step(new_state, new_ps, make_arrays(backend, {"w": dx}))
    assert new_ps["w"].dtype == ps["w"].dtype
    assert luxport.tree.structure(new_state) == luxport.tree.structure(state)
    for a, b in zip(luxport.tree.leaves(before), luxport.tree.leaves((host(ps), host(state))), strict=True):
        np.testing.assert_array_equal(a, b)


def compute_by_formula(rule, x, dxs):
    """Take ten steps in the dtype of x, in the order of operations of rules.jl:36-47, 72-77, 228-238."""
    t = x.dtype.type
    eta = t(rule.eta)
    m, v = np.zeros_like(x), np.zeros_like(x)
    b1, b2 = p1, p2 = [t(beta) for beta in getattr(rule, "beta", (0.0, 0.0))]
    for dx in dxs:
        if isinstance(rule, optimizers.Descent):
            step = dx * eta
        elif isinstance(rule, optimizers.Momentum):
            step = m = t(rule.rho) * m + eta * dx
        else:
            m = b1 * m + (t(1) - b1) * dx
            v = b2 * v + (t(1) - b2) * dx * dx
            step = eta * (m / (t(1) - p1) / (np.sqrt(v / (t(1) - p2)) + t(rule.epsilon)))
            p1, p2 = p1 * b1, p2 * b2
        x = x - step
        assert step.dtype == x.dtype
    return x


def test_numpy_equals_the_formulas_to_the_bit():
    rng = np.random.default_rng(0)
    for name in ("Descent", "Momentum", "Adam"):
        x = rng.standard_normal(50).astype(np.float32)
        dxs = rng.standard_normal((10, 50)).astype(np.float32)
        state, ps = optimizers.setup(RULES[name], x), x
        for dx in dxs:
            state, ps = optimizers.update(state, ps, dx)
        np.testing.assert_array_equal(ps, compute_by_formula(RULES[name], x, dxs))


@pytest.mark.parametrize("backend", BACKENDS)
def test_dtypes_are_kept(backend):
    """As in rules.jl:124-133, parameters, states and hyper-parameters keep the dtype of the parameter.

    States of half-precision parameters are single.
    """
    dtypes = ("float32", "float64") if backend == "strict" else ("float16", "float32", "float64")
    dtypes = tuple(dtype for dtype in dtypes if (backend, dtype) != ("jax", "float64"))
    for rule in RULES.values():
        ps = tuple(get_backend(backend).asarray(np.array([1.0, 2.0], dtype)) for dtype in dtypes)
        grads = make_arrays(backend, tuple(np.array([1.0, 2.0]) for _ in ps))  # float32 for all parameters
        state, ps = optimizers.update(optimizers.setup(rule, ps), ps, grads)
        assert [leaf.dtype.name for leaf in host(ps)] == list(dtypes)
        for leaf, dtype in zip(state.leaves, dtypes, strict=True):
            wide = "float32" if dtype == "float16" else dtype
            assert {array.dtype.name for array in luxport.tree.leaves(host(leaf.state))} <= {wide}


def test_a_global_norm_spans_all_dtypes_and_groups():
    """Arrays of each dtype are a group of their own, and so are arrays that had no gradient in an earlier step."""
    ps = {"a": np.zeros(2, np.float32), "b": np.zeros(1), "c": np.zeros(1, np.float16)}
    grads = {"a": np.array([2.0, 4.0], np.float32), "b": np.array([4.0]), "c": np.array([8.0], np.float16)}
    for rule in (
        optimizers.OptimizerChain(optimizers.ClipGlobalNorm(5.0), optimizers.Momentum(1.0, 0.0)),
        optimizers.Scheduler(
            optimizers.OptimizerChain(optimizers.ClipGlobalNorm(), optimizers.Descent(1.0)), omega=5.0
        ),
    ):
        state, after = optimizers.update(optimizers.setup(rule, ps), ps, {**grads, "b": None})
        _, after = optimizers.update(state, after, grads)
        first, second = 5 / np.sqrt(84.0), 0.5
        np.testing.assert_allclose(after["a"], -grads["a"] * (first + second), rtol=1e-6)
        np.testing.assert_allclose(after["b"], -grads["b"] * second, rtol=1e-6)
        np.testing.assert_allclose(after["c"], -grads["c"] * (first + second), rtol=1e-3)


def test_a_users_rule_cannot_stand_before_a_global_norm():
    class Own:
        def init(self, x):
            return None

        def apply(self, state, x, dx):
            return state, dx

    with pytest.raises(ValueError, match=r"^optimizers.setup expects rules of luxport's own around ClipGlobalNorm"):
        optimizers.setup(optimizers.OptimizerChain(Own(), optimizers.ClipGlobalNorm(), optimizers.Adam()), np.ones(1))
    last = optimizers.OptimizerChain(optimizers.ClipGlobalNorm(1.0), Own())
    np.testing.assert_allclose(optimizers.update(optimizers.setup(last, np.ones(1)), np.ones(1), np.ones(1) * 9)[1], 0)
