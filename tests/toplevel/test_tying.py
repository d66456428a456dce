"""`Tied`, `tie`, `untie` and `share_parameters`: parameters shared by several layers."""

# Wrong on purpose:
# pyright: reportArgumentType=false
from __future__ import annotations

import numpy as np
import pytest

import luxport as lp
from luxport import tree

# Lux's own example, two groups across two levels (lux:src/contrib/share_parameters.jl).
MODEL = lp.Chain(
    d1=lp.Dense(2, 4, lp.tanh),
    d3=lp.Chain(l1=lp.Dense(4, 2), l2=lp.Dense(2, 4)),
    d2=lp.Dense(4, 2),
)
GROUPS = (("d3.l2", "d1"), ("d2", "d3.l1"))


def test_share_parameters_uses_the_first_of_a_group():
    ps, _ = lp.setup(0, MODEL, backend="numpy")
    shared = lp.share_parameters(ps, GROUPS)
    assert tree.structure(shared) == tree.structure(ps)
    assert shared["d3"]["l2"]["weight"] is shared["d1"]["weight"] is ps["d3"]["l2"]["weight"]
    assert shared["d2"]["bias"] is shared["d3"]["l1"]["bias"] is ps["d2"]["bias"]
    assert len(lp.trainables(shared)) == 4


def test_share_parameters_accepts_new_ones():
    ps, _ = lp.setup(0, MODEL, backend="numpy")
    new = [{"weight": np.ones((2, 4)), "bias": np.ones(4)}, {"weight": np.ones((4, 2)), "bias": np.ones(2)}]
    shared = lp.share_parameters(ps, GROUPS, new)
    assert shared["d1"]["weight"] is new[0]["weight"]
    assert shared["d3"]["l1"]["bias"] is new[1]["bias"]
    with pytest.raises(ValueError, match="new parameters for 2 groups, got 1"):
        lp.share_parameters(ps, GROUPS, new[:1])
    with pytest.raises(ValueError, match="parameters of one structure expected"):
        lp.share_parameters(ps, GROUPS, new[::-1])


def test_gradients_of_tied_parameters_are_added(differentiating, draw):
    ps, st = lp.setup(0, MODEL, backend=differentiating)
    x, xp = draw(differentiating, 3, 2), differentiating.xp
    tied, one, st = lp.tie(MODEL, ps, st, GROUPS)
    # The order is that of the model, which the first path of a group does not change.
    assert tree.structure(one) == tree.structure(
        {"d3": {"l2": {"weight": 0, "bias": 0}}, "d2": {"weight": 0, "bias": 0}}
    )
    assert lp.parameter_length(tied) == lp.parameter_length(one) == (2 * 4 + 4) + (4 * 2 + 2)

    gradient = lp.grad(lambda ps: xp.sum(tied(x, ps, st)[0] ** 2))(one)
    full = lp.grad(lambda ps: xp.sum(MODEL(x, ps, st)[0] ** 2))(lp.share_parameters(ps, GROUPS))
    want = full["d3"]["l2"]["weight"] + full["d1"]["weight"]
    got = gradient["d3"]["l2"]["weight"]
    np.testing.assert_allclose(differentiating.to_numpy(got), differentiating.to_numpy(want), rtol=1e-4, atol=1e-5)


def test_untie_inverts_tie():
    ps, st = lp.setup(0, MODEL, backend="numpy")
    layer, full, _ = lp.untie(*lp.tie(MODEL, ps, st, GROUPS))
    assert layer is MODEL
    assert tree.structure(full) == tree.structure(ps)
    assert full["d1"]["weight"] is ps["d3"]["l2"]["weight"]


def test_a_tied_model_draws_the_models_parameters(backend):
    tied = lp.Tied(MODEL, GROUPS)
    got, want = (lp.setup(3, model, backend="numpy")[0] for model in (tied, MODEL))
    np.testing.assert_array_equal(got["d3"]["l2"]["weight"], want["d3"]["l2"]["weight"])


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([("d1", "d2")], r"parameters of one structure expected, got d1 \{'weight': \(2, 4\), 'bias': \(4,\)\} and d2"),
        ([("d1", "d4")], "got 'd4': there is d1, d3, d2"),
        ([("d1", "d3.l2"), ("d1.weight", "d3.l2.weight")], "paths apart from each other expected, got 'd1' and 'd1.w"),
    ],
)
def test_wrong_groups_are_errors(groups, message):
    with pytest.raises(ValueError, match=message):
        lp.Tied(MODEL, groups)
    with pytest.raises(ValueError, match=message):
        lp.share_parameters(lp.setup(0, MODEL, backend="numpy")[0], groups)


def test_a_group_outside_a_list_is_an_error():
    with pytest.raises(TypeError, match="groups as lists of paths"):
        lp.Tied(MODEL, ("d1", "d3.l2"))
