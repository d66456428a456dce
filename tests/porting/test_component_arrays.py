"""ComponentArrays.jl's vectors: axes that only their types have become named trees, which fit models by path."""

import struct

import bson_writer as bw
import jld2_writer as jw
import numpy as np
import pytest

import luxport as lp
from luxport import porting
from luxport.porting import FileFormatError, julia, load_parameters
from luxport.porting.inspect_command import describe
from luxport.porting.julia.component_arrays import read_component_tree

NUMBERS = np.arange(1, 33, dtype=np.float32)
MODEL = lp.Chain(lp.Dense(3, 4), lp.NoOpLayer(), lp.BatchNorm(4))


def typename(name, *params):
    return julia.TypeName(("ComponentArrays",), name, params)


def span(first, last):
    return julia.Struct(julia.TypeName(("Base",), "UnitRange", (julia.TypeName(("Core",), "Int64"),)), [first, last])


def view(place, axis):
    """A ViewAxis, whose value has no bytes: its type says everything."""
    return julia.Struct(typename("ViewAxis", place, None, axis), [])


def names(**entries):
    return julia.NamedTuple(tuple(entries), tuple(entries.values()))


def read_tree(axis, numbers=NUMBERS):
    kind = typename("ComponentArray", 1, julia.TypeName(("Core",), "Tuple", (axis,)))
    return read_component_tree(julia.Struct(kind, [numbers, ()]))


@pytest.mark.parametrize(
    ("entry", "want"),
    [
        # src/axis.jl of ComponentArrays.jl at its tags v0.3.0 to v0.15.45: the parameters of ShapedAxis differ.
        (3, np.float32(3)),
        (span(2, 4), NUMBERS[1:4]),
        (view(span(1, 6), typename("ShapedAxis", (2, 3))), NUMBERS[:6].reshape(3, 2)),
        (view(span(1, 6), typename("ShapedAxis", (2, 3), ())), NUMBERS[:6].reshape(3, 2)),
        (view(span(2, 4), typename("Shaped1DAxis", (3,))), NUMBERS[1:4]),
        (view(span(1, 0), typename("Shaped1DAxis", (0,))), NUMBERS[:0]),
        (view(span(2, 4), typename("FlatAxis")), NUMBERS[1:4]),
        (view(span(5, 8), typename("Axis", names(a=2, b=span(3, 4)))), {"a": 6, "b": [7, 8]}),
        (view(span(5, 8), typename("PartitionedAxis", 2, None, typename("Axis", names(a=1, b=2)))),
         [{"a": 5, "b": 6}, {"a": 7, "b": 8}]),
        # Versions 0.1 and 0.2: a tuple of the positions, the size of each part, the names.
        ((span(5, 8), names(a=2, b=span(3, 4))), {"a": 6, "b": [7, 8]}),
        ((span(5, 8), 2, names(a=1, b=2)), [{"a": 5, "b": 6}, {"a": 7, "b": 8}]),
    ],
    ids=["number", "range", "shape", "shape 0.3", "1d", "empty", "flat", "tree", "parts", "tree 0.2", "parts 0.2"],
)  # fmt: skip
def test_every_kind_of_axis_is_read(entry, want):
    def plain(value):
        if isinstance(value, julia.NamedTuple):
            return {name: plain(value[name]) for name in value.names}
        return [plain(part) for part in value] if isinstance(value, list) else np.asarray(value).tolist()

    got = read_tree(typename("Axis", names(x=entry)))["x"]
    if isinstance(want, np.ndarray):
        np.testing.assert_array_equal(got, want)
        assert np.shares_memory(got, NUMBERS) or not want.size
    else:
        assert plain(got) == (want if isinstance(want, (dict, list)) else want.tolist())


def test_an_axis_without_names_leaves_the_vector():
    assert read_tree(typename("FlatAxis")) is NUMBERS
    assert read_tree(typename("Axis", ())) is NUMBERS


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (33, "32 numbers has an entry at 33"),
        (span(30, 40), "has an entry at"),
        (span(0, 2), "has an entry at"),
        (view(span(1, 6), typename("ShapedAxis", (2, 2))), r"6 numbers for an array of the size \(2, 2\)"),
        (view(span(1, 5), typename("PartitionedAxis", 2, None, typename("Axis", names(a=1)))), "5 numbers in parts of"),
    ],
)
def test_positions_outside_the_vector_are_refused(entry, reason):
    with pytest.raises(FileFormatError, match=reason):
        read_tree(typename("Axis", names(x=entry)))


def bson_span(first, last):
    return bw.struct_of(bw.datatype("Base.UnitRange", bw.datatype("Core.Int64")), first, last)


def bson_names(**entries):
    symbols = bw.tuple_of(*map(bw.symbol, entries))
    return bw.struct_of(bw.datatype("Core.NamedTuple", symbols, bw.datatype("Core.Tuple")), *entries.values())


def bson_view(first, last, axis):
    """A ViewAxis as BSON.jl writes it, with its field ``ax``: a struct without fields."""
    kind = bw.datatype("ComponentArrays.ViewAxis", bson_span(first, last), None, axis)
    return bw.struct_of(kind, bw.struct_of(axis))


def bson_vector():
    """Return ``ComponentVector(first = Lux's ps)`` of `MODEL`: 12 + 4 of a Dense, 4 + 4 of a BatchNorm."""
    matrix = bw.datatype("ComponentArrays.ShapedAxis", bw.tuple_of(4, 3))
    dense = bson_names(weight=bson_view(1, 12, matrix), bias=bson_span(13, 16))
    norm = bson_names(scale=bson_span(1, 4), bias=bson_span(5, 8))
    axis = bw.datatype(
        "ComponentArrays.Axis",
        bson_names(
            layer_1=bson_view(1, 16, bw.datatype("ComponentArrays.Axis", dense)),
            layer_2=bson_span(17, 16),
            layer_3=bson_view(17, 24, bw.datatype("ComponentArrays.Axis", norm)),
        ),
    )
    kind = bw.datatype(
        "ComponentArrays.ComponentArray", bw.datatype("Core.Float32"), 1, bw.datatype("Core.Tuple", axis)
    )
    return bw.struct_of(kind, bw.array(NUMBERS[:24]), bw.tuple_of(bw.struct_of(axis)))


def assert_fitted(ps):
    np.testing.assert_array_equal(ps["layer_1"]["weight"], NUMBERS[:12].reshape(3, 4))
    np.testing.assert_array_equal(ps["layer_1"]["bias"], NUMBERS[12:16])
    # In Flux's flat layout a norm's bias would come first.
    np.testing.assert_array_equal(ps["layer_3"]["scale"], NUMBERS[16:20])
    np.testing.assert_array_equal(ps["layer_3"]["bias"], NUMBERS[20:24])


def test_vectors_in_bson_fit_a_model(tmp_path):
    path = tmp_path / "ps.bson"
    path.write_bytes(bw.bson({"ps": bson_vector(), "epoch": 3}))
    assert_fitted(load_parameters(path, MODEL, backend="numpy")[0])
    with pytest.raises(FileFormatError, match=r"layer_3 is left over"):
        load_parameters(path, lp.Chain(lp.Dense(3, 4)))
    shown = "\n".join(describe(porting.read(path)))
    assert "layer_1: named tuple of 2" in shown
    assert "weight: float32 array (3, 4)" in shown


def jld2_vector(form):
    """Write the vector with its axes only in the parameters of its type, as JLD2 does."""
    w = jw.JLD2Writer(form)
    views = {}
    int64, any_type = w.type_value("Core.Int64"), w.type_value("Core.Any")
    symbol = w.commit(w.type_record("Core.Symbol"), jw.TEXT)
    pair = jw.compound([("start", jw.INT64), ("stop", jw.INT64)])
    range_type = w.commit(w.type_record("Base.UnitRange", int64), pair, fields=[("start", 0), ("stop", 0)])
    range_param = w.type_value("Base.UnitRange", int64)

    def span_value(first, last):
        return w.scalar(jw.shared(range_type), struct.pack("<qq", first, last))

    def tuple_value(*numbers):
        kind = w.commit(
            w.type_record("NTuple", w.scalar(jw.INT64, struct.pack("<q", len(numbers))), int64),
            jw.compound([(str(i), jw.INT64) for i in range(1, len(numbers) + 1)]),
            fields=[(str(i), 0) for i in range(1, len(numbers) + 1)],
        )
        return w.scalar(jw.shared(kind), struct.pack(f"<{len(numbers)}q", *numbers))

    def names_value(*keys):
        fields = [(str(i), symbol) for i in range(1, len(keys) + 1)]
        count = w.scalar(jw.INT64, struct.pack("<q", len(keys)))
        kind = w.commit(w.type_record("NTuple", count, symbol), jw.compound([(n, jw.TEXT) for n, _ in fields]),
                        fields=fields)  # fmt: skip
        return w.scalar(jw.shared(kind), b"".join(map(w.text, keys)))

    def index_map(**entries):
        """Write a named tuple of ranges (pairs) and views (types), of which only ranges have bytes."""
        types = [range_param if isinstance(entry, tuple) else entry for entry in entries.values()]
        record = (names_value(*entries), w.type_value("Core.Tuple", *types))
        stored = [(key, entry) for key, entry in entries.items() if isinstance(entry, tuple)]
        if not stored:
            kind = w.commit(w.type_record("Core.NamedTuple", *record), jw.opaque(1), empty=True)
            return w.null(jw.shared(kind))
        fields = [(key, range_type) for key, _ in stored]
        if form == "new":  # the new form names the fields without data, too
            singletons = {key: w.singleton("ComponentArrays.ViewAxis", *views[entry])
                          for key, entry in entries.items() if entry in views}  # fmt: skip
            fields = [(key, singletons.get(key, range_type)) for key in entries]
        kind = w.commit(
            w.type_record("Core.NamedTuple", *record), jw.compound([(key, pair) for key, _ in stored]), fields=fields
        )
        return w.scalar(jw.shared(kind), b"".join(struct.pack("<qq", *entry) for _, entry in stored))

    def view_type(first, last, axis):
        params = span_value(first, last), any_type, axis
        place = w.type_value("ComponentArrays.ViewAxis", *params)
        views[place] = params
        return place

    matrix = w.type_value("ComponentArrays.ShapedAxis", tuple_value(4, 3))
    dense = w.type_value("ComponentArrays.Axis", index_map(weight=view_type(1, 12, matrix), bias=(13, 16)))
    norm = w.type_value("ComponentArrays.Axis", index_map(scale=(1, 4), bias=(5, 8)))
    flat = w.type_value("ComponentArrays.Shaped1DAxis", tuple_value(0))
    axis = w.type_value(
        "ComponentArrays.Axis",
        index_map(layer_1=view_type(1, 16, dense), layer_2=view_type(17, 16, flat), layer_3=view_type(17, 24, norm)),
    )
    kind = w.commit(
        w.type_record("ComponentArrays.ComponentArray", any_type, w.type_value("Core.Tuple", axis)),
        jw.compound([("data", jw.REFERENCE)]),
        fields=[("data", 0)],
    )
    data = w.array(NUMBERS[:24], jw.FLOAT32)
    return w.finish(ps=w.scalar(jw.shared(kind), struct.pack("<Q", data)))


@pytest.mark.parametrize("form", ["old", "new"])
def test_vectors_in_jld2_fit_a_model(form, tmp_path):
    path = tmp_path / "ps.jld2"
    path.write_bytes(jld2_vector(form))
    assert_fitted(load_parameters(path, MODEL, backend="numpy")[0])
