"""`train_step`, `train` and `DataLoader`: what the conformance suite does not ask."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import torch

import luxport as lp
from luxport import optimizers, training


def line(backend):
    ps = {"a": lp.asarray([3.0], backend=backend), "steps": None}
    return optimizers.setup(optimizers.Descent(0.1), ps), ps


def test_a_compiled_step(differentiating):
    state, ps = line(differentiating)

    def loss(ps, x):
        return lp.namespace(x).sum((ps["a"] * x) ** 2)

    x = lp.asarray([2.0], backend=differentiating)
    step = lp.jit(training.train_step)
    values = [float(value) for value, *_ in training.train(loss, state, ps, [x, x], step=step)]
    # d/da (2a)² = 8a: a is 3, and then 3 - 0.1 * 24.
    np.testing.assert_allclose(values, [36.0, (2 * 0.6) ** 2], rtol=1e-6)


def test_what_a_loader_refuses():
    with pytest.raises(ValueError, match="arrays with one first size, got 2 at 0, 3 at 1"):
        training.DataLoader((np.ones(2), np.ones(3)))
    with pytest.raises(ValueError, match="a positive batch_size, got 0"):
        training.DataLoader(np.ones(3), 0)


def test_a_loader_of_nothing():
    loader = training.DataLoader(np.ones((0, 2)), 2)
    assert (len(loader), [*loader]) == (0, [])


def test_an_order_is_of_its_seed():
    x = np.arange(100)
    first, second, other = [np.concatenate([*training.DataLoader(x, 7, shuffle=True, seed=seed)]) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()
    np.testing.assert_array_equal(np.sort(first), x)


@pytest.mark.parametrize("step", [training.train_step, lp.jit(training.train_step)], ids=["eager", "jit"])
def test_a_step_is_no_part_of_torchs_own_graph(step):
    ps = {"a": torch.tensor([3.0], requires_grad=True)}
    state = optimizers.setup(optimizers.Momentum(0.1), ps)
    value, state, ps = step(lambda ps: (ps["a"] ** 2).sum(), state, ps)
    assert not any(leaf.requires_grad for leaf in lp.tree.leaves((value, state, ps)))
    torch.testing.assert_close(ps["a"], torch.tensor([2.4]))


@pytest.mark.parametrize("quiet", [torch.inference_mode, torch.no_grad])
def test_gradients_where_torch_records_nothing(quiet):
    with quiet():
        x = torch.tensor([2.0])
        assert lp.grad(lambda x, y: (x**3 * y).sum())(x, x).tolist() == [24.0]
        assert lp.grad(lambda x: lp.grad(lambda x: (x**3).sum())(x).sum())(x).tolist() == [12.0]
        assert lp.vjp(lambda x: x**2, x)[1](x)[0].tolist() == [8.0]
        assert lp.jvp(lambda x: x**2, (x,), (x,))[1].tolist() == [8.0]
        assert lp.jacobian(lambda x: x**2)(x).tolist() == [[4.0]]
        state = optimizers.setup(optimizers.Descent(0.25), x)
        assert training.train_step(lambda x: (x**2).sum(), state, x)[2].tolist() == [1.0]
        if torch.is_inference_mode_enabled():
            with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
                lp.grad(lambda y: (y**2 * x).sum())(x + 1)


def test_gradients_where_a_tape_does_not_record():
    with tf.GradientTape() as tape, tape.stop_recording():
        assert lp.grad(lambda x: tf.reduce_sum(x**2))(tf.constant([3.0])).numpy().tolist() == [6.0]


def test_states_that_are_alike_are_told_apart_by_their_order():
    a, b = {"n": torch.tensor([1.0])}, {"n": torch.tensor([2.0])}
    ps = {"w": torch.tensor([0.0])}

    def loss(ps, a, b):
        return (ps["w"] * torch.inf).sum(), ({"n": a["n"] + 5}, [{"n": b["n"] + 5}], {"n": a["n"] - 1, "m": 3})

    (_, (first, (second,), third)), *_ = training.train_step(
        loss, optimizers.setup(optimizers.Descent(), ps), ps, a, b, has_aux=True
    )
    assert (first["n"].item(), second["n"].item(), third["n"].item()) == (1.0, 2.0, 0.0)
