"""`jax.export` of layers whose batch is left open: nothing compares a size that it does not know."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import luxport as lp

LAYERS = {
    "one channel": (lp.Chain(lp.Conv((3, 3), 1, 4, lp.relu), lp.MaxPool((2, 2))), (1, 9, 9)),
    "recurrent": (lp.LSTM(3, 4), (5, 3)),
}


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
