"""Compiled programs draw the same numbers as eager calls: the operations, and models with dropout."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import luxport
from luxport import Chain, Dense, Dropout, ops, random

MODEL = Chain(Dense(6, 8, luxport.tanh), Dropout(0.5), Dropout(0.3, axes=(1,)), Dense(8, 2))
KEY, COUNTER = np.array([-5, 123456789], np.int32), np.array(7, np.int32)
X = luxport.rng(1).normal((5, 6))


def host(array) -> np.ndarray:
    return luxport.backend.backend_of(array).to_numpy(array)


def draw_all(key, counter):
    k = {"key": key, "counter": counter}
    return (
        ops.threefry_2x32(key, ops.random_bits(key, counter, shape=(3, 2))),
        ops.random_bits(key, counter, shape=(5, 3)),
        ops.keep_mask(key, counter, shape=(4, 5), p=0.3),
        ops.dropout(ops.uniform(key, counter, shape=(33,)), key, counter + 1, p=0.5),
        random.fold_in(k, 3)["key"],
    )


def step(ps, st, x):
    def loss(ps):
        y, new = MODEL(x, ps, st)
        return luxport.namespace(y).sum(y * y), new

    (value, new), gradient = luxport.value_and_grad(loss, has_aux=True)(ps)
    return value, new, gradient


def run_all(ps, st, x, key, counter):
    """Run everything in one program, so that each compiler starts only once."""
    return draw_all(key, counter), step(ps, st, x)


COMPILERS = {
    ("jax", "jit"): luxport.jit,
    ("torch", "jit"): luxport.jit,
    ("tf", "jit"): luxport.jit,
    ("tf", "xla"): lambda f: tf.function(f, autograph=False, jit_compile=True),
}


@pytest.mark.parametrize(("backend", "compiler"), COMPILERS)
def test_compiled_draws_equal_eager_ones_and_numpys(backend, compiler):
    ps, st = luxport.setup(3, MODEL, backend=backend)
    x, key, counter = [luxport.asarray(a, backend=backend) for a in (X, KEY, COUNTER)]
    found, (value, new, gradient) = COMPILERS[backend, compiler](run_all)(ps, st, x, key, counter)
    for one, wanted in zip(found, draw_all(KEY, COUNTER), strict=True):
        np.testing.assert_array_equal(host(one), wanted)
    value_eager, new_eager, gradient_eager = step(ps, st, x)
    # The masks are equal, so results differ only by float32's rounding of sums in another order.
    np.testing.assert_allclose(host(value), host(value_eager), rtol=1e-5)
    for one, wanted in zip(luxport.tree.leaves(gradient), luxport.tree.leaves(gradient_eager), strict=True):
        np.testing.assert_allclose(host(one), host(wanted), rtol=1e-4, atol=1e-5)
    assert [int(host(entry["rng"]["counter"])) for entry in new.values() if "rng" in entry] == [1, 1]
    # JAX sorts the keys of dicts; the entries must be equal.
    luxport.tree.map(np.testing.assert_array_equal, luxport.tree.map(host, new), luxport.tree.map(host, new_eager))


@pytest.mark.parametrize("backend", ["strict", "jax", "torch", "tf"])
def test_setup_gives_the_same_numbers_on_every_backend(backend):
    for found, wanted in zip(luxport.setup(3, MODEL, backend=backend), luxport.setup(3, MODEL), strict=True):
        assert luxport.tree.structure(found) == luxport.tree.structure(wanted)
        for one, other in zip(luxport.tree.leaves(found), luxport.tree.leaves(wanted), strict=True):
            assert host(one).dtype == other.dtype
            np.testing.assert_array_equal(host(one), other)
