"""Whole Lux files of unusual forms: types without a version, unreadable values, several models side by side.

What is expected is worked out by hand from the arrays that are written.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

import struct

import jld2_writer as jw
import numpy as np
import pytest
from lux_layouts import GLOROT, RELU, TANH, Between, New, Old, chain, draw, lux
from lux_writer import NT, LuxWriter, Type, static
from test_lux_models import B1, RULES, W1, W2, X, assert_close, make_train_state, write_model_file

import luxport as lp
from luxport.porting import FileFormatError, julia, load_model, load_parameters, read
from luxport.training import load_train_state

EVERY = pytest.mark.parametrize("v", [Old, New, Between])
NONE = NT()


class Written:
    """A value that is written by a function."""

    def __init__(self, write):
        self.write = write


class Writer(LuxWriter):
    def value(self, value):
        return value.write(self) if isinstance(value, Written) else super().value(value)


def _deep(writer):
    inner = writer.scalar(jw.INT64, struct.pack("<q", 7))
    for _ in range(200):
        inner = writer.vector_of_references(inner)
    return inner


DEEP = Written(_deep), "values are nested more than 100 deep"
TIME = Written(lambda w: w.scalar(struct.pack("<BBBBIH", 0x12, 0, 0, 0, 4, 32), bytes(4))), "of the class time"
UNREAD = pytest.mark.parametrize(("value", "reason"), [DEEP, TIME], ids=["too deep", "a time"])


def write_values(tmp_path, form="new", **values):
    writer = Writer(form)
    path = tmp_path / "model.jld2"
    path.write_bytes(writer.finish(**{name: writer.value(value) for name, value in values.items()}))
    return path


def make_chain(v):
    return chain(layer_1=v.dense((3, 4), TANH), layer_2=v.dense((4, 2), bias=False))


PS = NT(layer_1=NT(weight=W1, bias=B1), layer_2=NT(weight=W2))
WANT = np.tanh(X @ W1 + B1) @ W2


def compute_result(path, **options):
    layer, ps, st = load_model(path, backend="numpy", **options)
    return layer(X, ps, lp.test_mode(st))[0]


@EVERY
def test_types_without_a_version_are_read(v, tmp_path, monkeypatch):
    compound = jw.compound
    monkeypatch.setattr(jw, "compound", lambda members: b"\x06" + compound(members)[1:])
    assert_close(
        compute_result(
            write_model_file(tmp_path, v.form, model=make_chain(v), ps=PS, st=NT(layer_1=NONE, layer_2=NONE))
        ),
        WANT,
    )
    state = load_train_state(
        write_model_file(tmp_path, v.form, ts=make_train_state(*RULES["Adam"][:2])), backend="numpy"
    )
    assert_close(state.model(X, state.ps, lp.test_mode(state.st))[0], WANT)


@EVERY
@pytest.mark.parametrize("depth", [1, 5, 12])
def test_chains_in_chains_are_read(v, depth, tmp_path):
    model, ps = make_chain(v), PS
    for _ in range(depth):
        model, ps = chain(inner=model), NT(inner=ps)
    assert_close(compute_result(write_model_file(tmp_path, v.form, model=model, ps=ps)), WANT)


@UNREAD
def test_an_unreadable_layer_is_a_hole_at_its_place(value, reason, tmp_path):
    model = chain(layer_1=New.dense((3, 4), TANH), odd=value, layer_2=New.dense((4, 2), bias=False))
    path = write_values(tmp_path, model=model, ps=NT(layer_1=PS["layer_1"], odd=NONE, layer_2=PS["layer_2"]))
    with pytest.raises(lp.LayerError, match=rf"Hole at odd cannot be read .*{reason}.*functions=\{{'odd': f\}}"):
        compute_result(path)
    assert_close(compute_result(path, functions={"odd": lambda x: x}), WANT)


@UNREAD
def test_an_unreadable_function_is_named_by_its_place(value, reason, tmp_path):
    dense = lux("Dense", New.dense((3, 4)).fields | {"activation": value}, (RELU,))
    path = write_values(tmp_path, model=chain(layer_1=dense), ps=NT(layer_1=PS["layer_1"]))
    with pytest.raises(lp.LayerError, match=r"functions=\{'layer_1.activation': f\}"):
        compute_result(path)
    assert_close(compute_result(path, functions={"layer_1.activation": np.tanh}), np.tanh(X @ W1 + B1))


@UNREAD
def test_an_unreadable_parameter_is_named(value, reason, tmp_path):
    ps = NT(layer_1=PS["layer_1"], layer_2=NT(weight=value))
    with pytest.raises(FileFormatError, match=rf"layer_2\.weight: it cannot be read: .*{reason}"):
        compute_result(write_values(tmp_path, model=make_chain(New), ps=ps))


@UNREAD
def test_a_model_is_read_beside_an_unreadable_value(value, reason, tmp_path):
    kept = NT(loss=0.5, odd=value, inner=NT(odd=value))
    assert_close(compute_result(write_values(tmp_path, model=make_chain(New), ps=PS, history=value, kept=kept)), WANT)
    model = lp.Chain(lp.Dense(3, 4, lp.tanh), lp.Dense(4, 2, use_bias=False))
    parameters = load_parameters(write_values(tmp_path, ps=PS, history=value), model, name="ps")
    assert_close(parameters[0]["layer_1"]["weight"], W1)


def test_a_value_that_is_less_deep_elsewhere_is_read_whole(tmp_path):
    """A nested value that is too deep from one side is read whole where its upper half is reached directly."""
    writer = LuxWriter("new")
    tower = [writer.value(NT(last=W1))]
    for _ in range(140):
        tower.append(writer.vector_of_references(tower[-1]))
    found = read(writer.finish(top=tower[-1], middle=tower[60])).values
    assert isinstance(found["top"], julia.Unavailable)
    inner = found["middle"]
    for _ in range(60):
        (inner,) = inner
    np.testing.assert_array_equal(inner["last"], W1)


@EVERY
def test_a_hole_of_compact_beside_others_is_filled(v, tmp_path):
    fields = {"name": "Twice", "strings": ("w", "x", "x * w"), "layers": NT(d=v.dense((3, 3)))}
    compact = lux("CompactLuxLayer", fields, module="Lux.CompactMacroImpl")
    square = draw(3, 3)
    ps = NT(hole=NT(d=NT(weight=square, bias=B1[:3])), last=NT(weight=W1, bias=B1))
    path = write_model_file(tmp_path, v.form, model=chain(hole=compact, last=v.dense((3, 4))), ps=ps)
    layers = {"Twice": lp.Chain(d=lp.Dense(3, 3))}
    assert_close(compute_result(path, functions=layers), (X @ square + B1[:3]) @ W1 + B1)


@pytest.mark.parametrize("form", ["old", "new"])
@pytest.mark.parametrize("rule", ["Adam", "Momentum"])
def test_a_train_state_beside_a_model_is_found(form, rule, tmp_path):
    """`load_train_state` takes the one TrainState; `load_model` asks which model is meant."""
    path = write_model_file(
        tmp_path, form, model=make_chain(Old if form == "old" else New), ps=PS, ts=make_train_state(*RULES[rule][:2])
    )
    state = load_train_state(path, backend="numpy")
    assert int(state.step) == 3
    assert_close(state.model(X, state.ps, lp.test_mode(state.st))[0], WANT)
    with pytest.raises(FileFormatError, match="choose one by name: model, ts"):
        load_model(path)
    assert_close(compute_result(path, name="model"), WANT)
    assert_close(compute_result(path, name="ts"), WANT)


@pytest.mark.parametrize("form", ["old", "new"])
def test_layers_without_arrays_are_read(form, tmp_path):
    one, two_ = static(1), static(2)
    model = chain(
        reshape=lux("ReshapeLayer", {"dims": (3, 1)}, (2,)),
        flatten=lux("FlattenLayer", {"N": Type("Core.Nothing")}, (Type("Core.Nothing"),)),
        dense=(Old if form == "old" else New).dense((3, 4)),
        fold=lux("ReshapeLayer", {"dims": (2, 2)}, (2,)),
        select=lux("SelectDim", {"dim": one, "index": two_}, (one, two_)),
    )
    none = dict.fromkeys(("reshape", "flatten", "fold", "select"), NONE)
    path = write_model_file(tmp_path, form, model=model, ps=NT(dense=NT(weight=W1, bias=B1), **none))
    assert_close(compute_result(path), (X @ W1 + B1).reshape(5, 2, 2)[..., 1])


@pytest.mark.parametrize("form", ["old", "new"])
def test_tokens_pass_through_a_model(form, tmp_path):
    table, tokens = draw(7, 3), np.array([[1, 6], [0, 2]])
    v = Old if form == "old" else New
    embedding = lux("Embedding", {"in_dims": 7, "out_dims": 3, "init_weight": GLOROT}, (GLOROT,))
    ps = NT(e=NT(weight=table), d=NT(weight=W1, bias=B1))
    layer, ps, st = load_model(write_model_file(tmp_path, form, model=chain(e=embedding, d=v.dense((3, 4))), ps=ps))
    assert_close(np.asarray(layer(tokens, ps, st)[0]), table[tokens] @ W1 + B1)


def test_each_of_several_models_has_its_parameters(tmp_path):
    path = write_model_file(
        tmp_path, "new", nets=NT(actor=NT(model=make_chain(New), ps=PS), critic=NT(model=make_chain(New), ps=PS))
    )
    with pytest.raises(FileFormatError, match=r"choose one by name: nets\.actor\.model, nets\.critic\.model"):
        load_model(path)
    assert_close(compute_result(path, name="nets.actor.model"), WANT)
