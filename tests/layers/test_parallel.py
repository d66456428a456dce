"""Containers of several layers, such as `Parallel` and `SkipConnection`: building, indexing, calling and errors."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import operator

import numpy as np
import pytest

import luxport as lp

ONE, TWO = lp.Dense(3, 2), lp.Dense(3, 2, lp.tanh)
SIDE_BY_SIDE = {
    "Parallel": lambda *layers, **named: lp.Parallel(operator.add, *layers, **named),
    "BranchLayer": lp.BranchLayer,
    "Maxout": lp.Maxout,
    "PairwiseFusion": lambda *layers, **named: lp.PairwiseFusion(operator.add, *layers, **named),
    "PairwiseFold": lambda *layers, **named: lp.PairwiseFold(operator.add, *layers, **named),
}


@pytest.mark.parametrize("make", SIDE_BY_SIDE.values(), ids=SIDE_BY_SIDE)
class TestBuilding:
    def test_layers_are_found_by_name_and_index(self, make):
        model = make(one=ONE, two=np.tanh)
        assert list(model.layers) == ["one", "two"] == list(lp.setup(0, model)[0])
        assert model[0] == model["one"] == model.one == ONE
        assert list(model) == [ONE, lp.WrappedFunction(np.tanh)]
        assert len(model) == 2
        assert model[1:] == make(two=np.tanh) != make(np.tanh)
        assert list(make(ONE, TWO).layers) == ["layer_1", "layer_2"]
        assert make({"one": ONE, "two": np.tanh}) == model
        assert hash(make(one=ONE, two=np.tanh)) == hash(model)
        with pytest.raises(AttributeError, match="its layers are one, two"):
            _ = model.three

    @pytest.mark.parametrize(
        ("positional", "named", "kind", "message"),
        [
            ((), {}, ValueError, "expects one or more layers, got none"),
            ((), {"layers": ONE}, ValueError, "expects strings other than .* got 'layers'"),
            (({1: ONE},), {}, ValueError, "expects strings other than .* got 1"),
            ((ONE,), {"b": TWO}, TypeError, "expects layers by position or by keyword, got both"),
            ((ONE, "text"), {}, TypeError, "expects a layer or a function, got str"),
        ],
    )
    def test_wrong_layers_are_errors(self, make, positional, named, kind, message):
        with pytest.raises(kind, match=message):
            make(*positional, **named)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: lp.Parallel(3, ONE), "Parallel expects a function, a layer or None as connection, got 3"),
        (lambda: lp.BranchLayer(ONE, fusion="add"), "BranchLayer expects a function, a layer or None as fusion"),
        (lambda: lp.SkipConnection(ONE, None), "SkipConnection expects a function or a layer as connection, got None"),
        (lambda: lp.PairwiseFusion(ONE, TWO), "PairwiseFusion expects a function of two arguments as connection"),
        (lambda: lp.Maxout(ONE, 3), "Maxout expects a function that makes a layer and a number of them"),
    ],
)
def test_wrong_connections_are_errors(make, message):
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize("repeats", [0, 1.5, True])
def test_wrong_repeats_are_errors(repeats):
    with pytest.raises(ValueError, match="RepeatedLayer expects an int of at least 1 as repeats"):
        lp.RepeatedLayer(ONE, repeats=repeats)


def test_lists_are_accepted_as_tuples_of_inputs():
    x = [np.ones((4, 3), np.float32), np.zeros((4, 3), np.float32)]
    for model in (lp.Parallel(None, ONE, TWO), lp.PairwiseFusion(lambda y, x: x, ONE, TWO)):
        ps, st = lp.setup(0, model)
        for got, want in zip(model(x, ps, st)[0], model(tuple(x), ps, st)[0], strict=True):
            np.testing.assert_array_equal(got, want)


def test_the_state_passes_through_one_layer_with_many_inputs():
    model = lp.Parallel(None, lp.Dropout(0.5))
    ps, st = lp.setup(0, model)
    (first, second), new = model((np.ones(64), np.ones(64)), ps, st)
    assert int(new["layer_1"]["rng"]["counter"]) == 2
    assert (first != second).any()


def test_output_shapes_of_one_and_of_several_inputs():
    fusion = lp.PairwiseFusion(operator.add, lp.Dense(1, 10), lp.Dense(10, 1))
    assert lp.output_shape(fusion, (10, 1)) == ((10, 10), (10, 1))
    assert lp.output_shape(lp.Parallel(lp.Bilinear(2, 5), ONE, TWO), ((4, 3), (4, 3))) == (4, 5)
