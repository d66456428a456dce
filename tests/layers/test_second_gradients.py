"""Gradients of gradients, as in PINNs and meta-learning: d/dps of a function of d/dx, in float64.

On PyTorch they are compared with finite differences of first gradients along a direction, and the other backends with
PyTorch.
"""

from __future__ import annotations

import jax
import numpy as np
import pytest

import luxport as lp
from luxport_conformance.backends import hold_dtype
from luxport_conformance.evaluation import sum_weighted

MODELS = {
    "dense": (lp.Chain(lp.Dense(3, 4, lp.tanh), lp.Dense(4, 2, lp.gelu)), (5, 3)),
    "smooth activations": (
        lp.Chain(*[layer for f in (lp.softplus, lp.swish, lp.mish, lp.sigmoid) for layer in (lp.Scale(3), f)]),
        (5, 3),
    ),
    "bilinear": (lp.Bilinear(3, 2, lp.tanh), (5, 3)),
    "conv": (lp.Conv((2, 3), 2, 3, lp.tanh, stride=(1, 2), padding=1), (2, 2, 4, 5)),
    "conv_transpose": (lp.ConvTranspose((2, 2), 2, 3, lp.tanh, stride=2), (2, 2, 3, 3)),
    "batch_norm": (lp.Chain(lp.BatchNorm(3), lp.Dense(3, 2, lp.tanh)), (6, 3)),
    "layer_norm": (lp.Chain(lp.LayerNorm(3), lp.Dense(3, 2, lp.tanh)), (6, 3)),
    "group_norm": (lp.GroupNorm(4, 2, lp.tanh), (2, 4, 3)),
    "rms_norm": (lp.Chain(lp.RMSNorm(3), lp.Dense(3, 2, lp.tanh)), (6, 3)),
    "attention": (lp.MultiHeadAttention(4, nheads=2), (2, 3, 4)),
    "lstm": (lp.LSTM(3, 2), (2, 3, 3)),
}


def draw_values(name):
    model, shape = MODELS[name]
    draw = np.random.Generator(np.random.Philox(17))
    ps, st = lp.setup(0, model, backend="numpy")
    ps = lp.tree.map(lambda leaf: leaf.astype(np.float64) + draw.uniform(0.1, 0.3, leaf.shape), ps)
    st = lp.tree.map(lambda leaf: leaf.astype(np.float64) if leaf.dtype.kind == "f" else leaf, st)
    y, _ = model(x := draw.normal(size=shape), ps, st)
    return x, ps, st, lp.tree.map(lambda leaf: draw.normal(size=leaf.shape), y), draw.normal(size=shape)


def make_slope(name):
    """Return a function of the parameters: the directional derivative of the model's loss in x."""
    model, _ = MODELS[name]

    def slope(ps, x, st, weights, direction):
        gradient = lp.grad(lambda x: sum_weighted(model(x, ps, st)[0], weights))(x)
        return lp.namespace(x).sum(gradient * direction)

    return slope


def compute_second_gradient(name, backend):
    x, ps, st, weights, direction = lp.to(draw_values(name), backend=backend)
    return lp.to(lp.grad(make_slope(name))(ps, x, st, weights, direction), backend="numpy")


@pytest.fixture(scope="module")
def torch_gradients():
    return {name: compute_second_gradient(name, "torch") for name in MODELS}


@pytest.mark.parametrize("name", MODELS)
def test_second_gradients_equal_finite_differences_of_first_ones(name, torch_gradients):
    x, ps, st, weights, direction = draw_values(name)
    draw = np.random.Generator(np.random.Philox(19))
    along = lp.tree.map(lambda leaf: draw.normal(size=leaf.shape), ps)

    def at(step):
        moved = lp.tree.map(lambda leaf, d: leaf + step * d, ps, along)
        return float(make_slope(name)(*lp.to((moved, x, st, weights, direction), backend="torch")))

    h = 1e-3
    slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
    products = [
        np.sum(g * d) for g, d in zip(lp.tree.leaves(torch_gradients[name]), lp.tree.leaves(along), strict=True)
    ]
    # With four points the errors are h^4 times the fifth derivative, and eps / h from rounding.
    assert sum(products) == pytest.approx(slope, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("name", MODELS)
def test_tensorflow_equals_pytorch(name, torch_gradients):
    assert_equal(compute_second_gradient(name, "tf"), torch_gradients[name])


def test_jax_equals_pytorch(torch_gradients):
    with hold_dtype(lp.get_backend("jax"), "float64"):
        inputs = {name: lp.to(draw_values(name), backend="jax") for name in MODELS}

        @jax.jit
        def all_at_once(inputs):
            return {name: lp.grad(make_slope(name))(ps, x, st, w, d) for name, (x, ps, st, w, d) in inputs.items()}

        found = lp.to(all_at_once(inputs), backend="numpy")
    for name, want in torch_gradients.items():
        assert_equal(found[name], want)


def assert_equal(got, want):
    # JAX returns dicts sorted by key.
    for (path, leaf), other in zip(lp.tree.leaves_with_path(want), align(got, want), strict=True):
        np.testing.assert_allclose(other, leaf, rtol=1e-10, atol=1e-10, err_msg=".".join(path))


def align(got, want):
    if isinstance(want, dict):
        return [leaf for key in want for leaf in align(got[key], want[key])]
    return [got]
