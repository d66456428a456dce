"""`layer_map`, `modules` and `trainables`: visiting and replacing layers of a model."""

# The annotations do not know that a rebuilt layer keeps its class:
# pyright: reportIndexIssue=false
from __future__ import annotations

import operator

import numpy as np
import pytest

import luxport as lp
from luxport import tree

MODEL = lp.Chain(
    chain=lp.Chain(dense_1=lp.Dense(2, 3), bn=lp.BatchNorm(3), dense_2=lp.Dense(3, 5)),
    skip=lp.SkipConnection(lp.Dense(5, 5), operator.add),
    both=lp.Parallel(operator.mul, left=lp.Dense(5, 1), right=lp.Dense(5, 1)),
)
DENSE = [("chain", "dense_1"), ("chain", "dense_2"), ("skip",), ("both", "left"), ("both", "right")]


def test_layer_map_may_change_parameters():  # the example of lux:src/contrib/map.jl
    ps, st = lp.setup(0, MODEL, backend="numpy")
    seen = []

    def zero_dense(layer, ps, st, path):
        if isinstance(layer, lp.Dense):
            seen.append(path)
            ps = tree.map(np.zeros_like, ps)
        return layer, ps, st

    model, zeroed, same = lp.layer_map(zero_dense, MODEL, ps, st)
    assert model is MODEL
    assert seen == DENSE
    assert tree.structure(zeroed) == tree.structure(ps)
    assert all((zeroed["chain"][name]["weight"] == 0).all() for name in ("dense_1", "dense_2"))
    assert (zeroed["chain"]["bn"]["scale"] == 1).all()
    assert (ps["both"]["left"]["weight"] != 0).any()
    assert tree.structure(same) == tree.structure(st)


def test_layer_map_may_replace_layers_by_path(backend, draw):
    ps, st = lp.setup(0, MODEL, backend=backend)

    def freeze(layer, ps, st, path):
        if isinstance(layer, lp.Dense) and path[0] != "chain":
            return lp.freeze(layer, ps, st)
        return layer, ps, st

    model, kept, states = lp.layer_map(freeze, MODEL, ps, st)
    assert repr(model["both"]) == "Parallel(mul, left=FrozenLayer(Dense(5, 1)), right=FrozenLayer(Dense(5, 1)))"
    assert lp.parameter_length(model) == lp.parameter_length(kept) == (2 * 3 + 3) + (3 + 3) + (3 * 5 + 5)
    x = draw(backend, 4, 2)
    np.testing.assert_array_equal(*[backend.to_numpy(y) for y in (model(x, kept, states)[0], MODEL(x, ps, st)[0])])
    assert MODEL["skip"] == lp.SkipConnection(lp.Dense(5, 5), operator.add)


def test_one_layer_in_two_places_is_replaced_separately():
    dense = lp.Dense(2, 2)
    model = lp.Chain(dense, lp.Chain(dense, dense))

    def replace_second(layer, ps, st, path):
        return (lp.Dense(2, 2, lp.relu), ps, st) if path == ("layer_2", "layer_1") else (layer, ps, st)

    changed, _, _ = lp.layer_map(replace_second, model, *lp.setup(0, model, backend="numpy"))
    assert changed == lp.Chain(dense, lp.Chain(lp.Dense(2, 2, lp.relu), dense))
    assert hash(changed) == hash(lp.Chain(dense, lp.Chain(lp.Dense(2, 2, lp.relu), dense)))


def test_layer_map_visits_compact_layers():
    model = lp.compact(dense=lp.Dense(2, 2), more=[lp.Dense(2, 2)], gain=np.ones(2))(
        lambda x, dense, more, gain: more[0](dense(x)) * gain
    )
    model, ps, st = lp.layer_map(lambda *args: lp.freeze(*args[:3]), model, *lp.setup(0, model, backend="numpy"))
    assert lp.parameter_length(model) == lp.parameter_length(ps) == 2
    assert model(np.ones((1, 2), np.float32), ps, st)[0].shape == (1, 2)


def test_modules_are_listed_with_their_paths():
    paths = dict(lp.named_modules(MODEL))
    assert list(paths) == [
        (),
        ("chain",),
        *[("chain", n) for n in ("dense_1", "bn", "dense_2")],
        ("skip",),
        ("both",),
    ] + [
        ("both", "left"),
        ("both", "right"),
    ]
    kinds = [type(one).__name__ for one in lp.modules(MODEL)]
    assert kinds[:6] == ["Chain", "Chain", "Dense", "BatchNorm", "Dense", "SkipConnection"]
    assert kinds[6:] == ["Dense", "Parallel", "Dense", "Dense"]
    assert [type(one).__name__ for one in lp.modules(lp.freeze(lp.Chain(lp.Dense(1, 1))))] == [
        "FrozenLayer",
        "Chain",
        "Dense",
    ]


def test_trainables_list_each_array_once(backend):
    model = lp.Chain(lp.Dense(10, 5), lp.BatchNorm(5))
    ps, _ = lp.setup(0, model, backend=backend)
    ps = {**ps, "again": ps["layer_1"], "table": lp.asarray(np.arange(3), backend=backend, dtype="int32")}
    assert [tuple(leaf.shape) for leaf in lp.trainables(ps)] == [(10, 5), (5,), (5,), (5,)]
    assert [".".join(path) for path, _ in lp.trainables(ps, path=True)] == [
        "layer_1.weight",
        "layer_1.bias",
        "layer_2.bias",
        "layer_2.scale",
    ]


def test_a_layer_with_hidden_children_is_an_error():
    class Hidden(lp.Layer):
        def children(self):
            return {"inner": lp.Dense(1, 1)}

        def initial_parameters(self, rng):
            return lp.initial_parameters(rng, self.children())

        def initial_states(self, rng):
            return lp.initial_states(rng, self.children())

        def __call__(self, x, ps, st):
            return x, st

    with pytest.raises(TypeError, match=r"^Hidden expects its layers in its fields, and Dense\(1, 1\) is in none$"):
        lp.layer_map(lambda layer, *rest: (lp.Dense(1, 1, lp.relu), *rest[:2]), Hidden(), *lp.setup(0, Hidden()))
