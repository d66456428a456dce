"""Unreadable values in BSON.jl's files are holes beside the rest; models are found in files of several forms."""

# pyright: reportArgumentType=false, reportIndexIssue=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import warnings

import bson_writer as bw
import numpy as np
import pytest
from flux_files import IDENTITY, RELU, assert_close, chain, compute_outputs, draw, flux, load
from test_flux_models import SLOT_X, result

import luxport as lp
from luxport.porting import FileFormatError, julia, load_model, read

W1, W2, X = draw(4, 3), draw(3, 2), draw(5, 4)
RETURN = bw.expression("return", result(1))


def dense(weight, act=IDENTITY):
    return flux("Dense", bw.array(weight), False, act)


def make_function(*statements, **more):
    return {"tag": "jl_anonymous", "typename": bw.anonymous("#7#8", [*statements, RETURN], ["x"]), "params": []} | more


NAMELESS = "an anonymous function has no name"
UNREADABLE = {
    "no type": ({"tag": "struct", "data": []}, "a struct at byte"),
    "nothing as its type": (bw.struct_of(None), "a struct at byte"),
    "a document as its type": (bw.struct_of({"name": "f"}), "a struct at byte"),
    "a symbol as its type": (bw.struct_of(bw.symbol("#3#4")), "a struct at byte"),
    "no name": (bw.struct_of({"tag": "jl_anonymous", "typename": None, "params": []}), NAMELESS),
    "no name of its type": (bw.struct_of({"tag": "jl_anonymous", "params": []}), NAMELESS),
}


@pytest.mark.parametrize("form", UNREADABLE)
def test_a_function_of_an_unreadable_type_is_a_hole(form, tmp_path):
    function, reason = UNREADABLE[form]
    model = chain(dense(W1), function, dense(W2, function))
    layer, ps, st = load(model, tmp_path)
    assert_close(layer.layers["layer_1"](X, ps["layer_1"], st["layer_1"])[0], X @ W1)
    hole = rf"Hole at layer_2 cannot be read from the file \(.*{reason}.*functions=\{{'layer_2': f\}}"
    with pytest.raises(lp.LayerError, match=hole):
        layer(X, ps, st)
    with pytest.raises(lp.LayerError, match=r"functions=\{'layer_3.activation': f\}"):
        layer.layers["layer_3"](X @ W1, ps["layer_3"], st["layer_3"])
    filled = {"layer_2": np.tanh, "layer_3.activation": np.cos}
    assert_close(compute_outputs(model, X, tmp_path, functions=filled), np.cos(np.tanh(X @ W1) @ W2))


def test_a_function_whose_code_contains_itself_is_read():
    """Its methods are read once it exists: through its type, as a value of that type, and as the same value."""
    for held in (bw.struct_of(bw.backref(1)), bw.backref(2)):
        kind = make_function(bw.expression("call", held, SLOT_X))
        document = {"f": bw.backref(2), "_backrefs": [kind, bw.struct_of(bw.backref(1))]}
        function = read(bw.bson(document)).values["f"]
        (method,) = function.methods
        assert isinstance(function, julia.Function) and "##7#8#2(x)" in str(method)


def test_a_function_without_a_table_of_methods_is_a_hole(tmp_path):
    # A TypeName of Julia 1.12 has no such table.
    named = bw.struct_of(bw.datatype("Core.TypeName"), "1.12.0", bw.symbol("#q#"), *[None] * 8)
    function = bw.struct_of({"tag": "jl_anonymous", "typename": named, "params": []})
    assert_close(compute_outputs(chain(dense(W1), function), X, tmp_path, functions={"#q#": np.tanh}), np.tanh(X @ W1))


def load_document(document, tmp_path, **options):
    path = tmp_path / "model.bson"
    path.write_bytes(bw.bson(document))
    layer, ps, st = load_model(path, backend="numpy", **options)
    return layer(X, ps, lp.test_mode(st))[0]


SYMBOLS = bw.datatype("Base.Dict", bw.datatype("Core.Symbol"), bw.datatype("Core.Any"))
ANY = bw.datatype("Core.Any")
MODEL = chain(dense(W1), dense(W2, RELU))
ROOTS = {
    "a Dict by symbols": bw.struct_of(SYMBOLS, [bw.symbol("model"), bw.symbol("epoch")], [MODEL, 3]),
    "a Dict of Dicts": bw.struct_of(SYMBOLS, [bw.symbol("run")], [bw.struct_of(SYMBOLS, [bw.symbol("net")], [MODEL])]),
    "a Dict by numbers": bw.struct_of(bw.datatype("Base.Dict", bw.datatype("Core.Int64"), ANY), [1, 2], [MODEL, 3]),
    "a NamedTuple": bw.struct_of(
        bw.datatype("Core.NamedTuple", bw.tuple_of(bw.symbol("model"), bw.symbol("n")), bw.datatype("Core.Tuple", ANY)),
        MODEL,
        3,
    ),
    "the model": MODEL,
    "one model by two names": {"model": bw.backref(1), "best": bw.backref(1), "_backrefs": [MODEL]},
}


@pytest.mark.parametrize("root", ROOTS)
def test_a_whole_file_may_be_a_model_in_several_forms(root, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_close(load_document(ROOTS[root], tmp_path), np.maximum(X @ W1 @ W2, 0))


INSIDE = {
    "a struct": (bw.struct_of(bw.datatype("Main.Net"), MODEL), "model.0"),
    "a struct in a struct": (
        bw.struct_of(bw.datatype("Main.A"), bw.struct_of(bw.datatype("Main.B"), MODEL)),
        "model.0.0",
    ),
    "a struct beside a number": (bw.struct_of(bw.datatype("Main.Net"), 3, MODEL), "model.1"),
    "a tuple": (bw.tuple_of(MODEL, 3), "model.0"),
}


@pytest.mark.parametrize("around", INSIDE)
def test_a_single_model_inside_another_value_is_loaded_and_named(around, tmp_path):
    document, place = INSIDE[around]
    with pytest.warns(UserWarning, match=rf"loaded {place}; choose another by name="):
        assert_close(load_document({"model": document}, tmp_path), np.maximum(X @ W1 @ W2, 0))


def test_one_of_two_models_in_a_struct_is_chosen_by_name(tmp_path):
    both = bw.struct_of(bw.datatype("Main.AE"), chain(dense(W1)), chain(dense(W2)))
    with pytest.raises(FileFormatError, match=r"got 2; choose one by name: model\.0, model\.1"):
        load_document({"model": both}, tmp_path)
    assert_close(load_document({"model": both}, tmp_path, name="model.0"), X @ W1)


SQUARE, BIAS = draw(4, 4), draw(4)
TWICE = {
    "in a Parallel": lambda one: flux("Parallel", bw.function("Base.+"), bw.tuple_of(one, one)),
    "in a Chain in a Chain": lambda one: chain(one, chain(dense(np.eye(4, dtype=np.float32)), one)),
    "in a SkipConnection and after it": lambda one: chain(flux("SkipConnection", one, bw.function("Base.+")), one),
}


@pytest.mark.parametrize("place", TWICE)
def test_a_layer_at_two_places_is_one_layer(place, tmp_path):
    shared = flux("Dense", bw.array(SQUARE), bw.array(BIAS), RELU)
    document = {"model": TWICE[place](bw.backref(1)), "_backrefs": [shared]}
    path = tmp_path / "model.bson"
    path.write_bytes(bw.bson(document))
    model, ps, st = load_model(path, backend="numpy")
    one = lambda x: np.maximum(x @ SQUARE + BIAS, 0)  # noqa: E731
    want = {"in a Parallel": 2 * one(X), "in a Chain in a Chain": one(one(X))}
    assert_close(model(X, ps, st)[0], want.get(place, one(one(X) + X)))
    assert isinstance(model, lp.Tied)
    unused = 0 if place != "in a Chain in a Chain" else 16
    assert lp.parameter_length(model) == 20 + unused


def _tracked(value, module):
    kind = bw.datatype(f"{module}.TrackedArray", bw.datatype("Core.Float32"), value.ndim, bw.datatype("Core.Array"))
    none = bw.struct_of(bw.datatype(f"{module}.Call"), None, bw.tuple_of())
    kept = bw.struct_of(bw.datatype(f"{module}.Tracked"), 0, none, True, bw.array(value), bw.array(0 * value))
    return bw.struct_of(kind, kept, bw.array(value), bw.array(0 * value))


@pytest.mark.parametrize("module", ["Tracker", "Flux.Tracker"])
def test_arrays_of_tracker_are_read(module, tmp_path):
    model = chain(flux("Dense", _tracked(W1, module), _tracked(draw(3) * 0, module), RELU), dense(W2))
    assert_close(load_document({"model": model}, tmp_path), np.maximum(X @ W1, 0) @ W2)
