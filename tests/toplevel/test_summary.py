"""`summary`: shapes and counts of each layer, and totals equal to the model's; `to_numpy`."""

from __future__ import annotations

import numpy as np
import pytest

import luxport as lp


def test_lines_list_the_layers_by_path():
    inner = lp.SkipConnection(lp.Dense(4, 4, lp.tanh), lambda a, b: a + b)
    model = lp.Chain(lp.Dense(3, 4), lp.BatchNorm(4), inner, lp.Dropout(0.1), lp.Dense(4, 2))
    found = lp.summary(model, (7, 3))
    assert [".".join(line.path) for line in found.layers] == ["layer_1", "layer_2", "layer_3", "layer_4", "layer_5"]
    assert [line.output_shape for line in found.layers] == [(7, 4)] * 4 + [(7, 2)]
    assert sum(line.parameters for line in found.layers) == found.parameters == lp.parameter_length(model)
    assert sum(line.states for line in found.layers) == found.states == lp.state_length(model)
    assert found.output_shape == lp.output_shape(model, (7, 3))


def test_inputs_may_be_arrays_or_trees():
    model = lp.Parallel(None, lp.Dense(2, 3), lp.Dense(4, 5))
    x = (np.zeros((1, 2), np.float32), np.zeros((1, 4), np.float32))
    found = lp.summary(model, x)
    assert found.output_shape == ((1, 3), (1, 5)) and found.input_shape == ((1, 2), (1, 4))
    assert str(lp.summary(model, ((1, 2), (1, 4)))) == str(found)


def test_repeated_and_missing_calls_are_counted():
    again = lp.RepeatedLayer(lp.Dense(3, 3), repeats=4)
    text = str(lp.summary(lp.Chain(again), (2, 3)))
    assert "(2, 3) (4 calls)" in text

    class Half(lp.ContainerLayer):
        used: lp.Layer
        spare: lp.Layer

        def __call__(self, x, ps, st):
            y, used = self.used(x, ps["used"], st["used"])
            return y, {**st, "used": used}

    found = lp.summary(Half(lp.Dense(2, 3), lp.Dense(2, 3)), (1, 2))
    assert [line.calls for line in found.layers] == [1, 0]
    assert "not called" in str(found)


def test_recurrent_networks_and_attention_are_summarized():
    model = lp.Chain(lp.LSTM(3, 5, num_layers=2, dropout=0.5), lp.MultiHeadAttention(5, nheads=1), lambda y: y[0])
    assert lp.summary(model, (2, 4, 3)).output_shape == lp.output_shape(model, (2, 4, 3))


def test_a_wrong_input_is_a_located_error():
    with pytest.raises(ValueError, match=r"Dense at layer_1 expects \(\.\.\., 3\), got \(7, 2\)"):
        lp.summary(lp.Chain(lp.Dense(3, 4)), (7, 2))


@pytest.mark.parametrize("backend", ["numpy", "jax", "torch", "tf"])
def test_to_numpy_copies_every_backends_arrays(backend):
    ps, st = lp.setup(0, lp.BatchNorm(2), backend=backend)
    for got, want in zip(
        lp.tree.leaves(lp.to_numpy((ps, st))), (np.zeros(2), np.ones(2), np.zeros(2), np.ones(2)), strict=True
    ):
        assert type(got) is np.ndarray
        np.testing.assert_array_equal(got, want)
