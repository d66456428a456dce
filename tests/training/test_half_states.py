"""Training in half precision: layers compute in half while their states stay in single precision."""

from __future__ import annotations

import numpy as np
import pytest

import luxport as lp
from luxport import losses, optimizers, training
from luxport.backend import dtype_name
from luxport.training._in_precision import wrap_in_precision
from luxport_conformance.examples import EXAMPLES
from luxport_conformance.examples.example import Example

HALF = "float16"
_ALL = [example for examples in EXAMPLES.values() for example in examples if "float32" in example.dtypes]


@pytest.mark.parametrize("example", _ALL, ids=str)
def test_every_layer_computes_in_half_and_keeps_single_states(example: Example) -> None:
    x, ps, st = lp.to(example.draw_values(), dtype="float32")
    seen = []

    def note(x, ps, st):
        y, new = example.layer(x, ps, st)
        seen.extend([dtype_name(leaf) for leaf in lp.tree.leaves(y) if "float" in dtype_name(leaf)])
        return y, new

    with np.errstate(all="ignore"):
        _, new = wrap_in_precision(note, HALF)(x, ps, st)
    assert set(seen) <= {HALF}
    if lp.tree.structure(new) == lp.tree.structure(st):
        assert list(map(dtype_name, lp.tree.leaves(new))) == list(map(dtype_name, lp.tree.leaves(st)))


def test_frozen_parameters_keep_their_bits(differentiating) -> None:
    model = lp.Chain(lp.Dense(2, 3, lp.tanh), lp.StatefulRecurrentCell(lp.RNNCell(3, 3)), lp.Dense(3, 1))
    ps, st = lp.setup(0, model, backend=differentiating)
    frozen, kept, st = lp.freeze(model, ps, st, which=["layer_1", "layer_3.bias"])
    make = training.TrainState.create
    state = make(frozen, optimizers.Adam(0.1), ps=kept, st=st, precision="bfloat16")
    x = lp.asarray(np.random.default_rng(0).normal(size=(4, 2)), backend=differentiating, dtype="float32")
    for _ in range(2):
        loss, _, state = training.train_step(losses.MSELoss(), (x, x[:, :1]), state, jit=differentiating.name == "jax")
    assert np.isfinite(float(loss))
    _, after, _ = lp.unfreeze(frozen, state.ps, state.st)
    np.testing.assert_array_equal(*[lp.to_numpy(tree["layer_1"]["weight"]) for tree in (after, ps)])
    assert not np.array_equal(*[lp.to_numpy(tree["layer_3"]["weight"]) for tree in (after, ps)])
