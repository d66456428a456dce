"""Keys of JAX as seeds of `luxport.setup`: known values, traced ones, and one for each of several models."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import luxport
from luxport.tree.ordered_keys import list_in_order

MODEL = luxport.Chain(luxport.Dense(2, 3), luxport.Dropout(0.5))


def assert_same(got, want):
    luxport.tree.map(lambda a, b: np.testing.assert_array_equal(np.asarray(a), np.asarray(b)), got, want)


@pytest.mark.parametrize("key", [jax.random.key(7), jax.random.PRNGKey(7)], ids=["typed", "words"])
def test_a_key_equals_the_seed_of_its_words(key):
    ps, st = luxport.setup(key, MODEL)
    assert isinstance(ps["layer_1"]["weight"], jax.Array)
    assert_same((ps, st), luxport.setup(7, MODEL))
    assert_same(jax.jit(lambda key: luxport.setup(key, MODEL))(key), (ps, st))
    assert isinstance(luxport.setup(key, MODEL, backend="numpy")[0]["layer_1"]["weight"], np.ndarray)
    assert luxport.setup(key, MODEL, dtype="bfloat16")[0]["layer_1"]["bias"].dtype.name == "bfloat16"


def test_setup_vmaps_over_keys():
    keys = jax.random.split(jax.random.key(0), 3)
    ps = jax.vmap(lambda key: luxport.setup(key, MODEL)[0])(keys)
    for i, key in enumerate(keys):
        assert_same(jax.tree.map(lambda leaf, i=i: leaf[i], ps), luxport.setup(key, MODEL)[0])
    assert len(np.unique(ps["layer_1"]["weight"])) == 18
    assert list(list_in_order(ps["layer_1"])) == ["weight", "bias"]


def test_wrong_keys_are_errors():
    with pytest.raises(TypeError, match=r"one key expected, as jax.random.key makes it, got keys of shape \(3,\)"):
        luxport.setup(jax.random.split(jax.random.key(0), 3), MODEL)
    with pytest.raises(TypeError, match=r"one key expected, as jax.random.key makes it, got float32 of shape \(2,\)"):
        luxport.setup(jax.numpy.ones(2), MODEL)
    with pytest.raises(TypeError, match="a seed or a luxport.Rng expected, got an array"):
        luxport.setup(np.ones(2), MODEL)
    with pytest.raises(TypeError, match=r"got one that only the running program knows: luxport\.setup takes such"):
        jax.jit(lambda key: luxport.initial_parameters(key, MODEL))(jax.random.key(0))
