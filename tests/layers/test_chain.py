"""`Chain`, `WrappedFunction` and `NoOpLayer`: building, indexing and calling."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import numpy as np
import pytest

import luxport as lp


@pytest.fixture
def chain():
    return lp.Chain(lp.Dense(3, 4, lp.tanh), lp.BatchNorm(4), lp.Dense(4, 2), name="net")


class TestBuilding:
    def test_layers_are_numbered_or_named(self):
        assert list(lp.Chain(lp.NoOpLayer(), lp.NoOpLayer()).layers) == ["layer_1", "layer_2"]
        assert list(lp.Chain(first=lp.NoOpLayer(), second=np.tanh).layers) == ["first", "second"]
        assert lp.Chain({"first": lp.NoOpLayer()}) == lp.Chain(first=lp.NoOpLayer())

    def test_functions_are_wrapped(self):
        assert lp.Chain(np.tanh).layer_1 == lp.WrappedFunction(np.tanh)
        assert lp.Chain(f=np.tanh).f == lp.WrappedFunction(np.tanh)

    def test_tuples_and_lists_are_flattened(self):
        a, b = lp.Dense(3, 4), lp.Dense(4, 2)
        assert lp.Chain([a, b]) == lp.Chain((a,), [[b]]) == lp.Chain(a, b)

    def test_chains_are_not_flattened(self):
        assert len(lp.Chain(lp.Chain(lp.NoOpLayer(), lp.NoOpLayer()), lp.NoOpLayer())) == 2

    def test_an_empty_chain_is_a_no_op(self):
        assert lp.Chain() == lp.Chain([]) == lp.Chain(lp.NoOpLayer())

    @pytest.mark.parametrize(
        ("positional", "named", "kind"),
        [
            ((), {"layers": lp.Dense(2, 2), "two": lp.NoOpLayer()}, ValueError),
            ((), {"name": lp.NoOpLayer()}, ValueError),
            (({"name": lp.NoOpLayer()},), {}, ValueError),
            (({1: lp.NoOpLayer()},), {}, ValueError),
            ((lp.NoOpLayer(),), {"a": lp.NoOpLayer()}, TypeError),
            ((3,), {}, TypeError),
            ((None,), {}, TypeError),
            ((), {"a": "text"}, TypeError),
        ],
    )
    def test_wrong_layers_are_errors(self, positional, named, kind):
        with pytest.raises(kind) as caught:
            lp.Chain(*positional, **named)
        assert "expect" in str(caught.value)


class TestIndexing:
    def test_layers_are_found_by_position_and_name(self, chain):
        assert chain[0] == chain["layer_1"] == chain.layer_1 == lp.Dense(3, 4, lp.tanh)
        assert chain[-1] == list(chain)[-1] == chain.layer_3
        assert len(chain) == 3

    def test_slices_keep_names_parameters_and_values(self, chain):
        ps, st = lp.setup(0, chain)
        x = np.ones((5, 3), np.float32)
        first, last = chain[:2], chain[2:]
        assert (list(first.layers), list(last.layers)) == (["layer_1", "layer_2"], ["layer_3"])
        assert chain[:] == chain
        assert first.name == "net"
        y, _ = first(x, ps, st)
        np.testing.assert_array_equal(last(y, ps, st)[0], chain(x, ps, st)[0])
        assert list(chain[::2].layers) == ["layer_1", "layer_3"]

    def test_missing_layers_are_errors(self, chain):
        with pytest.raises(AttributeError, match="its layers are layer_1, layer_2, layer_3"):
            _ = chain.layer_4
        with pytest.raises(KeyError):
            _ = chain["layer_4"]
        with pytest.raises(IndexError):
            _ = chain[3]


class TestCalling:
    def test_values_and_states_pass_through_the_layers(self, backend):
        model = lp.Chain(a=lp.BatchNorm(3), b=lp.Chain(lp.BatchNorm(3)))
        ps, st = lp.setup(0, model, backend=backend, dtype="float64")
        x = backend.asarray(np.random.default_rng(0).normal(size=(6, 3)), dtype="float64")
        y, new = model(x, ps, st)
        middle, a = model.a(x, ps["a"], st["a"])
        want, b = model.b.layer_1(middle, ps["b"]["layer_1"], st["b"]["layer_1"])
        np.testing.assert_array_equal(backend.to_numpy(y), backend.to_numpy(want))
        assert lp.tree.structure(new) == lp.tree.structure(st) == lp.tree.structure({"a": a, "b": {"layer_1": b}})
        np.testing.assert_array_equal(
            backend.to_numpy(new["b"]["layer_1"]["running_mean"]), backend.to_numpy(b["running_mean"])
        )

    def test_every_layer_has_its_entries(self):
        assert lp.setup(0, lp.Chain(np.tanh, lp.NoOpLayer())) == ({"layer_1": {}, "layer_2": {}},) * 2

    def test_trees_pass_through(self):
        model = lp.Chain(lambda x: {"a": x, "b": (x, 2)}, lambda d: d["a"] + d["b"][1])
        assert model(1, *lp.setup(0, model))[0] == 3

    def test_wrong_sizes_are_located_errors(self, backend):
        model = lp.Chain(lp.Dense(10, 5, lp.sigmoid), lp.Dense(2, 1))
        ps, st = lp.setup(0, model, backend=backend)
        with pytest.raises(lp.LayerError, match=r"^Dense at layer_2 expects \(\.\.\., 2\), got \(5,\)$"):
            model(backend.asarray(np.ones(10, np.float32)), ps, st)


def test_no_op_returns_the_same_object():
    for value in (np.ones(2), None, {"a": [1]}, "text"):
        assert lp.NoOpLayer()(value, {}, {})[0] is value


def test_a_wrapped_function_is_called():
    assert lp.WrappedFunction(len)([1, 2], {}, {}) == (2, {})
    with pytest.raises(TypeError, match="^WrappedFunction expects a function, got 3$"):
        lp.WrappedFunction(3)
