"""`setup` and `update` as functions of trees: leaves they skip, errors, and transforms of frameworks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import optree
import pytest
import tensorflow as tf
import torch
import torch._dynamo.testing

import luxport
from luxport import optimizers
from luxport.backend import get_backend
from luxport.tree.static import Static

MODEL = luxport.Chain(luxport.Dense(3, 4, luxport.tanh), luxport.Dense(4, 2))


def make_batch(backend):
    return get_backend(backend).asarray(np.linspace(-1.0, 1.0, 6, dtype=np.float32).reshape(2, 3))


def train_step(opt, ps, st, x):
    def loss(ps):
        y, new_st = MODEL(x, ps, st)
        return luxport.backend.namespace(y).sum(y * y), new_st

    (value, st), grads = luxport.value_and_grad(loss, has_aux=True)(ps)
    opt, ps = optimizers.update(opt, ps, grads)
    return value, opt, ps, st


def set_up(backend):
    ps, st = luxport.setup(0, MODEL, backend=backend)
    return optimizers.setup(optimizers.Adam(0.1), ps), ps, st


COMPILERS = {
    "jax": (jax.jit, luxport.jit),
    "torch": (lambda f: torch.compile(f, fullgraph=True), luxport.jit),
    "tf": (tf.function, luxport.jit),
}


@pytest.mark.parametrize("whose", [0, 1], ids=["the framework's", "luxport's"])
@pytest.mark.parametrize("backend", COMPILERS)
def test_a_training_step_compiles(backend, whose):
    compile_it: Any = COMPILERS[backend][whose]
    step, x = compile_it(train_step), make_batch(backend)
    eager: Any = set_up(backend)
    compiled: Any = set_up(backend)
    values = []
    for _ in range(4):
        value, *eager = train_step(eager[0], eager[1], eager[2], x)
        other, *compiled = step(*compiled, x)
        np.testing.assert_allclose(float(value), float(other), rtol=1e-5)
        values.append(float(value))
    assert values[-1] < values[0]
    assert optree.tree_structure(eager[0]) == optree.tree_structure(compiled[0])


def test_jax_compiles_once_for_one_rule(counted_update):
    step, traces = counted_update
    opt, ps, _ = set_up("jax")
    for _ in range(3):
        opt, ps = step(opt, ps, ps)
    assert len(traces) == 1


def test_torch_compiles_once_for_one_rule():
    traces = torch._dynamo.testing.CompileCounter()
    step = torch.compile(lambda opt, ps, dx: optimizers.update(opt, ps, dx), backend=traces, fullgraph=True)
    opt, ps, _ = set_up("torch")
    for _ in range(3):
        opt, ps = step(opt, ps, ps)
    assert traces.frame_count == 1


def test_jax_vmaps_over_an_ensemble():
    opts, pss = zip(*[set_up("jax")[:2] for _ in range(2)], strict=True)
    stack = lambda *leaves: jax.numpy.stack(leaves)  # noqa: E731
    opt, ps = jax.tree.map(stack, *opts), jax.tree.map(stack, *pss)
    _, together = jax.vmap(optimizers.update)(opt, ps, ps)
    _, alone = optimizers.update(opts[0], pss[0], pss[0])
    np.testing.assert_allclose(together["layer_1"]["weight"][1], alone["layer_1"]["weight"], rtol=1e-6)


def test_integers_functions_and_none_are_skipped():
    """OPT-37: only floating and complex arrays are optimized."""
    ps = {"a": np.ones(2), "n": np.array([3]), "f": np.sin, "none": None}
    opt = optimizers.setup(optimizers.Descent(0.1), ps)
    assert opt.leaves == {"a": opt.leaves["a"], "n": None, "f": None, "none": None}
    _, new = optimizers.update(opt, ps, {"a": np.ones(2), "n": np.ones(1), "f": None, "none": None})
    np.testing.assert_allclose(new["a"], [0.9, 0.9])
    assert new["n"] is ps["n"] and new["f"] is np.sin and new["none"] is None


def test_nothing_to_optimize_warns():
    """OPT-30 (Optimisers.jl src/interface.jl:34)."""
    with pytest.warns(UserWarning, match="found no floating array"):
        assert optimizers.setup(optimizers.Adam(), {"n": np.array([1])}) == ((), {"n": None})


def test_the_state_is_a_plain_tree():
    opt = optimizers.setup(optimizers.Adam(), {"w": np.ones((2, 3), np.float32)})
    ((rule, values, powers, size),), leaves = opt
    assert optimizers.current_rule(opt) == optimizers.Adam() and size == Static(1)
    assert rule == Static(optimizers.Adam(0.0, (0.0, 0.0), 0.0))
    assert set(values) == {"eta", "beta", "epsilon"} and values["eta"] == np.float32(0.001)
    m, v = leaves["w"].state
    assert m.shape == v.shape == (2, 3)
    np.testing.assert_array_equal(powers, np.array([0.9, 0.999], np.float32))


def test_a_leaf_without_gradient_keeps_its_powers():
    """Optimisers.jl issue 140: without a gradient there is no step, so the bias correction does not change either."""
    ps = {"a": np.ones(1), "b": np.ones(1)}
    opt = optimizers.setup(optimizers.Adam(), ps)
    opt, _ = optimizers.update(opt, ps, {"a": np.ones(1), "b": None})
    one, other = opt.leaves["a"], opt.leaves["b"]
    np.testing.assert_allclose(opt.groups[one.group.value].clock, [0.9**2, 0.999**2])
    np.testing.assert_allclose(opt.groups[0].clock, [0.9, 0.999])
    assert other.group is None


def test_a_frozen_leaf_is_not_changed():
    ps = {"a": np.ones(1)}
    opt = optimizers.setup(optimizers.Adam(), ps)
    opt = optimizers.freeze(opt)
    new_opt, new = optimizers.update(opt, ps, {"a": np.ones(1)})
    assert new["a"] is ps["a"] and new_opt.leaves["a"] is opt.leaves["a"]


@dataclass(frozen=True)
class EveryOther:
    """A user's rule: plain descent at every second call."""

    def init(self, x):
        return {"calls": luxport.backend.namespace(x).zeros_like(x)}

    def apply(self, state, x, dx):
        calls = state["calls"] + 1.0
        return {"calls": calls}, dx * (calls % 2)


@dataclass(frozen=True)
class Never:
    """A user's rule that never steps."""

    def init(self, x):
        return None

    def apply(self, state, x, dx):
        return None, None


def test_users_may_define_rules():
    ps = (np.ones(2),)
    opt = optimizers.setup(EveryOther(), ps)
    opt, ps = optimizers.update(opt, ps, (np.ones(2),))
    np.testing.assert_array_equal(ps[0], [0.0, 0.0])
    opt, ps = optimizers.update(opt, ps, (np.ones(2),))
    np.testing.assert_array_equal(ps[0], [0.0, 0.0])
    _, same = optimizers.update(optimizers.setup(Never(), ps), ps, (np.ones(2),))
    assert same[0] is ps[0]


@pytest.mark.parametrize(
    ("grads", "message"),
    [
        (
            {"layer_1": {"weight": np.ones((2, 3)), "bias": np.ones(4)}},
            "update expects a gradient of shape (3, 4) at layer_1.weight, got (2, 3)",
        ),
        (
            {"layer_1": {"weight": np.ones((3, 4))}},
            "update expects a gradient with entries {weight, bias} at layer_1, got entries {weight}",
        ),
        ({"layer_1": np.ones(3)}, "update expects a gradient with entries {weight, bias} at layer_1, got ndarray"),
        (
            {"layer_1": {"weight": {}, "bias": None}},
            "update expects a gradient of shape (3, 4) at layer_1.weight, got dict",
        ),
        ({}, "update expects a gradient with entries {layer_1}, got entries {}"),
        (
            {"layer_1": {"weight": np.ones((3, 4)) * 1j, "bias": None}},
            "update expects a real gradient at layer_1.weight, got a complex one",
        ),
    ],
)
def test_gradients_of_another_structure_are_errors(grads, message):
    ps = {"layer_1": {"weight": np.ones((3, 4)), "bias": np.ones(4)}}
    opt = optimizers.setup(optimizers.Adam(), ps)
    with pytest.raises(ValueError) as caught:
        optimizers.update(opt, ps, grads)
    assert str(caught.value) == message


def test_sequences_and_states_of_another_structure_are_errors():
    ps = [np.ones(1), np.ones(1)]
    opt = optimizers.setup(optimizers.Adam(), ps)
    with pytest.raises(ValueError, match="^update expects a gradient with 2 entries, got 1$"):
        optimizers.update(opt, ps, [np.ones(1)])
    with pytest.raises(ValueError, match=r"^update expects a state of optimizers.setup at 0, got an array \(1,\)$"):
        optimizers.update(ps, ps, ps)
    with pytest.raises(ValueError, match="^update expects a state with 2 entries, got dict$"):
        optimizers.update({}, ps, ps)


def test_gradients_of_another_backend_are_refused():
    ps = {"w": np.ones(2, np.float32)}
    with pytest.raises(TypeError, match="arrays of one backend, got numpy and torch together"):
        optimizers.update(optimizers.setup(optimizers.Adam(), ps), ps, {"w": torch.ones(2)})
