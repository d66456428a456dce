"""A file that is no model is refused by its content, in one line; the file's name decides nothing."""

import gzip
import struct

import bson_writer as bw
import pytest
import samples

from luxport import porting
from luxport.porting import FileFormatError


def catch_error(data):
    with pytest.raises(FileFormatError) as caught:
        porting.read(data)
    text = str(caught.value)
    assert "\n" not in text
    return text


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"  # noqa: E501


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"\x05\0", "fewer than any"),
        (LFS, "pointer of Git LFS"),
        # Julia 1.9: the output of serialize(io, 1) begins with 37 4a 4c and the version.
        (b"7JL\x13\x04\0\0\0\xe2", "Julia's Serialization"),
        (gzip.compress(b"x" * 40, mtime=0), "gzip"),
        (b"PK\x03\x04" + bytes(40), "zip archive"),
        (b"\x80\x04\x95" + bytes(40), "pickle"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b'{"weight": [1, 2]}', "JSON"),
        (b"\x93NUMPY" + bytes(40), "NumPy"),
        (struct.pack("<Q", 40) + b'{"weight":' + bytes(40), "safetensors file, which luxport.load reads"),
        (b"HDF5-based Julia Data Format, version 0.2.0\0".ljust(600, b"\0"), "never closed"),
        (samples.jld2_values()[:600].decode(errors="replace").encode(), "took this file for text"),
        (samples.bson_model().decode(errors="replace").encode(), "took this file for text"),
        (b"just some text that is long enough to be a document", "nor any other format"),
        (struct.pack("<i", 4000) + b"\x03model\0", "truncated"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "JLD.jl, h5py or another program"),
        (b"\x10\0\0\0\x07_id\0" + bytes(20), "MongoDB"),
        (bw.bson({"_id": "a1", "loss": 0.5}), "MongoDB"),
        (bw.bson({"x": 1}) + bw.bson({"x": 2}), "MongoDB"),
        (bw.bson({"x": "text"}).replace(b"text", b"te\xfft"), "no UTF-8"),
        (bw.bson({"x": True}).replace(b"\1\0", b"\7\0"), "truth value is 7"),
        (b"\x08\0\0\0\x20x\0\0", "nor any other format"),
    ],
)  # fmt: skip
def test_other_files_are_refused_with_the_reason(data, reason):
    assert reason in catch_error(data)


def test_the_error_names_the_file(tmp_path):
    file = tmp_path / "model.bson"
    file.write_bytes(samples.bson_model()[:100])
    with pytest.raises(
        FileFormatError, match=r"model\.bson at byte 0: the document says that it has \d+ bytes"
    ) as caught:
        porting.read(file)
    assert caught.value.offset == 0
    assert caught.value.path == str(file)


def test_the_content_decides_and_not_the_name(tmp_path):
    file = tmp_path / "model.bson"
    file.write_bytes(samples.jld2_values())
    saved = porting.read(file)
    assert (saved.format, saved.written_by) == ("JLD2", "0.2.0 (Julia 1.10.5 64-bit LE)")


def test_only_regular_files_are_read(tmp_path):
    with pytest.raises(FileFormatError, match="not a regular file"):
        porting.read(tmp_path)
    with pytest.raises(FileNotFoundError):
        porting.read(tmp_path / "none")


def test_names_in_the_file_cannot_break_the_line():
    type = bw.datatype("Main.A\n B")
    assert "a Main.A B has no data" in catch_error(bw.bson({"x": {"tag": "struct", "type": type, "data": 3}}))


def test_a_document_whose_length_looks_like_a_pickle_is_read():
    # 0x480 bytes: the file begins with 80 04, as a pickle of protocol 4 does.
    document = bw.bson({"text": "a" * (0x480 - len(bw.bson({"text": ""})))})
    assert document[:2] == b"\x80\x04"
    assert porting.read(document).format == "BSON"
