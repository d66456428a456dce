"""`adjust`, `freeze`, `thaw`, tied parameters, chains and clipping, beyond the tests of Optimisers.jl."""

from __future__ import annotations

import math
from dataclasses import is_dataclass, replace
from typing import Any

import jax
import numpy as np
import pytest
import torch
import torch._dynamo.testing

import luxport
from luxport import optimizers
from luxport.backend import get_backend
from luxport.optimizers import (
    AccumGrad,
    Adam,
    ClipGlobalNorm,
    ClipNorm,
    Descent,
    MixedPrecision,
    Momentum,
    OptimizerChain,
)
from luxport.tree.static import Static

COMPOUND = ("AccumGrad", "MixedPrecision", "OptimizerChain", "Scheduler")
PS = {"a": {"w": np.ones(2)}, "b": [np.ones(1), np.ones(3)]}
COMPILERS = {
    "jax": jax.jit,
    "torch": lambda f: torch.compile(f, fullgraph=True, backend="eager"),
    "tf": luxport.jit,
}


def list_rates(state):
    return [optimizers.current_rule(state, at).eta for at in ("a.w", "b.0", "b.1")]


def test_adjust_may_change_a_part_of_the_tree():
    state = optimizers.setup(Descent(0.1), PS)
    assert list_rates(optimizers.adjust(state, 0.2, at="a")) == [0.2, 0.1, 0.1]
    assert list_rates(optimizers.adjust(state, 0.2, at="b.1")) == [0.1, 0.1, 0.2]
    assert list_rates(optimizers.adjust(state, 0.2)) == [0.2, 0.2, 0.2]
    assert list_rates(state) == [0.1, 0.1, 0.1]
    for path in ("c", "b.2", "a.w.rule"):
        with pytest.raises(ValueError, match=f"the optimizers' state has nothing at {path[-1:]}|nothing at rule"):
            optimizers.adjust(state, 0.2, at=path)


def test_frozen_leaves_are_adjusted():
    state = optimizers.thaw(optimizers.adjust(optimizers.freeze(optimizers.setup(Descent(0.1), PS)), 0.3))
    assert list_rates(state) == [0.3, 0.3, 0.3] and state.leaves["a"]["w"].frozen is None


NAMES = [name for name in optimizers.__all__ if is_dataclass(getattr(optimizers, name)) and name not in COMPOUND]
RULES = [getattr(optimizers, name)() for name in NAMES]


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_every_number_of_a_rule_is_adjusted(rule):
    state = optimizers.setup(rule, {"w": np.ones(2)})
    numbers = state.groups[0].values
    for name in numbers:
        value = getattr(rule, name)
        other = tuple(0.5 * one for one in value) if isinstance(value, tuple) else 0.5 * value
        options: Any = {name: other}
        adjusted = optimizers.current_rule(optimizers.adjust(state, **options))
        assert adjusted == replace(rule, **{name: other})


def test_wrong_adjustments_are_errors():
    state = optimizers.setup(optimizers.RMSProp(), PS)
    with pytest.raises(ValueError, match="expects eta as a learning rate of at least 0, got -1"):
        optimizers.adjust(state, -1.0)
    with pytest.raises(ValueError, match="^adjust expects a hyper-parameter to change"):
        optimizers.adjust(state)
    with pytest.warns(UserWarning, match="^adjust found no rule with a hyper-parameter centered$"):
        assert optimizers.current_rule(optimizers.adjust(state, centered=True)) == optimizers.RMSProp()


@pytest.mark.parametrize("backend", ["numpy", "strict", "jax", "torch", "tf"])
@pytest.mark.parametrize("rule", [Adam(), OptimizerChain(ClipNorm(), Momentum()), MixedPrecision(Adam(), "float32")])
def test_a_hyper_parameter_may_be_an_array(rule, backend):
    asarray, to_numpy = get_backend(backend).asarray, get_backend(backend).to_numpy
    x, dx = asarray(np.array([1.0, 2.0], np.float32)), asarray(np.array([0.5, -3.0], np.float32))
    by_number = optimizers.adjust(optimizers.setup(rule, x), 0.25)
    by_array = optimizers.adjust(optimizers.setup(rule, x), asarray(np.asarray(0.25, np.float32)))
    assert luxport.tree.structure(by_array) == luxport.tree.structure(optimizers.setup(rule, x))
    for _ in range(2):
        by_number, one = optimizers.update(by_number, x, dx)
        by_array, other = optimizers.update(by_array, x, dx)
    np.testing.assert_allclose(to_numpy(one), to_numpy(other), rtol=1e-6)  # type: ignore[possibly-undefined]


def test_betas_may_be_arrays():
    x, beta = np.ones(2), (np.array(0.5), np.array(0.75))
    state = optimizers.adjust(optimizers.setup(Adam(), x), beta=beta)
    state, _ = optimizers.update(state, x, np.ones(2))
    np.testing.assert_allclose(state.leaves.state[0], 0.5)
    state = optimizers.adjust(state, beta=(0.25, 0.5))
    state, _ = optimizers.update(state, x, np.ones(2))
    np.testing.assert_allclose(state.leaves.state[0], 0.5 * 0.25 + 0.75)


def test_new_hyper_parameters_compile_nothing():
    """Ten learning rates and betas, and new states: one program, on every framework with its own compiler."""

    def count(backend):
        asarray, calls = get_backend(backend).asarray, []

        def step(state, x, dx):
            calls.append(None)
            return optimizers.update(state, x, dx)

        counter = torch._dynamo.testing.CompileCounter()
        compiled = {
            "jax": lambda: jax.jit(step),
            "torch": lambda: torch.compile(
                lambda state, x, dx: optimizers.update(state, x, dx), fullgraph=True, backend=counter
            ),
            "tf": lambda: luxport.jit(step),
        }[backend]()
        x, dx = (asarray(np.full(2, value, np.float32)) for value in (1.0, 0.5))
        for rate in (0.0, 0.1):
            state = optimizers.setup(optimizers.AdamW(rate), x)
            for i in range(10):
                state, x = compiled(optimizers.adjust(state, 0.1 * i, beta=(0.5, 0.1 * i)), x, dx)
            state, x = compiled(optimizers.adjust(state, asarray(np.asarray(0.5, np.float32))), x, dx)
        return counter.frame_count if backend == "torch" else len(calls)

    assert [count(backend) for backend in ("jax", "torch", "tf")] == [1, 1, 1]


@pytest.mark.parametrize("backend", ["jax", "torch", "tf"])
def test_tied_parameters_stay_tied_in_compiled_programs(backend):
    """A compiled program returns a tied array as several; the state records that they are one."""
    asarray, to_numpy = get_backend(backend).asarray, get_backend(backend).to_numpy
    w = asarray(np.array([1.0, 2.0], np.float32))
    ps = {"layer_10": {"w": w}, "layer_2": {"w": w}}
    state = optimizers.setup(Momentum(0.1), ps)
    assert state.leaves["layer_2"]["w"].first == Static(("layer_10", "w"))
    compiled = COMPILERS[backend](optimizers.update)
    grads = {"layer_10": {"w": w}, "layer_2": {"w": w + 1.0}}
    for _ in range(2):
        state, ps = compiled(state, ps, grads)
    # The gradients (1 + 2) and (2 + 3) are added for the tied array, at a rate of 0.1, and momentum makes the second
    # step 1.9 times as long.
    wanted = np.array([1.0, 2.0]) - np.array([0.3, 0.5]) * (1 + 1.9)
    for layer in ps.values():
        np.testing.assert_allclose(to_numpy(layer["w"]), wanted, rtol=1e-5)


def test_a_tied_parameter_is_frozen_by_its_first_path():
    w = np.ones(1)
    state = optimizers.setup(Descent(1.0), {"a": w, "b": w})
    with pytest.raises(ValueError, match="^this parameter is tied to the one at a: name that one$"):
        optimizers.freeze(state, "b")
    frozen = optimizers.freeze(state, "a")
    new = optimizers.update(frozen, {"a": w, "b": w}, {"a": w, "b": w})[1]
    assert new["a"] is w and new["b"] is w


@pytest.mark.parametrize("backend", ["numpy", "strict", "jax", "torch", "tf"])
def test_accumulated_gradients_leave_the_rest_of_the_chain_alone(backend):
    """OPT-23 and 24: states of later rules change only with the last gradient; Adam's powers count steps."""
    asarray = get_backend(backend).asarray
    x = asarray(np.zeros(2, np.float32))
    state = optimizers.setup(OptimizerChain(AccumGrad(3), Adam(0.1)), x)
    powers, moved = [], []
    for i in range(6):
        state, new = optimizers.update(state, x, asarray(np.full(2, 1.0 + i, np.float32)))
        powers.append(round(float(state.groups[0].clock[1][0]), 4))
        moved.append(bool(new[0] != x[0]))
    assert powers == [0.9, 0.9, 0.81, 0.81, 0.81, 0.729]
    assert moved == [False, False, True, False, False, True]
    assert int(state.groups[0].clock[0]) == 1


def test_accumulated_gradients_with_mixed_precision():
    """MixedPrecision around a chain that steps at every second call: parameters are the rounded copy."""
    x = np.array([1.0, 2.0], np.float16)
    state = optimizers.setup(MixedPrecision(OptimizerChain(AccumGrad(2), Descent(1e-4))), x)
    for _ in range(20):
        state, x = optimizers.update(state, x, np.ones(2, np.float16))
    np.testing.assert_allclose(state.leaves.state[0], [0.999, 1.999], rtol=1e-6)
    np.testing.assert_array_equal(x, state.leaves.state[0].astype(np.float16))
    assert x.dtype == np.float16


ENGINES = [("numpy", False), ("jax", False), ("jax", True), ("torch", False), ("tf", False), ("tf", True)]
LARGEST = (("float32", 3e38, 1e-5), ("bfloat16", 3e38, 2.0**-8), ("float16", 6e4, 2.0**-11))


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0, math.inf])
@pytest.mark.parametrize(("name", "compiled"), ENGINES)
def test_clipping_a_norm_that_overflows(name, p, compiled):
    """The expected value is the formula in NumPy's longdouble."""
    assert_clipped(name, p, compiled, lambda x: ClipNorm(2.0, p).apply(None, x, x)[1])


@pytest.mark.parametrize(("name", "compiled"), ENGINES)
def test_clipping_a_global_norm_that_overflows(name, compiled):
    """The expected value is the formula in NumPy's longdouble, of two arrays joined to one."""

    def clip_by_rule(x):
        rule = OptimizerChain(ClipGlobalNorm(2.0), Descent(1.0))
        zeros = split(x * 0.0)
        return {
            name: -leaf for name, leaf in optimizers.update(optimizers.setup(rule, zeros), zeros, split(x))[1].items()
        }

    def split(x):
        return {"a": x[:2], "b": x[2:]}

    def join(found):
        return luxport.namespace(found["a"]).concat([found["a"], found["b"]])

    assert_clipped(name, 2.0, compiled, lambda x: join(clip_by_rule(x)))
    assert_clipped(name, 2.0, compiled, lambda x: join(optimizers.clip_by_global_norm(split(x), 2.0)))


def assert_clipped(name, p, compiled, clip):
    backend = get_backend(name)
    program = luxport.jit(clip) if compiled else clip
    for dtype, size, eps in LARGEST:
        x = luxport.asarray(np.array([0.75, -1.0, 0.0]) * size, backend=name, dtype=dtype)
        exact = backend.to_numpy(luxport.f32(x)).astype(np.longdouble)
        norm = abs(exact).max() if math.isinf(p) else np.sum(abs(exact) ** p) ** (1 / np.longdouble(p))
        want = (exact * (2.0 / norm)).astype(float)
        np.testing.assert_allclose(backend.to_numpy(luxport.f32(program(x))), want, rtol=1.01 * eps, atol=0)


@pytest.mark.parametrize("backend", ["numpy", "jax", "torch", "tf"])
def test_clipping_below_the_limit_keeps_small_numbers(backend):
    x = luxport.asarray(np.array([1e30, 1e-30], np.float32), backend=backend)
    rule = OptimizerChain(ClipGlobalNorm(1e31), Descent(1.0))
    for found in (
        optimizers.clip_by_global_norm(x, 1e31),
        -optimizers.update(optimizers.setup(rule, x * 0.0), x * 0.0, x)[1],
    ):
        np.testing.assert_array_equal(get_backend(backend).to_numpy(found), get_backend(backend).to_numpy(x))


def test_clipping_in_half_precision_does_not_overflow():
    """The square of 300 overflows in float16."""
    x = np.zeros(2, np.float16)
    _, new = optimizers.update(optimizers.setup(ClipNorm(5.0), x), x, np.array([300.0, 400.0], np.float16))
    np.testing.assert_allclose(new, [-3.0, -4.0], rtol=1e-3)


@pytest.mark.parametrize("backend", ["jax", "torch", "tf"])
def test_a_compiled_clip_gives_nan_where_an_eager_one_raises(backend):
    asarray, to_numpy = get_backend(backend).asarray, get_backend(backend).to_numpy
    x, dx = asarray(np.zeros(2, np.float32)), asarray(np.array([1.0, np.nan], np.float32))
    state = optimizers.setup(ClipNorm(), x)
    with pytest.raises(ValueError, match="finite 2-norm, got nan"):
        optimizers.update(state, x, dx)
    compiled = COMPILERS[backend](optimizers.update)
    assert np.isnan(to_numpy(compiled(state, x, dx)[1])).all()


def test_chains_are_printed_and_compared_by_their_rules():
    assert repr(OptimizerChain(Descent(0.5), AccumGrad(2))) == "OptimizerChain(Descent(eta=0.5), AccumGrad(n=2))"
    assert OptimizerChain(Descent(0.5)) == OptimizerChain(Descent(0.5)) != OptimizerChain(Descent(0.25))
    assert hash(OptimizerChain(Adam())) == hash(OptimizerChain(Adam()))
    with pytest.raises(ValueError, match="expects n as an int of at least 1, got 0"):
        AccumGrad(0)
    with pytest.raises(ValueError, match="'int32'"):
        MixedPrecision(Adam(), "int32")
