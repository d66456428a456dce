"""`StatefulLayer`: a layer that carries its parameters and states."""

# Wrong on purpose:
# pyright: reportArgumentType=false, reportIndexIssue=false
from __future__ import annotations

import numpy as np
import pytest

import luxport as lp


def test_a_call_updates_the_state(backend, draw):
    model = lp.Chain(lp.Dense(3, 4), lp.BatchNorm(4), lp.Dropout(0.5))
    ps, st = lp.setup(0, model, backend=backend)
    m = lp.StatefulLayer(model, ps, st)
    x = draw(backend, 5, 3)
    want, after = model(x, ps, st)
    np.testing.assert_array_equal(backend.to_numpy(m(x)), backend.to_numpy(want))
    np.testing.assert_array_equal(
        backend.to_numpy(m.st["layer_2"]["running_mean"]), backend.to_numpy(after["layer_2"]["running_mean"])
    )
    assert int(m.st["layer_3"]["rng"]["counter"]) == 1
    assert int(st["layer_3"]["rng"]["counter"]) == 0
    m.st = lp.test_mode(m.st)
    np.testing.assert_array_equal(backend.to_numpy(m(x)), backend.to_numpy(m(x)))


def test_parameters_may_be_given_by_call():
    m = lp.StatefulLayer(lp.Dense(2, 1), None, {})
    ps, _ = lp.setup(0, lp.Dense(2, 1, init_weight=lp.initializers.ones), backend="numpy")
    assert m(np.ones((1, 2), np.float32), ps).tolist() == [[2.0]]
    with pytest.raises(TypeError, match=r"holds no parameters: call it with them, m\(x, ps\)"):
        m(np.ones((1, 2), np.float32))
    with pytest.raises(TypeError, match="expects a layer, got function"):
        lp.StatefulLayer(lambda x: x, {}, {})


def test_a_stateful_layer_works_inside_a_gradient(differentiating, draw):
    model = lp.Dense(3, 1, lp.tanh)
    ps, st = lp.setup(0, model, backend=differentiating)
    x, xp = draw(differentiating, 4, 3), differentiating.xp

    def run_stateful(ps, x):
        return xp.sum(lp.StatefulLayer(model, ps, st)(x))

    def run_plain(ps, x):
        return xp.sum(model(x, ps, st)[0])

    got, want = lp.grad(run_stateful)(ps, x), lp.grad(run_plain)(ps, x)
    np.testing.assert_allclose(
        differentiating.to_numpy(got["weight"]), differentiating.to_numpy(want["weight"]), rtol=1e-5
    )


def test_layers_inside_update_the_states_of_the_whole():
    """Calling a chain's layers one by one, by positions or names, gives the outputs and states of the chain."""
    inner = lp.Chain(norm=lp.BatchNorm(4), drop=lp.Dropout(0.5))
    model = lp.Chain(lp.Dense(3, 4), inner, lp.Dense(4, 2))
    ps, st = lp.setup(0, model)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    whole, apart = lp.StatefulLayer(model, ps, st), lp.StatefulLayer(model, ps, st)
    middle = apart["layer_2"]
    for _ in range(3):
        hidden = middle["drop"](middle[0](apart[0](x)))
        np.testing.assert_array_equal(apart[-1](hidden), whole(x))
    for mine, theirs in zip(lp.tree.leaves(apart.st), lp.tree.leaves(whole.st), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert lp.tree.structure(apart.st) == lp.tree.structure(st)
    apart.st = whole.st = st
    np.testing.assert_array_equal(apart[2](apart[:2](x)), whole(x))
    assert lp.tree.structure(apart.st) == lp.tree.structure(st)
    with pytest.raises(IndexError):
        apart[3]
    with pytest.raises(KeyError):
        apart["norm"]
    with pytest.raises(TypeError, match="holds no parameters"):
        lp.StatefulLayer(model, None, st)[0](x)
    compact = lp.compact(chain=model)(lambda x, *, chain: chain[2](chain[1](chain[0](x))))
    ps, st = lp.setup(0, compact)
    y, after = compact(x, ps, st)
    want, states = model(x, ps["chain"], st["chain"])
    np.testing.assert_array_equal(y, want)
    np.testing.assert_array_equal(
        after["chain"]["layer_2"]["norm"]["running_mean"], states["layer_2"]["norm"]["running_mean"]
    )
