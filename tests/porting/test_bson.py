"""BSON.jl's documents, written here tag by tag as BSON.jl lowers values."""

import math
import struct

import bson_writer as bw
import numpy as np
import pytest
import samples

from luxport import porting
from luxport.porting import FileFormatError, julia

INT64 = bw.datatype("Core.Int64")


def read_value(document, **more):
    return porting.read(bw.bson({"x": document, **more})).values["x"]


def catch_error(document, **more):
    with pytest.raises(FileFormatError) as caught:
        read_value(document, **more)
    return str(caught.value)


def test_arrays_have_reversed_axes_and_are_views_where_aligned():
    # Julia's reshape(1:6, 3, 2): its columns are our rows.
    data = np.arange(1, 7, dtype=np.float32)
    document = {"tag": "array", "type": bw.datatype("Core.Float32"), "size": [3, 2], "data": data.tobytes()}
    array = read_value(document)
    np.testing.assert_array_equal(array, [[1, 2, 3], [4, 5, 6]])
    assert array.dtype == np.float32
    assert not array.flags.writeable
    assert array.flags.aligned
    octets = read_value(b"\1\2\3")
    assert not octets.flags.owndata
    np.testing.assert_array_equal(octets, np.array([1, 2, 3], np.uint8))


@pytest.mark.parametrize(
    ("path", "data", "expected"),
    [
        ("Core.Float16", np.float16(0.5).tobytes(), np.float16(0.5)),
        ("Core.Float32", np.float32(0.1).tobytes(), np.float32(0.1)),
        ("Core.UInt8", b"\xff", np.uint8(255)),
        ("Core.Int16", b"\xfe\xff", np.int16(-2)),
        ("Core.UInt32", b"\0\0\0\x80", np.uint32(2**31)),
        ("Core.UInt64", b"\xff" * 8, np.uint64(2**64 - 1)),
        ("Core.Int128", b"\xff" * 16, -1),
        ("Core.UInt128", b"\xff" * 16, 2**128 - 1),
        # Julia: reinterpret(UInt32, 'é') == 0xc3a90000
        ("Core.Char", b"\0\0\xa9\xc3", julia.Char("é")),
        ("Core.BFloat16s.BFloat16", b"\x80\x3f", np.float32(1)),
    ],
)
def test_primitive_values_are_read(path, data, expected):
    found = read_value(bw.bits_of(path, data))
    assert found == expected
    assert type(found) is type(expected)


def test_plain_values_are_read():
    assert porting.read(bw.bson({"a": None, "b": True, "c": bw.Int32(-3), "d": 2**40, "e": 0.1, "f": "ü"})).values == {
        "a": None,
        "b": True,
        "c": -3,
        "d": 2**40,
        "e": 0.1,
        "f": "ü",
    }


def test_arrays_of_other_elements_are_read():
    characters = {"tag": "array", "type": bw.datatype("Core.Char"), "size": [2], "data": b"\0\0\0a\0\0\0b"}
    assert read_value(characters) == [julia.Char("a"), julia.Char("b")]
    mixed = {"tag": "array", "type": bw.datatype("Core.Any"), "size": [1, 2], "data": [1, "two"]}
    found = read_value(mixed)
    assert found.shape == (2, 1)
    assert found.ravel().tolist() == [1, "two"]
    lists = read_value({"tag": "array", "type": bw.datatype("Core.Any"), "size": [1, 2], "data": [[1, 2], [3, 4]]})
    assert (lists.shape, lists[1, 0]) == ((2, 1), [3, 4])
    unknown = {"tag": "array", "type": bw.datatype("Flux.OneHot"), "size": [2], "data": bytes(8)}
    found = read_value(unknown)
    assert (found.shape, found.data, found.type.path) == ((2,), bytes(8), "Flux.OneHot")
    ghosts = {"tag": "array", "type": bw.datatype("Core.Nothing"), "size": [2**40, 2], "data": b""}
    found = read_value(ghosts)
    assert (found.value, found.shape) == (None, (2, 2**40))
    scalar = {"tag": "array", "type": INT64, "size": [], "data": (7).to_bytes(8, "little")}
    assert read_value(scalar).shape == ()


def test_tuples_named_tuples_and_dictionaries_are_read():
    assert read_value(bw.tuple_of(1, bw.tuple_of())) == (1, ())
    assert read_value({"tag": "svec", "data": [1]}) == (1,)
    names = bw.tuple_of(bw.symbol("kernel"), bw.symbol("σ"))
    named = bw.struct_of(bw.datatype("Core.NamedTuple", names, bw.datatype("Core.Tuple")), 3, bw.function("NNlib.relu"))
    found = read_value(named)
    assert found.names == ("kernel", "σ")
    assert found["kernel"] == 3
    assert found["σ"].path == "NNlib.relu"
    found = read_value(bw.struct_of(bw.datatype("Base.Dict"), ["a", 1], [bw.symbol("x"), None]))
    assert found.pairs == [("a", julia.Symbol("x")), (1, None)]
    assert read_value({"a": {"tag": "no tag of BSON.jl"}}) == {"a": {"tag": "no tag of BSON.jl"}}


def test_sets_of_parameters_are_read():
    # Zygote.Params: an IdSet is an IdDict whose values are all nothing, an array without bytes.
    nothings = {"tag": "array", "type": bw.datatype("Core.Nothing"), "size": [2], "data": b""}
    found = read_value(
        bw.struct_of(bw.datatype("Base.IdDict"), [bw.array(samples.WEIGHT), bw.array(samples.BIAS)], nothings)
    )
    assert [(key.shape, item) for key, item in found.pairs] == [((2, 3), None), ((3,), None)]


def test_complex_missing_and_undefined_values_are_read():
    complex32 = bw.datatype("Base.Complex", bw.datatype("Core.Float32"))
    half = bw.bits_of("Core.Float32", np.float32(0.5).tobytes())
    assert read_value(bw.struct_of(complex32, half, half)) == np.complex64(0.5 + 0.5j)
    array = {"tag": "array", "type": complex32, "size": [1], "data": np.complex64(2j).tobytes()}
    assert read_value(array).dtype == np.complex64
    assert read_value(bw.struct_of(bw.datatype("Base.Missing"))) is julia.MISSING
    assert read_value(bw.struct_of(bw.datatype("BSON.Undef"))) is julia.UNDEFINED


@pytest.mark.parametrize("path", ["Base.#identity", "Main.Base.#identity"])
def test_names_are_the_same_with_and_without_main(path):
    function = read_value(bw.struct_of(bw.datatype(path)))
    assert (function.path, function.anonymous, function.methods) == ("Base.identity", False, [])
    assert read_value(bw.datatype("Main.Policy")).path == "Main.Policy"
    assert read_value({"tag": "ref", "path": ["Main", "Flux", "Losses"]}) == julia.Module(("Flux", "Losses"))


def test_types_are_read():
    variable = bw.struct_of(
        bw.datatype("Core.TypeVar"), bw.symbol("T"), {"tag": "jl_bottom_type"}, bw.datatype("Core.Any")
    )
    every = {"tag": "unionall", "var": variable, "body": bw.datatype("Core.Array", variable, 2)}
    assert str(read_value(every)) == "Core.Array{T, 2} where T"
    union = bw.struct_of(bw.datatype("Core.Union"), bw.datatype("Core.Nothing"), INT64)
    assert str(read_value(union)) == "Union{Core.Nothing, Core.Int64}"
    # Parameters that are all numbers were lowered as an array of them.
    params = {"tag": "array", "type": INT64, "size": [2], "data": np.array([2, 4]).tobytes()}
    assert read_value({"tag": "datatype", "name": ["Flux", "MaxPool"], "params": params}).params == (2, 4)


def test_shared_objects_are_one_object():
    read = porting.read(samples.bson_model()).values
    dense, closure = read["model"].fields[0]
    assert dense.fields[1] is read["bias"]
    np.testing.assert_array_equal(dense.fields[0], samples.WEIGHT)
    assert closure.captured == [4]


def test_the_lowered_code_of_an_anonymous_function_is_read():
    closure = porting.read(samples.bson_model()).values["model"].fields[0][1]
    assert closure.anonymous
    (method,) = closure.methods
    assert (method.name, method.arguments, method.line) == ("#1", ("x",), 12)
    assert [s.fields[0] for s in method.statements] == [julia.Symbol("call"), julia.Symbol("return")]
    assert str(method).splitlines()[1:3] == ["    %1 = Main.softmax(x)", "    %2 = return %1"]


@pytest.mark.parametrize("version", ["1.1.0", "1.9.0"])
def test_methods_have_one_field_less_since_julia_1_6(version):
    typename = bw.anonymous("f", [bw.expression("return", 1)], ["a", "b"], version)
    found = read_value(bw.struct_of({"tag": "jl_anonymous", "typename": typename, "params": []}))
    assert found.methods[0].arguments == ("a", "b")


def test_cycles_are_read():
    node = porting.read(samples.bson_cycle()).values["node"]
    assert node.fields[1] is node
    assert node.fields[2] is julia.UNDEFINED
    assert [path for path, _ in julia.walk(node)] == [(), ("0",), ("2",)]
    assert "..." in repr(node)
    itself = porting.read(bw.bson({"x": bw.backref(1), "_backrefs": [[1, bw.backref(1)]]})).values["x"]
    assert itself[1] is itself


def test_tables_inside_documents_are_read():
    inner = {"a": bw.backref(1), "b": bw.backref(2), "_backrefs": [[3]]}
    read = porting.read(bw.bson({"x": inner, "y": bw.backref(1), "_backrefs": [[1], [2]]})).values
    assert read == {"x": {"a": [3], "b": [2]}, "y": [1]}


def test_long_chains_of_references_are_read():
    # A tape of 1500 steps, each referring to the one before.
    steps = [bw.struct_of(bw.datatype("Tracker.Call"), bw.backref(i)) for i in range(2, 1501)]
    node = porting.read(bw.bson({"x": bw.backref(1), "_backrefs": [*steps, [7]]})).values["x"]
    depth = 0
    while isinstance(node, julia.Struct):
        node, depth = node.fields[0], depth + 1
    assert (node, depth) == ([7], 1499)


def test_gpu_arrays_are_refused_or_marked():
    pointer = bw.bits_of("CUDA.CuPtr", bytes(8))
    array = bw.struct_of(bw.datatype("CUDA.CuArray", bw.datatype("Core.Float32"), 1), pointer, bw.tuple_of(3))
    assert "x.0 is a CUDA.CuArray: the weights were on a GPU" in catch_error([array])
    saved = porting.read(bw.bson({"x": array}), allow_unavailable=True)
    assert isinstance(saved.values["x"], julia.Unavailable)
    held = bw.struct_of(bw.datatype("CuArrays.CuArray"), bw.array(samples.BIAS))
    np.testing.assert_array_equal(read_value(held).fields[0], samples.BIAS)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (bw.backref(1), "back reference 1 leads nowhere"),
        ({"tag": "backref", "ref": True}, "back reference True leads nowhere"),
        ({"tag": "tuple"}, "the tag tuple has no data"),
        ({"tag": "tuple", "data": 3}, "data of a document with the tag tuple is no list"),
        ({"tag": "symbol", "name": 3}, "a symbol has no name"),
        ({"tag": "datatype", "name": [], "params": []}, "has no names"),
        ({"tag": "array", "type": INT64, "size": [3], "data": bytes(16)}, "24 bytes expected for an array"),
        ({"tag": "array", "type": INT64, "size": [-1], "data": b""}, "-1 entries along an axis"),
        ({"tag": "array", "type": INT64, "size": [2**40, 2**40], "data": b""}, "has the size"),
        ({"tag": "array", "type": INT64, "size": [2], "data": [1]}, "has 1 elements"),
        (bw.bits_of("Core.Float32", b"\0"), "4 bytes expected for a Core.Float32, got 1"),
        ({"tag": "array", "type": bw.datatype("Core.Bool"), "size": [1], "data": b"\2"}, "other than 0 and 1"),
        (bw.datatype("Core.Val", [1]), "a parameter that is a list"),
        (bw.struct_of(bw.datatype("Base.Dict"), [1], []), "1 keys and 0 values"),
    ],
)
def test_malformed_documents_are_refused_with_the_reason(document, reason):
    assert reason in catch_error(document)


def test_an_immutable_value_cannot_contain_itself():
    assert "contains itself" in catch_error(bw.backref(1), _backrefs=[bw.tuple_of(bw.backref(1))])
    assert "leads to itself" in catch_error(bw.backref(1), _backrefs=[bw.backref(1)])
    assert "contains itself" in catch_error(bw.backref(1), _backrefs=[bw.datatype("A", bw.backref(1))])


def test_types_that_sharing_makes_huge_are_refused():
    types = [bw.datatype("Core.Tuple", bw.backref(i), bw.backref(i)) for i in range(2, 60)]
    assert "larger than luxport reads in a file of this size" in catch_error(bw.backref(1), _backrefs=[*types, INT64])


def test_every_truncation_is_refused():
    whole = samples.bson_model()
    for size in [*range(64), *range(64, len(whole), 97), len(whole) - 1]:
        with pytest.raises(FileFormatError):
            porting.read(whole[:size])


def test_nan_and_infinity_are_read():
    found = porting.read(bw.bson({"a": math.nan, "b": -math.inf})).values
    assert math.isnan(found["a"])
    assert found["b"] == -math.inf


def test_a_dictionary_of_tuples_of_numbers_is_read():
    """Vectors of plain tuples are bytes in the file; NumPy aligns their parts as Julia does."""
    number, small = bw.datatype("Core.Float64"), bw.datatype("Core.Int8")
    points = np.array([(0.5, 1), (2.0, -3)], np.dtype([("x", "f8"), ("n", "i1")], align=True))
    values = {"tag": "array", "type": bw.datatype("Core.Tuple", number, small), "size": [2], "data": points.tobytes()}
    dictionary = bw.struct_of(bw.datatype("Base.Dict"), ["a", "b"], values)
    assert porting.read(bw.bson({"d": dictionary})).values["d"].pairs == [("a", (0.5, 1)), ("b", (2.0, -3))]
    values["type"] = bw.datatype("Main.Point")
    pairs = porting.read(bw.bson({"d": dictionary})).values["d"].pairs
    assert [read_value.data for _, read_value in pairs] == [points[:1].tobytes(), points[1:].tobytes()]


def test_a_value_nested_too_deep_is_a_hole_and_the_rest_is_read():
    deep = bw.bson({})
    for _ in range(1200):
        deep = struct.pack("<i", len(deep) + 8) + b"\x040\0" + deep + b"\0"
    body = b"\x04deep\0" + deep + b"\x10last\0" + struct.pack("<i", 3) + b"\0"
    found = porting.read(struct.pack("<i", len(body) + 4) + body).values
    inner = found["deep"]
    while isinstance(inner, list):
        (inner,) = inner
    assert isinstance(inner, julia.Unavailable) and "nested more than 1000 deep" in inner.reason
    assert found["last"] == 3
