"""Writing JLD2: luxport reads its own files back, and h5py reads those of these tests' own writer."""

import io
from typing import Any

import h5py
import numpy as np
import pytest
import samples

from luxport import porting
from luxport.porting import julia
from luxport.porting.files.jld2.writer import write


def test_h5py_reads_the_plain_arrays_of_the_writer(tmp_path):
    """Another reader of HDF5 than ours checks the writer of these tests."""
    file = tmp_path / "values.jld2"
    file.write_bytes(samples.jld2_values())
    with h5py.File(file) as opened:
        root: Any = opened
        for name in ("deflated", "shuffled"):
            np.testing.assert_array_equal(root[name][...], samples.WEIGHT)
        assert root["group/scalar"][()] == 2.5


WRITTEN = {
    "numbers": (1, -2.5, True, np.float32(0.5), np.int8(-3), np.uint16(9), np.float16(1.5), np.complex64(1 - 2j)),
    "nothing": (None, (), julia.NamedTuple((), ()), julia.NamedTuple(("a", "b"), ((), None))),
    "text": ("näive", julia.Symbol("σ²"), "two", julia.Symbol("weight")),
    "arrays": (np.zeros((0, 3), np.float32), np.array(4.0), np.array([True, False]), np.array([1j, 2], np.complex128)),
    "orders": (np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.arange(3, dtype=">f4"), np.arange(8)[::-2]),
    "pair": ((1, 2), (1, 2.0), (np.ones(2), np.ones(3))),
    "many": tuple(julia.NamedTuple(("w", "b"), (np.full((i, 2), i, np.float32), False)) for i in range(300)),
    "long": (julia.NamedTuple(("p",), (0.5,)),) * 300,
    "wide": julia.NamedTuple(tuple(f"entry_{i}" for i in range(400)), tuple(range(400))),
}


def are_same(a, b):
    if isinstance(a, np.ndarray):
        return a.dtype.newbyteorder("=") == b.dtype and a.shape == b.shape and a.tolist() == b.tolist()
    if isinstance(a, julia.NamedTuple):
        return type(b) is type(a) and a.names == b.names and are_same(a.values, b.values)
    if isinstance(a, tuple):
        return type(b) is tuple and len(a) == len(b) and all(map(are_same, a, b))
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("name", WRITTEN)
def test_written_values_read_back(name):
    written = io.BytesIO()
    write(written, {name: WRITTEN[name], "again": WRITTEN[name]})
    found = porting.read(written.getvalue())
    assert found.written_by.startswith("0.2.0 (luxport")
    assert are_same(WRITTEN[name], found.values[name])
    assert are_same(WRITTEN[name], found.values["again"])


def test_an_array_at_two_places_is_written_once():
    array, written = np.arange(5000.0), io.BytesIO()
    write(written, {"state": julia.NamedTuple(("encoder", "decoder"), (array, (array, 1)))})
    assert len(written.getvalue()) < 60_000
    state = porting.read(written.getvalue()).values["state"]
    assert state["encoder"] is state["decoder"][0]


@pytest.mark.parametrize(("value", "error", "text"), [
    (object(), TypeError, "got object at state.a.2"),
    ([1], TypeError, "got list at state.a.2"),
    (2**63, TypeError, "64 bits, got 9223372036854775808 at state.a.2"),
    (np.array(["x"]), TypeError, "<U1 at state.a.2"),
    (np.zeros(2, "M8[s]"), TypeError, r"datetime64\[s\] at state.a.2"),
    ((1,) * 5000, ValueError, "at most 4000 entries side by side, got 5000"),
    (julia.NamedTuple(tuple("n" * 100 + str(i) for i in range(1000)), (0,) * 1000), ValueError, "below 64 KiB"),
])  # fmt: skip
def test_values_that_cannot_be_written_are_refused(value, error, text):
    written = io.BytesIO()
    with pytest.raises(error, match=text):
        write(written, {"state": julia.NamedTuple(("a",), ((1, value),))})
    assert not written.getvalue()
