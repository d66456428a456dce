"""`freeze` and `unfreeze`: parameters that move to the states and get no gradient."""

# Wrong on purpose:
# pyright: reportArgumentType=false, reportCallIssue=false
from __future__ import annotations

import numpy as np
import pytest

import luxport as lp
from luxport import tree

MODEL = lp.Chain(lp.Dense(3, 4, lp.tanh), lp.Dense(4, 2))


def test_freezing_keeps_values_and_other_gradients(differentiating, draw):
    ps, st = lp.setup(0, MODEL, backend=differentiating)
    x, xp = draw(differentiating, 5, 3), differentiating.xp
    frozen, kept, states = lp.freeze(MODEL, ps, st, ["layer_1.weight", "layer_2"])
    assert tree.structure(kept) == tree.structure({"layer_1": {"bias": 0}})
    assert frozen(x, kept, states)[0].shape == MODEL(x, ps, st)[0].shape
    np.testing.assert_array_equal(
        *[differentiating.to_numpy(y) for y in (frozen(x, kept, states)[0], MODEL(x, ps, st)[0])]
    )

    gradient = lp.grad(lambda ps: xp.sum(frozen(x, ps, states)[0]))(kept)
    want = lp.grad(lambda ps: xp.sum(MODEL(x, ps, st)[0]))(ps)
    assert tree.structure(gradient) == tree.structure(kept)
    np.testing.assert_allclose(
        differentiating.to_numpy(gradient["layer_1"]["bias"]),
        differentiating.to_numpy(want["layer_1"]["bias"]),
        rtol=1e-6,
    )


def test_a_whole_model_may_be_frozen(backend, draw):
    frozen, ps, st = lp.freeze(MODEL, *lp.setup(0, MODEL, backend=backend))
    assert ps == {}
    assert list(st) == ["frozen_params", "states"]
    assert tuple(frozen(draw(backend, 5, 3), ps, st)[0].shape) == (5, 2)
    assert (lp.parameter_length(frozen), lp.state_length(frozen)) == (0, 16 + 10)


def test_unfreeze_gives_everything_back_in_order():
    ps, st = lp.setup(0, MODEL, backend="numpy")
    frozen, kept, states = lp.freeze(MODEL, ps, st, ("layer_1.weight", "layer_2.weight"))
    layer, full, inner = lp.unfreeze(frozen, kept, states)
    assert layer is MODEL
    assert tree.structure(full) == tree.structure(ps)  # the structure includes the order of keys
    assert all(one is other for one, other in zip(tree.leaves(full), tree.leaves(ps), strict=True))
    assert inner is st
    assert lp.unfreeze(frozen) is MODEL


def test_modes_reach_the_layer_inside():
    model = lp.freeze(lp.Chain(lp.BatchNorm(2), lp.Dropout(0.5)))
    _, st = lp.setup(0, model, backend="numpy")
    tested = lp.test_mode(st)
    assert [tested["states"][name]["training"] for name in ("layer_1", "layer_2")] == [lp.Static(False)] * 2


def test_setup_draws_frozen_parameters():
    frozen = lp.freeze(lp.Dense(2, 3), which="weight")
    ps, st = lp.setup(0, frozen, backend="numpy")
    assert list(ps) == ["bias"]
    assert st["frozen_params"]["weight"].shape == (2, 3)
    assert repr(frozen) == "FrozenLayer(Dense(2, 3), ('weight',))"


def test_wrong_names_are_errors():
    with pytest.raises(ValueError, match="got 'layer_1.wieght': at layer_1 is weight, bias"):
        lp.freeze(MODEL, which=["layer_1.wieght"])
    with pytest.raises(TypeError, match="unfreeze expects a FrozenLayer, got Dense"):
        lp.unfreeze(lp.Dense(1, 1), {}, {})
    with pytest.raises(TypeError, match="freeze expects a layer, got int"):
        lp.freeze(3)


def test_errors_inside_a_frozen_layer_are_located(draw):
    frozen, ps, st = lp.freeze(MODEL, *lp.setup(0, MODEL, backend="numpy"))
    with pytest.raises(lp.LayerError, match=r"^Dense at layer_1 expects \(\.\.\., 3\), got \(5, 2\)$"):
        frozen(np.zeros((5, 2), np.float32), ps, st)
