"""`DataLoader`, and gradients where the framework records nothing, beyond the conformance suite."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import torch

import luxport as lp
from luxport import optimizers, training


def test_wrong_data_of_a_loader_is_an_error():
    with pytest.raises(ValueError, match="arrays with one first size, got 2 at 0, 3 at 1"):
        training.DataLoader((np.ones(2), np.ones(3)))
    with pytest.raises(ValueError, match="a positive batch_size, got 0"):
        training.DataLoader(np.ones(3), 0)


def test_a_loader_may_be_empty():
    loader = training.DataLoader(np.ones((0, 2)), 2)
    assert (len(loader), [*loader]) == (0, [])


def test_an_order_is_determined_by_its_seed():
    x = np.arange(100)
    first, second, other = [np.concatenate([*training.DataLoader(x, 7, shuffle=True, seed=seed)]) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()
    np.testing.assert_array_equal(np.sort(first), x)


@pytest.mark.parametrize("quiet", [torch.inference_mode, torch.no_grad])
def test_gradients_work_where_torch_records_nothing(quiet):
    with quiet():
        x = torch.tensor([2.0])
        assert lp.grad(lambda x, y: (x**3 * y).sum())(x, x).tolist() == [24.0]
        assert lp.grad(lambda x: lp.grad(lambda x: (x**3).sum())(x).sum())(x).tolist() == [12.0]
        assert lp.vjp(lambda x: x**2, x)[1](x)[0].tolist() == [8.0]
        assert lp.jvp(lambda x: x**2, (x,), (x,))[1].tolist() == [8.0]
        assert lp.jacobian(lambda x: x**2)(x).tolist() == [[4.0]]
        state = training.TrainState.create(lp.NoOpLayer(), optimizers.Descent(0.25), ps={"a": x}, st={})
        objective = lambda model, ps, st, data: ((ps["a"] ** 2).sum(), st, {})  # noqa: E731
        assert training.train_step(objective, None, state, jit=False)[2].ps["a"].tolist() == [1.0]
        if torch.is_inference_mode_enabled():
            with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
                lp.grad(lambda y: (y**2 * x).sum())(x + 1)


def test_gradients_work_where_a_tape_is_stopped():
    with tf.GradientTape() as tape, tape.stop_recording():
        assert lp.grad(lambda x: tf.reduce_sum(x**2))(tf.constant([3.0])).numpy().tolist() == [6.0]
