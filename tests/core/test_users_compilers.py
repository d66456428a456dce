"""Transforms and compilers of the frameworks, called directly on ``model(x, ps, st)``."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
import tensorflow as tf
import torch

import luxport as lp

LAYERS = {
    "Chain": (lp.Chain(lp.Dense(3, 4, lp.tanh), lp.BatchNorm(4), lp.Dropout(0.5), lp.Dense(4, 2)), (4, 3)),
    "Dense": (lp.Dense(3, 5, lp.relu), (4, 3)),
    "Scale": (lp.Scale(3, lp.tanh), (4, 3)),
    "BatchNorm": (lp.BatchNorm(3, lp.relu), (4, 3, 5)),
    "BatchNorm untracked": (lp.BatchNorm(3, track_stats=False, affine=False), (4, 3)),
    "Dropout": (lp.Dropout(0.5), (4, 3)),
    "FlattenLayer": (lp.FlattenLayer(), (4, 3, 2)),
    "ReshapeLayer": (lp.ReshapeLayer(2, -1), (4, 3, 2)),
    "SelectDim": (lp.SelectDim(1, -1), (4, 3, 2)),
    "NoOpLayer": (lp.NoOpLayer(), (4, 3)),
    "WrappedFunction": (lp.WrappedFunction(lambda x: x * x + 1.0), (4, 3)),
    "Conv": (lp.Conv((2, 2), 3, 4, lp.relu), (2, 3, 5, 4)),
    "CrossCor": (lp.CrossCor((2, 2), 3, 4, padding=1), (2, 3, 5, 4)),
    "MaxPool": (lp.MaxPool((2, 2)), (2, 3, 5, 4)),
    "MeanPool": (lp.MeanPool((2, 2)), (2, 3, 5, 4)),
}
# Gradients in float32 may be summed in a different order.
CLOSE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5}


def prepare(model, shape, training, backend):
    """Return an input without ties or kinks, parameters and states."""
    ps, st = lp.setup(1, model, backend=backend)
    x = lp.asarray(
        np.random.default_rng(0).permutation(np.prod(shape)).reshape(shape) / 10 - 0.52,
        dtype="float32",
        backend=backend,
    )
    return x, ps, lp.train_mode(st) if training else lp.test_mode(st)


@pytest.fixture(params=LAYERS)
def layer_and_shape(request):
    return LAYERS[request.param]


@pytest.fixture(params=["train", "test"])
def prepared(layer_and_shape, request):
    """Return a function of a backend: each layer, training or testing, with what it is called with there."""
    return lambda backend: (layer_and_shape[0], *prepare(*layer_and_shape, request.param == "train", backend))


def make_loss(model):
    def loss(ps, x, st):
        y, st = model(x, ps, st)
        return (y * y).mean() if not isinstance(y, tf.Tensor) else tf.reduce_mean(y * y)

    return loss


def assert_same(got, want):
    """Compare trees: structure including statics, dtypes and values."""
    assert lp.tree.structure(lp.tree.map(np.asarray, sort_keys(got))) == lp.tree.structure(sort_keys(want))
    lp.tree.map(lambda a, b: np.testing.assert_allclose(np.asarray(a), np.asarray(b), **CLOSE), want, got)
    for a, b in zip(lp.tree.leaves(sort_keys(got)), lp.tree.leaves(sort_keys(want)), strict=True):
        assert a.dtype == b.dtype


def sort_keys(values):
    """Sort the keys of all dicts, as JAX does."""
    if isinstance(values, dict):
        return {str(key): sort_keys(values[key]) for key in sorted(values)}
    return tuple(map(sort_keys, values)) if isinstance(values, tuple) else values


class TestJax:
    def test_jit(self, prepared):
        model, x, ps, st = prepared("jax")
        assert_same(jax.jit(model)(x, ps, st), model(x, ps, st))
        assert_same(lp.jit(model)(x, ps, st), model(x, ps, st))

    def test_grad(self, prepared):
        model, x, ps, st = prepared("jax")
        loss = make_loss(model)
        got = jax.grad(loss, (0, 1))(ps, x, st)
        assert_same(got, lp.grad(loss, (0, 1))(ps, x, st))
        assert_same(jax.jit(jax.grad(loss, (0, 1)))(ps, x, st), got)

    def test_vmap(self, prepared):
        model, x, ps, st = prepared("jax")
        xs = jax.numpy.stack([x, x * 2.0, x - 1.0])
        y, new = jax.vmap(model, in_axes=(0, None, None))(xs, ps, st)
        for i in range(3):
            assert_same(jax.tree.map(lambda leaf, i=i: leaf[i], (y, new)), model(xs[i], ps, st))


class TestTorch:
    def test_grad(self, prepared):
        model, x, ps, st = prepared("torch")
        loss = make_loss(model)
        assert_same(torch.func.grad(loss, (0, 1))(ps, x, st), lp.grad(loss, (0, 1))(ps, x, st))

    def test_vmap(self, prepared):
        model, x, ps, st = prepared("torch")
        xs = torch.stack([x, x * 2.0, x - 1.0])
        y, new = torch.func.vmap(model, in_dims=(0, None, None))(xs, ps, st)
        for i in range(3):
            got = lp.tree.map(lambda leaf, i=i: leaf[i], (y, new))
            assert_same(got, model(xs[i], ps, st))

    def test_compile(self, prepared):
        model, x, ps, st = prepared("torch")
        torch.compiler.reset()
        compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
        assert_same(compiled(x, ps, st), model(x, ps, st))

    def test_backward(self, prepared):
        model, x, ps, st = prepared("torch")
        leaves = [leaf.requires_grad_() for leaf in (x, *lp.tree.leaves(ps))]
        make_loss(model)(ps, x, st).backward()
        want = lp.grad(make_loss(model), (1, 0))(lp.stop_gradient(ps), lp.stop_gradient(x), st)
        for leaf, gradient in zip(leaves, lp.tree.leaves(want), strict=True):
            np.testing.assert_allclose(leaf.grad, gradient, **CLOSE)


class TestTensorFlow:
    def test_function(self, prepared):
        model, x, ps, st = prepared("tf")
        assert_same(tf.function(model)(x, ps, st), model(x, ps, st))
        assert_same(lp.jit(model)(x, ps, st), model(x, ps, st))

    def test_errors_in_a_function_are_one_line(self, message):
        model = LAYERS["Chain"][0]
        x, ps, st = prepare(model, (4, 2), True, "tf")
        text = message(lp.LayerError, tf.function(model), x, ps, st)
        assert text == "Dense at layer_1 expects (..., 3), got (4, 2)"

    def test_function_with_unknown_batch(self, prepared):
        model, x, ps, st = prepared("tf")
        compiled = tf.function(
            lambda x: model(x, ps, st), input_signature=[tf.TensorSpec((None, *x.shape[1:]), tf.float32)]
        )
        assert_same(compiled(x), model(x, ps, st))
        assert_same(compiled(tf.concat([x, x + 1.0], 0)), model(tf.concat([x, x + 1.0], 0), ps, st))

    def test_tape(self, prepared):
        model, x, ps, st = prepared("tf")
        with tf.GradientTape() as tape:
            tape.watch((ps, x))
            value = make_loss(model)(ps, x, st)
        assert_same(tape.gradient(value, (ps, x)), lp.grad(make_loss(model), (0, 1))(ps, x, st))

    def test_variables(self, prepared):
        model, x, ps, st = prepared("tf")
        variables = lp.tree.map(tf.Variable, ps)
        with tf.GradientTape() as tape:
            value = make_loss(model)(variables, x, st)
        want = lp.grad(make_loss(model))(ps, x, st)
        got = tape.gradient(value, lp.tree.leaves(variables))
        for a, b in zip(got, lp.tree.leaves(want), strict=True):
            np.testing.assert_allclose(a, b, **CLOSE)


def test_every_backend_gives_the_same_result(prepared):
    model, *arguments = prepared("numpy")
    want = model(*arguments)
    for backend in ("jax", "torch", "tf"):
        model, *arguments = prepared(backend)
        got = model(*arguments)
        assert_same(lp.to(got, backend="numpy"), want)


def test_inductor_compiles_a_chain():
    model, shape = LAYERS["Chain"]
    x, ps, st = prepare(model, shape, True, "torch")
    assert_same(torch.compile(model, fullgraph=True)(x, ps, st), model(x, ps, st))
