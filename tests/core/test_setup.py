"""`luxport.setup` and functions of its trees: initial values, counts, modes of states, output shapes."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest
from own_layers import Counter, make_blocks

import luxport as lp


class TestSetup:
    def test_a_seed_equals_its_generator(self):
        model = lp.Dense(2, 3)
        np.testing.assert_array_equal(lp.setup(5, model)[0]["weight"], lp.setup(lp.rng(5), model)[0]["weight"])
        np.testing.assert_array_equal(lp.setup(np.int64(5), model)[0]["weight"], lp.setup(5, model)[0]["weight"])
        rng = lp.rng(5)
        assert (lp.setup(rng, model)[0]["weight"] != lp.setup(rng, model)[0]["weight"]).any()

    def test_every_backend_draws_the_same_numbers(self, backend, host):
        model = lp.Chain(lp.Dense(3, 4), lp.BatchNorm(4), lp.Dropout(0.5))
        want, got = lp.setup(7, model, backend="numpy"), lp.setup(7, model, backend=backend)
        assert {lp.backend_of(leaf).name for leaf in lp.tree.leaves(got)} == {backend}
        lp.tree.map(np.testing.assert_array_equal, host(got), want)

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "complex64"])
    def test_dtype_converts_only_floating_values(self, backend, dtype):
        ps, st = lp.setup(0, lp.Chain(lp.BatchNorm(3), lp.Dropout(0.5)), backend=backend, dtype=dtype)
        assert {lp.backend.dtype_name(leaf) for leaf in lp.tree.leaves(ps)} == {dtype}
        # Running statistics are never in half precision, where small updates would be lost.
        statistics = "float32" if dtype in ("float16", "bfloat16") else dtype
        assert lp.backend.dtype_name(st["layer_1"]["running_mean"]) == statistics
        assert lp.backend.dtype_name(st["layer_2"]["rng"]["key"]) == "int32"

    def test_an_unknown_device_is_an_error(self, backend, message):
        lp.setup(0, lp.Dense(2, 3), backend=backend, device="cpu")
        text = message(ValueError, lp.setup, 0, lp.Dense(2, 3), backend=backend, device="abacus")
        assert "'abacus'" in text and backend in text and "cpu" in text

    def test_wrong_arguments_are_errors(self, message):
        layer = lp.Dense(2, 3)
        assert message(TypeError, lp.setup, None, layer) == "a seed or a luxport.Rng expected, got NoneType"
        assert "got -1" in message(ValueError, lp.setup, -1, layer)
        assert message(TypeError, lp.setup, 0, np.tanh) == "setup expects a layer, got ufunc"
        assert "a floating dtype expected, got 'int32'" in message(ValueError, lp.setup, 0, layer, dtype="int32")
        assert "a floating dtype expected, got 'float33'" in message(ValueError, lp.setup, 0, layer, dtype="float33")
        assert "a dtype expected by name" in message(TypeError, lp.setup, 0, layer, dtype=np.float64)

    def test_initial_values_of_trees_of_layers(self):
        ps = lp.initial_parameters(0, {"a": lp.Dense(2, 3), "b": [lp.Dense(3, 1), lp.NoOpLayer()]})
        assert lp.tree.map(np.shape, ps) == {
            "a": {"weight": (2, 3), "bias": (3,)},
            "b": {"layer_1": {"weight": (3, 1), "bias": (1,)}, "layer_2": {}},
        }
        assert lp.initial_states(0, (lp.NoOpLayer(), lp.Dropout(0.5)))["layer_2"]["training"] == lp.Static(True)


class TestCounts:
    # After Lux's parameterlength and statelength.
    @pytest.mark.parametrize(
        ("layer", "parameters", "states"),
        [
            (lp.Dense(128, 256), 128 * 256 + 256, 0),
            (lp.Dense(128, 256, use_bias=False), 128 * 256, 0),
            (lp.Scale(2, 3), 12, 0),
            (lp.BatchNorm(7), 14, 15),
            (lp.BatchNorm(7, affine=False), 0, 15),
            (lp.BatchNorm(7, track_stats=False), 14, 1),
            (lp.Dropout(0.5), 0, 2),
            (lp.NoOpLayer(), 0, 0),
            (lp.FlattenLayer(), 0, 0),
            (lp.Chain(lp.Dense(2, 3), lp.BatchNorm(3), np.tanh), 15, 7),
            (Counter(), 0, 3),
        ],
    )
    def test_counts_are_exact(self, layer, parameters, states):
        ps, st = lp.setup(0, layer)
        assert lp.parameter_length(layer) == lp.parameter_length(ps) == parameters
        assert lp.state_length(layer) == lp.state_length(st) == states

    def test_counts_without_drawing(self):
        assert lp.parameter_length(lp.Dense(10**6, 10**6)) == 10**12 + 10**6

    def test_an_initializer_may_compute_with_its_values(self):
        layer = lp.Dense(2, 3, init_weight=lambda rng, shape: rng.normal(shape) / np.linalg.norm(rng.normal(shape)))
        assert lp.parameter_length(layer) == 9


class TestStates:
    def test_modes(self):
        _, st = lp.setup(0, lp.Chain(lp.BatchNorm(2), lp.Chain(lp.Dropout(0.5), Counter())))
        training = [
            st["layer_1"]["training"],
            st["layer_2"]["layer_1"]["training"],
            st["layer_2"]["layer_2"]["training"],
        ]
        assert training == [lp.Static(True)] * 3
        off = lp.test_mode(st)
        assert off["layer_2"]["layer_2"]["training"] == lp.Static(False)
        assert st["layer_1"]["training"] == lp.Static(True)
        assert lp.tree.structure(lp.train_mode(off)) == lp.tree.structure(st)
        assert off["layer_1"]["running_mean"] is st["layer_1"]["running_mean"]

    def test_update_state_replaces_every_entry_of_a_name(self):
        pair = namedtuple("pair", "carry other")
        st = {"a": {"carry": 1, "b": [{"carry": 2}, 3]}, "carry": {"carry": 4}, "p": pair({"carry": 5}, 6)}
        new = lp.update_state(st, "carry", 0)
        assert new == {"a": {"carry": 0, "b": [{"carry": 0}, 3]}, "carry": 0, "p": pair({"carry": 0}, 6)}
        assert isinstance(new["p"], pair)
        assert st["a"]["carry"] == 1

    def test_update_state_leaves_excluded_subtrees_alone(self):
        st = {"frozen": {"keep": True, "training": 1}, "free": {"training": 1}}
        new = lp.update_state(st, "training", 2, exclude=lambda entry: isinstance(entry, dict) and "keep" in entry)
        assert new == {"frozen": {"keep": True, "training": 1}, "free": {"training": 2}}


class TestOutputShape:
    @pytest.mark.parametrize(
        ("layer", "shape", "want"),
        [
            (lp.Dense(3, 5), (7, 2, 3), (7, 2, 5)),
            (lp.Dense(3, 5), (3,), (5,)),
            (lp.Scale(2, 1), (5, 2, 3), (5, 2, 3)),
            (lp.BatchNorm(3), (1, 3), (1, 3)),
            (lp.FlattenLayer(), (5, 2, 3), (5, 6)),
            (lp.ReshapeLayer(-1, 2), (5, 2, 3), (5, 3, 2)),
            (lp.SelectDim(1, -1), (5, 2, 3), (5, 3)),
            (lp.Dropout(0.5), (5, 2), (5, 2)),
            (lp.Chain(lp.Dense(3, 4, lp.tanh), lp.BatchNorm(4), lambda x: x * 2), (0, 3), (0, 4)),
            (lp.Dense(10**6, 10**6), (1000, 10**6), (1000, 10**6)),
            (make_blocks(), (4, 2), (4, 2)),
        ],
    )
    def test_shapes(self, layer, shape, want):
        assert lp.output_shape(layer, shape) == want

    def test_trees(self):
        layer = lp.WrappedFunction(lambda d: {"sum": d["a"] + d["b"][0], "rest": d["b"][1:]})
        got = lp.output_shape(layer, {"a": (2, 3), "b": [(3,), (4,), ()]})
        assert got == {"sum": (2, 3), "rest": ((4,), ())}

    def test_arrays_may_stand_for_their_shapes(self, backend, array):
        x = array(np.zeros((4, 2)), backend)
        assert lp.output_shape(lp.Dense(2, 3), x) == (4, 3)
        assert lp.output_shape(lp.WrappedFunction(lambda pair: pair[0] + pair[1]), (x, (2,))) == (4, 2)

    def test_errors(self, message):
        layer = lp.Chain(lp.Dense(2, 3), lp.Dense(4, 1))
        text = message(lp.LayerError, lp.output_shape, layer, (5, 2))
        assert text == "Dense at layer_2 expects (..., 4), got (5, 3)"
        assert "got 5" in message(TypeError, lp.output_shape, layer, 5)
        assert "got (None, 2)" in message(TypeError, lp.output_shape, layer, (None, 2))
        assert "got (64, 'a')" in message(TypeError, lp.output_shape, layer, (64, "a"))
        assert "got (-1, 2)" in message(ValueError, lp.output_shape, layer, (-1, 2))
        assert "values of an array needed" in message(
            TypeError, lp.output_shape, lp.WrappedFunction(np.linalg.inv), (2, 2)
        )


def test_initial_values_are_in_single_precision(backend):
    class Doubles(lp.Layer):
        def initial_parameters(self, rng):
            return {"gain": np.ones(3), "phase": np.ones(2, np.complex128), "step": np.ones(1, np.int32), "one": 1.0}

        def __call__(self, x, ps, st):
            return x * ps["gain"], st

    ps, _ = lp.setup(0, Doubles(), backend=backend)
    kinds = {
        name: str(array.dtype).rpartition(".")[2].strip("'<> ") for name, array in lp.to(ps, backend="numpy").items()
    }
    assert kinds == {"gain": "float32", "phase": "complex64", "step": "int32", "one": "float32"}
    assert (
        lp.to(lp.setup(0, Doubles(), backend="numpy", dtype="float64")[0]["gain"], backend="numpy").dtype == np.float64
    )


def test_initial_values_that_are_no_arrays_are_errors(message):
    class Wrong(lp.Layer):
        value: object

        def initial_parameters(self, rng):
            return self.value

        def __call__(self, x, ps, st):
            return x, st

    text = message(TypeError, lp.setup, 0, lp.Chain(Wrong({"gain": "one"})), backend="numpy")
    assert text == "setup expects arrays as initial values, got str at layer_1.gain"
    text = message(TypeError, lp.setup, 0, lp.Chain(Wrong(None)), backend="numpy")
    assert text == "Wrong.initial_parameters returned NoneType: return a dict of arrays by their names"
    text = message(TypeError, lp.setup, 0, lp.Dense(2, 3, init_weight=lambda rng, shape: np.ones(3)))
    assert text == "Dense expects weight (2, 3) of its initializer, got (3,)"


def test_a_mode_of_a_model_instead_of_states_is_an_error(message):
    text = message(TypeError, lp.test_mode, lp.Dense(2, 3))
    assert text == (
        "test_mode expects states, got the layer Dense: a model has no mode, its states have: "
        "st = luxport.test_mode(st), then model(x, ps, st)"
    )
    for change in (lp.train_mode, lp.test_mode, lambda st: lp.update_state(st, "carry", None)):
        assert "expects states" in message(TypeError, change, None)
        assert "expects states" in message(TypeError, change, lp.NoOpLayer())
