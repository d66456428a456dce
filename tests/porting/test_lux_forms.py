"""Whole Lux files of unusual forms: types without a version, values that are not read, several things side by side.

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
from test_lux_models import B1, RULES, W1, W2, X, close, opened, train_state

import luxport as lp
from luxport.porting import FileFormatError, julia, load_model, load_parameters, read
from luxport.training import load_train_state

EVERY = pytest.mark.parametrize("v", [Old, New, Between])
NONE = NT()


class Written:
    """A value that a function writes."""

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


def written(tmp_path, form="new", **values):
    writer = Writer(form)
    path = tmp_path / "model.jld2"
    path.write_bytes(writer.finish(**{name: writer.value(value) for name, value in values.items()}))
    return path


def two(v):
    return chain(layer_1=v.dense((3, 4), TANH), layer_2=v.dense((4, 2), bias=False))


PS = NT(layer_1=NT(weight=W1, bias=B1), layer_2=NT(weight=W2))
WANT = np.tanh(X @ W1 + B1) @ W2


def result(path, **options):
    layer, ps, st = load_model(path, backend="numpy", **options)
    return layer(X, ps, lp.test_mode(st))[0]


@EVERY
def test_types_without_a_version(v, tmp_path, monkeypatch):
    compound = jw.compound
    monkeypatch.setattr(jw, "compound", lambda members: b"\x06" + compound(members)[1:])
    close(result(opened(tmp_path, v.form, model=two(v), ps=PS, st=NT(layer_1=NONE, layer_2=NONE))), WANT)
    state = load_train_state(opened(tmp_path, v.form, ts=train_state(*RULES["Adam"][:2])), backend="numpy")
    close(state.model(X, state.ps, lp.test_mode(state.st))[0], WANT)


@EVERY
@pytest.mark.parametrize("depth", [1, 5, 12])
def test_chains_in_chains(v, depth, tmp_path):
    model, ps = two(v), PS
    for _ in range(depth):
        model, ps = chain(inner=model), NT(inner=ps)
    close(result(opened(tmp_path, v.form, model=model, ps=ps)), WANT)


@UNREAD
def test_a_layer_that_is_not_read_is_a_hole_in_its_place(value, reason, tmp_path):
    model = chain(layer_1=New.dense((3, 4), TANH), odd=value, layer_2=New.dense((4, 2), bias=False))
    path = written(tmp_path, model=model, ps=NT(layer_1=PS["layer_1"], odd=NONE, layer_2=PS["layer_2"]))
    with pytest.raises(lp.LayerError, match=rf"Hole at odd cannot be read .*{reason}.*functions=\{{'odd': f\}}"):
        result(path)
    close(result(path, functions={"odd": lambda x: x}), WANT)


@UNREAD
def test_a_function_that_is_not_read_is_named_by_its_place(value, reason, tmp_path):
    dense = lux("Dense", New.dense((3, 4)).fields | {"activation": value}, (RELU,))
    path = written(tmp_path, model=chain(layer_1=dense), ps=NT(layer_1=PS["layer_1"]))
    with pytest.raises(lp.LayerError, match=r"functions=\{'layer_1.activation': f\}"):
        result(path)
    close(result(path, functions={"layer_1.activation": np.tanh}), np.tanh(X @ W1 + B1))


@UNREAD
def test_a_parameter_that_is_not_read_is_named(value, reason, tmp_path):
    ps = NT(layer_1=PS["layer_1"], layer_2=NT(weight=value))
    with pytest.raises(FileFormatError, match=rf"layer_2\.weight: it cannot be read: .*{reason}"):
        result(written(tmp_path, model=two(New), ps=ps))


@UNREAD
def test_what_is_beside_the_model_is_no_obstacle(value, reason, tmp_path):
    kept = NT(loss=0.5, odd=value, inner=NT(odd=value))
    close(result(written(tmp_path, model=two(New), ps=PS, history=value, kept=kept)), WANT)
    model = lp.Chain(lp.Dense(3, 4, lp.tanh), lp.Dense(4, 2, use_bias=False))
    parameters = load_parameters(written(tmp_path, ps=PS, history=value), model, name="ps")
    close(parameters[0]["layer_1"]["weight"], W1)


def test_what_is_reached_sooner_elsewhere_is_whole(tmp_path):
    """A tower that is too deep from one side is not cut for those who reach its upper half."""
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
def test_a_hole_of_compact_beside_others(v, tmp_path):
    fields = {"name": "Twice", "strings": ("w", "x", "x * w"), "layers": NT(d=v.dense((3, 3)))}
    compact = lux("CompactLuxLayer", fields, module="Lux.CompactMacroImpl")
    square = draw(3, 3)
    ps = NT(hole=NT(d=NT(weight=square, bias=B1[:3])), last=NT(weight=W1, bias=B1))
    path = opened(tmp_path, v.form, model=chain(hole=compact, last=v.dense((3, 4))), ps=ps)
    layers = {"Twice": lp.Chain(d=lp.Dense(3, 3))}
    close(result(path, functions=layers), (X @ square + B1[:3]) @ W1 + B1)


@pytest.mark.parametrize("form", ["old", "new"])
@pytest.mark.parametrize("rule", ["Adam", "Momentum"])
def test_a_train_state_beside_a_model(form, rule, tmp_path):
    """`load_train_state` takes the one TrainState; `load_model` asks which model is meant."""
    path = opened(tmp_path, form, model=two(Old if form == "old" else New), ps=PS, ts=train_state(*RULES[rule][:2]))
    state = load_train_state(path, backend="numpy")
    assert int(state.step) == 3
    close(state.model(X, state.ps, lp.test_mode(state.st))[0], WANT)
    with pytest.raises(FileFormatError, match="choose one by name: model, ts"):
        load_model(path)
    close(result(path, name="model"), WANT)
    close(result(path, name="ts"), WANT)


@pytest.mark.parametrize("form", ["old", "new"])
def test_layers_without_arrays(form, tmp_path):
    one, two_ = static(1), static(2)
    model = chain(
        reshape=lux("ReshapeLayer", {"dims": (3, 1)}, (2,)),
        flatten=lux("FlattenLayer", {"N": Type("Core.Nothing")}, (Type("Core.Nothing"),)),
        dense=(Old if form == "old" else New).dense((3, 4)),
        fold=lux("ReshapeLayer", {"dims": (2, 2)}, (2,)),
        select=lux("SelectDim", {"dim": one, "index": two_}, (one, two_)),
    )
    none = dict.fromkeys(("reshape", "flatten", "fold", "select"), NONE)
    path = opened(tmp_path, form, model=model, ps=NT(dense=NT(weight=W1, bias=B1), **none))
    close(result(path), (X @ W1 + B1).reshape(5, 2, 2)[..., 1])


@pytest.mark.parametrize("form", ["old", "new"])
def test_tokens_into_a_model(form, tmp_path):
    table, tokens = draw(7, 3), np.array([[1, 6], [0, 2]])
    v = Old if form == "old" else New
    embedding = lux("Embedding", {"in_dims": 7, "out_dims": 3, "init_weight": GLOROT}, (GLOROT,))
    ps = NT(e=NT(weight=table), d=NT(weight=W1, bias=B1))
    layer, ps, st = load_model(opened(tmp_path, form, model=chain(e=embedding, d=v.dense((3, 4))), ps=ps))
    close(np.asarray(layer(tokens, ps, st)[0]), table[tokens] @ W1 + B1)


def test_several_models_each_with_its_parameters(tmp_path):
    path = opened(tmp_path, "new", nets=NT(actor=NT(model=two(New), ps=PS), critic=NT(model=two(New), ps=PS)))
    with pytest.raises(FileFormatError, match=r"choose one by name: nets\.actor\.model, nets\.critic\.model"):
        load_model(path)
    close(result(path, name="nets.actor.model"), WANT)
