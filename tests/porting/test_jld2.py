"""JLD2 files, written here message by message in the forms of its versions."""

import bz2
import struct
import zlib

import jld2_writer as jw
import numpy as np
import pytest
import samples
from jld2_writer import JLD2Writer

from luxport import porting
from luxport.porting import FileFormatError, julia
from luxport.porting.files.jld2.checksum import compute_lookup3
from luxport.porting.julia.entries import find_entry_at


def read_value(make):
    """Return the value read from the one object that ``make(writer)`` writes."""
    w = JLD2Writer()
    return porting.read(w.finish(x=make(w))).values["x"]


def catch_error(make):
    with pytest.raises(FileFormatError) as caught:
        read_value(make)
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "expected"),
    # the values that driver5 of lookup3.c prints
    [(b"", 0xDEADBEEF), (b"Four score and seven years ago", 0x17770551)],
)
def test_checksums_equal_lookup3s(data, expected):
    assert compute_lookup3(data) == expected


@pytest.mark.parametrize("form", ["new", "old"])
def test_states_keep_empty_members_in_both_forms(form):
    state = porting.read(samples.jld2_state(form)).values["model_state"]
    assert state.names == ("weight", "bias", "σ")
    np.testing.assert_array_equal(state["weight"], samples.WEIGHT)
    assert state["bias"] is False
    assert state["σ"] == ()


def test_values_are_read():
    read = porting.read(samples.jld2_values()).values
    assert "_types" not in read
    assert (read["text"], read["symbol"]) == ("naive", julia.Symbol("adam"))
    assert read["activation"].path == "NNlib.relu"
    np.testing.assert_array_equal(read["complex"], np.array([1 + 2j, -0.5j], np.complex64))
    assert read["complex"].dtype == np.complex64
    assert read["bools"].tolist() == [True, False]
    assert read["settings"].type.path == "Base.Dict"
    assert read["settings"].pairs == [(julia.Symbol("name"), "naive")]
    assert (read["ghosts"].value, read["ghosts"].shape) == (None, (4,))
    assert read["group"] == {"scalar": 2.5}
    assert read["objects"][0] == "naive"
    assert read["objects"][1] is read["node"]
    assert read["node"]["value"] == 7
    assert read["node"]["next"] is julia.UNDEFINED
    with pytest.raises(KeyError, match="has the fields value, next in this file, not weight"):
        read["node"]["weight"]


def test_arrays_are_views_with_the_axes_reversed():
    # JLD2 writes Julia's size (3, 2) as the extents 2, 3, with the same bytes.
    array = read_value(lambda w: w.array(samples.WEIGHT, jw.FLOAT32))
    np.testing.assert_array_equal(array, samples.WEIGHT)
    assert not array.flags.owndata
    assert not array.flags.writeable
    compact = read_value(lambda w: w.array(samples.WEIGHT, jw.FLOAT32, compact=True))
    np.testing.assert_array_equal(compact, samples.WEIGHT)


@pytest.mark.parametrize(
    ("datatype", "dtype"),
    [
        (struct.pack("<BBBBIHH", 0x30, 8, 0, 0, 2, 0, 16), "<i2"),
        (struct.pack("<BBBBIHH", 0x30, 0, 0, 0, 8, 0, 64), "<u8"),
        (struct.pack("<BBBBIHH", 0x30, 9, 0, 0, 4, 0, 32), ">i4"),
        (struct.pack("<BBBBIHHBBBBI", 0x31, 0x20, 15, 0, 2, 0, 16, 10, 5, 0, 10, 15), "<f2"),
    ],
)
def test_numbers_of_every_format_are_read(datatype, dtype):
    array = read_value(lambda w: w.array(np.array([3, 5], dtype), datatype))
    np.testing.assert_array_equal(array, [3, 5])
    assert array.dtype.newbyteorder("<") == np.dtype(dtype).newbyteorder("<")
    assert array.dtype.byteorder != ">"


def test_opaque_and_bitfield_bools_are_read():
    def opaque(w):
        return w.array(np.array([1, 0], np.uint8), jw.shared(w.commit(w.type_record("Core.Bool"), jw.opaque(1))))

    assert read_value(opaque).dtype == np.bool_
    assert read_value(opaque).tolist() == [True, False]
    assert read_value(lambda w: w.scalar(jw.BOOL, b"\1")) is True
    assert "other than 0 and 1" in catch_error(lambda w: w.array(np.array([7], np.uint8), jw.BOOL))


def test_primitive_values_are_read():
    def write_value(name, data):
        return lambda w: w.scalar(jw.shared(w.commit(w.type_record(name), jw.opaque(len(data)))), data)

    assert read_value(write_value("Core.Char", b"\0\0\0a")) == julia.Char("a")
    assert read_value(write_value("Main.Color", b"\2\0\0\0")).data == b"\2\0\0\0"
    assert isinstance(read_value(write_value("Core.Ptr", bytes(8))), julia.Unavailable)


def test_big_integers_are_read_in_base_62():
    # Julia: string(10^12, base = 62) == "HbXm5a4"
    def big(w):
        written = w.type_record("Core.String")
        return w.scalar(
            jw.shared(w.commit(w.type_record("Base.GMP.BigInt"), jw.TEXT, written=written)), w.text("HbXm5a4")
        )

    assert read_value(big) == 10**12


def test_strings_of_jld2_0_1_12_to_0_3_1_are_read():
    def old(w):
        data = "naïve".encode()
        return w.array(np.frombuffer(data, np.uint8), jw.fixed_text(len(data)), compact=True)

    assert read_value(old) == "naïve"


def test_empty_strings_and_vectors_are_read():
    assert read_value(lambda w: w.scalar(jw.fixed_text(0), b"")) == ""
    assert read_value(lambda w: w.array(np.zeros(0, np.uint8), jw.fixed_text(0), compact=True)) == ""
    assert read_value(lambda w: w.array(np.zeros(0, "<u8"), jw.REFERENCE, compact=True)) == []
    assert read_value(lambda w: w.array(np.zeros((0, 3), "<f4"), jw.FLOAT32, compact=True)).shape == (0, 3)
    assert read_value(lambda w: w.scalar(jw.TEXT, w.text(""))) == ""
    assert read_value(lambda w: w.scalar(jw.TEXT, bytes(16))) is julia.UNDEFINED
    assert "without bytes" in catch_error(lambda w: w.array(np.zeros(0, "u1").reshape(2, 0), jw.fixed_text(0)))


def test_arrays_of_texts_of_one_length_are_read():
    assert read_value(lambda w: w.array(np.array([b"ab", b"cd", b"ef"]), jw.fixed_text(2))) == ["ab", "cd", "ef"]


def test_an_attribute_gives_the_axes_of_arrays_without_any():
    def scalar_array(w):
        return w.array(np.array([2.5]), jw.FLOAT64, w.attribute("dimensions", jw.INT64, jw.simple(0), b""))

    found = read_value(scalar_array)
    assert (found.shape, found[()]) == ((), 2.5)


def test_axes_only_in_type_parameters_are_read():
    # ComponentArrays: the axes are a field without data; ViewAxis(1:6, (2, 3)) is in the type.
    def component_vector(w):
        int_range = w.commit(w.type_record("Base.UnitRange"), jw.compound([("start", jw.INT64), ("stop", jw.INT64)]))
        first_six = w.scalar(jw.shared(int_range), struct.pack("<qq", 1, 6))
        axis = w.type_value("ComponentArrays.Axis", w.type_value("ComponentArrays.ViewAxis", first_six))
        record = w.type_record("ComponentArrays.ComponentArray", axis)
        committed = w.commit(record, jw.compound([("data", jw.REFERENCE)]))
        return w.scalar(jw.shared(committed), struct.pack("<Q", w.array(samples.WEIGHT.ravel(), jw.FLOAT32)))

    found = read_value(component_vector)
    assert found.names == ("data",)
    (axis,) = found.type.params
    span = axis.params[0].params[0]
    assert (span["start"], span["stop"]) == (1, 6)
    assert str(found.type).startswith("ComponentArrays.ComponentArray{ComponentArrays.Axis{ComponentArrays.ViewAxis{")


def test_functions_are_read_with_the_values_they_capture():
    def closure(w):
        committed = w.commit(w.type_record("Main.#3#4"), jw.compound([("rate", jw.FLOAT64)]))
        return w.scalar(jw.shared(committed), struct.pack("<d", 0.5))

    found = read_value(closure)
    assert (found.anonymous, found.captured, found.names, found.methods) == (True, [0.5], ("rate",), [])


def test_mutable_structs_may_contain_themselves():
    w = JLD2Writer()
    node = w.commit(w.type_record("Main.Node"), jw.compound([("next", jw.REFERENCE)]))
    # The object's own address is where the next object begins.
    address = w.append(b"")
    assert w.scalar(jw.shared(node), struct.pack("<Q", address)) == address
    found = porting.read(w.finish(x=address)).values["x"]
    assert found["next"] is found


def test_gpu_arrays_are_refused():
    def on_gpu(w):
        committed = w.commit(w.type_record("CUDA.CuArray"), jw.compound([("offset", jw.INT64)]))
        return w.scalar(jw.shared(committed), bytes(8))

    assert "x is a CUDA.CuArray: the weights were on a GPU" in catch_error(on_gpu)


RAW = samples.WEIGHT.tobytes()
SHUFFLED = np.frombuffer(RAW, np.uint8).reshape(-1, 4).T.tobytes()
# One LZ4 block of literals alone: a token with their number, then the literals.
LZ4_BLOCK = b"\xf0" + bytes([len(RAW) - 15]) + RAW
LZ4_HDF5 = struct.pack(">QII", len(RAW), len(RAW), len(LZ4_BLOCK)) + LZ4_BLOCK
LZ4_FRAME = b"\x04\x22\x4d\x18\x60\x40\0" + struct.pack("<I", len(LZ4_BLOCK)) + LZ4_BLOCK + bytes(4)


@pytest.mark.parametrize(
    ("stored", "filters"),
    [
        (zlib.compress(RAW), [(1, (5,))]),
        (zlib.compress(SHUFFLED), [(2, (4,)), (1, (5,))]),
        (bz2.compress(RAW), [(307, ())]),
        (RAW + b"sum.", [(3, ())]),
        (LZ4_HDF5, [(32004, ())]),
        (LZ4_FRAME, [(32004, ())]),
    ],
)
def test_compressed_arrays_are_read(stored, filters):
    array = read_value(lambda w: w.chunked(samples.WEIGHT, jw.FLOAT32, stored, filters))
    np.testing.assert_array_equal(array, samples.WEIGHT)


def test_lz4_matches_may_overlap_themselves():
    # One literal byte, then a match of 23 bytes at distance one: 24 times the same byte.
    block = b"\x1f\0\1\0\4\0"
    stored = struct.pack(">QII", 24, 24, len(block)) + block
    zeros = np.zeros((2, 3), np.float32)
    np.testing.assert_array_equal(read_value(lambda w: w.chunked(zeros, jw.FLOAT32, stored, [(32004, ())])), zeros)


def test_chunks_in_a_tree_are_read():
    # An array (3, 5) in chunks (2, 2) as HDF5's libraries write it: a B-tree, with chunks filled up at the edges.
    whole = np.arange(15, dtype=np.float32).reshape(3, 5)

    def chunked(w):
        padded = np.zeros((4, 6), np.float32)
        padded[:3, :5] = whole
        entries = b""
        for i in (0, 2):
            for j in (0, 2, 4):
                stored = zlib.compress(padded[i : i + 2, j : j + 2].tobytes())
                entries += struct.pack("<IIQQQQ", len(stored), 0, i, j, 0, w.append(stored))
        tree = w.append(b"TREE" + struct.pack("<BBHQQ", 1, 0, 6, jw.UNDEFINED, jw.UNDEFINED) + entries + bytes(32))
        layout = struct.pack("<BBBQIII", 3, 2, 3, tree, 2, 2, 4)
        pipeline = struct.pack("<BBHHHI", 2, 1, 1, 0, 1, 5)
        return w.dataset(jw.FLOAT32, jw.simple(3, 5), [(0x0B, 0, pipeline), (0x08, 0, layout)])

    np.testing.assert_array_equal(read_value(chunked), whole)


@pytest.mark.parametrize(
    ("stored", "filters", "reason"),
    [
        (zlib.compress(RAW)[:-9], [(1, (5,))], "a chunk has"),
        (b"not deflated", [(1, (5,))], "compressed data are damaged"),
        (zlib.compress(RAW + b"more"), [(1, (5,))], "should have 24"),
        (LZ4_HDF5[:-3], [(32004, ())], "LZ4 are damaged"),
        (RAW, [(32015, (3,))], "Zstandard are damaged"),
        (RAW, [(32001, ())], "compressed with Blosc, which luxport does not read"),
        (RAW, [(2, (7,))], "shuffled bytes do not divide into elements of 7"),
    ],
)
def test_damaged_or_unknown_compression_is_refused(stored, filters, reason):
    assert reason in catch_error(lambda w: w.chunked(samples.WEIGHT, jw.FLOAT32, stored, filters))


def test_sizes_are_checked_before_anything_is_allocated():
    huge = jw.simple(2**30, 2**20)
    contiguous = (0x08, 0, struct.pack("<BBQQ", 4, 1, 48, 2**52))
    assert "outside the file" in catch_error(lambda w: w.dataset(jw.FLOAT32, huge, [contiguous]))
    dims = struct.pack("<QQQ", 2**30, 2**20, 4)
    chunked = (0x08, 0, struct.pack("<BBBBB", 4, 2, 2, 3, 8) + dims + struct.pack("<BQIQ", 1, 10, 0, 48))
    deflate = (0x0B, 0, struct.pack("<BBHHHI", 2, 1, 1, 0, 1, 5))
    assert "cannot come from a file" in catch_error(lambda w: w.dataset(jw.FLOAT32, huge, [deflate, chunked]))


def test_files_with_the_header_of_early_versions_are_read():
    early = samples.jld2_state().replace(
        b"HDF5-based Julia Data Format, version 0.2.0", b"Julia data file (HDF5), version 0.2.0"
    )
    early = early[:100].ljust(106, b"\0") + early[100:]
    assert porting.read(early).written_by == "0.2.0 (Julia 1.10.5 64-bit LE)"


def test_checksums_show_damage_and_the_size_shows_truncation():
    whole = samples.jld2_state()
    damaged = bytearray(whole)
    damaged[whole.index(b"OHDR") + 12] ^= 1
    with pytest.raises(FileFormatError, match="the checksum of an object header is wrong"):
        porting.read(bytes(damaged))
    with pytest.raises(FileFormatError, match=r"should have \d+ bytes and has \d+: truncated"):
        porting.read(whole[:-1])
    with pytest.raises(FileFormatError):
        porting.read(whole[:530])


def test_references_that_lead_nowhere_are_refused():
    def refer(address):
        return lambda w: w.array(np.array([address], "<u8"), jw.REFERENCE)

    assert "no object where a reference leads" in catch_error(refer(56))
    assert "outside the file" in catch_error(refer(2**40))


def test_datatypes_without_a_version_are_read(monkeypatch):
    # JLD2 0.4.51 and 0.4.52 wrote some of them, and JLD2 never checks the version.
    versioned = samples.jld2_values()
    compound = jw.compound
    monkeypatch.setattr(jw, "compound", lambda members: b"\x06" + compound(members)[1:])
    unversioned = samples.jld2_values()
    assert unversioned != versioned
    assert repr(porting.read(unversioned).values) == repr(porting.read(versioned).values)


def test_a_value_that_is_not_read_is_a_hole_and_the_rest_is_read():
    """One value is nested too deep and one has an unsupported class of HDF5; their contents may be read elsewhere."""
    w = JLD2Writer()
    inner = leaf = w.scalar(jw.INT64, struct.pack("<q", 7))
    for _ in range(200):
        inner = w.vector_of_references(inner)
    time = struct.pack("<BBBBIH", 0x12, 0, 0, 0, 4, 32)
    found = porting.read(
        w.finish(deep=inner, leaf=leaf, other=w.scalar(time, bytes(4)), last=w.array(samples.WEIGHT, jw.FLOAT32))
    ).values
    assert isinstance(found["deep"], julia.Unavailable) and "nested more than 100 deep" in found["deep"].reason
    assert isinstance(found["other"], julia.Unavailable) and "not read" in found["other"].reason
    assert found["leaf"] == 7
    np.testing.assert_array_equal(found["last"], samples.WEIGHT)


def test_entries_of_a_matrix_of_arrays_are_named():
    w = JLD2Writer()
    parts = [w.array(samples.WEIGHT + i, jw.FLOAT32) for i in range(4)]
    any_type = struct.pack("<Q", w.type_value("Core.Any"))
    kind = w.attribute("julia_type", jw.REFERENCE, jw.SCALAR, any_type)
    found = porting.read(w.finish(m=w.array(np.array(parts, "<u8").reshape(2, 2), jw.REFERENCE, kind))).values
    np.testing.assert_array_equal(find_entry_at(found, "m.3")[0], samples.WEIGHT + 3)


@pytest.mark.parametrize("data", [samples.jld2_state(), samples.bson_model()], ids=["JLD2", "BSON"])
def test_zeros_that_an_editor_turned_into_spaces_are_named(data):
    size = data[:4].replace(b"\0", b" ")
    with pytest.raises(FileFormatError, match=r"put spaces \(0x20\) for its bytes 0x00"):
        porting.read(size + data[4:].replace(b"\0", b" "))
