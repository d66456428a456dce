"""`jax.export` of layers whose batch is left open: nothing compares a size that it does not know."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import luxport as lp
from luxport import tree
from luxport_conformance.evaluation import placed
from luxport_conformance.examples import EXAMPLES

LAYERS = {
    "one channel": (lp.Chain(lp.Conv((3, 3), 1, 4, lp.relu), lp.MaxPool((2, 2))), (1, 9, 9)),
    "recurrent": (lp.LSTM(3, 4), (5, 3)),
}
NOISE = lp.Chain(lp.BatchNorm(3), lp.Dropout(0.5), lp.GaussianNoise(0.5))
NO_BATCH = {("GRU", 1): "its first axis is time", ("StatefulRecurrentCell", 0): "its state has a batch, which is known"}


@pytest.mark.parametrize("name", LAYERS)
def test_a_free_batch_is_exported(name: str) -> None:
    model, shape = LAYERS[name]
    ps, st = lp.setup(0, model, backend="jax")
    st = lp.test_mode(st)
    (batch,) = export.symbolic_shape("batch")
    program = export.export(jax.jit(lambda x: model(x, ps, st)[0]))(jax.ShapeDtypeStruct((batch, *shape), jnp.float32))
    for size in (1, 3):
        x = jnp.asarray(np.random.default_rng(0).normal(size=(size, *shape)), jnp.float32)
        np.testing.assert_allclose(program.call(x), model(x, ps, st)[0], rtol=1e-5, atol=1e-6)


def test_what_is_drawn_in_training_has_a_free_batch() -> None:
    ps, st = lp.setup(0, NOISE, backend="jax")
    (batch,) = export.symbolic_shape("batch")

    def run(x: Any) -> Any:
        y, after = NOISE(x, ps, lp.train_mode(st))
        return y, after["layer_1"]["running_var"]

    program = export.export(jax.jit(run))(jax.ShapeDtypeStruct((batch, 3), jnp.float32))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)), jnp.float32)
    for got, want in zip(program.call(x), run(x), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "i"), [(name, i) for name in EXAMPLES for i in range(len(EXAMPLES[name])) if (name, i) not in NO_BATCH]
)
def test_every_layer_is_trained_with_a_free_batch(name: str, i: int) -> None:
    layer = EXAMPLES[name][i].layer
    x, ps, st = placed(EXAMPLES[name][i], lp.backend.get_backend("jax"), "float32")
    known = tree.leaves(x)[0].shape[0]
    (batch,) = export.symbolic_shape("batch")

    def free(leaf: Any) -> Any:
        shape = (batch, *leaf.shape[1:]) if leaf.shape[0] == known else leaf.shape
        return jax.ShapeDtypeStruct(shape, leaf.dtype)

    def run(x: Any, ps: Any) -> Any:
        return layer(x, ps, lp.train_mode(st))[0]

    got = export.export(jax.jit(run))(tree.map(free, x), ps).call(x, ps)
    for mine, want in zip(tree.leaves(got), tree.leaves(run(x, ps)), strict=True):
        np.testing.assert_allclose(mine, want, rtol=1e-4, atol=1e-5)
