"""Small files with huge sizes, and paths that are no regular files: each is refused in one line, at once."""

import os
import socket
import struct

import bson_writer as bw
import jld2_writer as jw
import numpy as np
import pytest
import samples
from safetensors.numpy import save_file

import luxport
from luxport import porting
from luxport.porting import FileFormatError, petab
from luxport.porting import convert_command as converting
from luxport.porting import inspect_command as inspecting
from luxport.porting.errors import refuse_file, show

MODEL = luxport.Dense(3, 2)


@pytest.fixture(params=["pipe", "socket", "folder", "device"])
def place(request, tmp_path):
    path = tmp_path / "place"
    if request.param == "device":
        yield "/dev/zero"
    elif request.param == "folder":
        yield tmp_path
    elif request.param == "pipe":
        os.mkfifo(path)
        yield path
    else:
        with socket.socket(socket.AF_UNIX) as server:
            os.chdir(tmp_path)  # the names of sockets must be short
            server.bind("place")
            yield path


def test_a_path_that_is_no_regular_file_is_refused_without_being_opened(place, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for read in (
        porting.load_model,
        lambda path: porting.load_parameters(path, MODEL),
        porting.read,
        luxport.load,
        lambda path: luxport.load(os.fsencode(path)),  # type: ignore[arg-type]
        petab.load_model,
        petab.load_array,
        lambda path: petab.load_parameters(path, MODEL),  # type: ignore[arg-type]
    ):
        with pytest.raises(FileFormatError, match="not a regular file but a"):
            read(place)
    assert inspecting.main([str(place)]) == 2
    assert converting.main([str(place), "out"]) == 2
    assert converting.main([str(place), "out", "--model", "luxport:nothing"]) == 2
    assert capsys.readouterr().err.count("not a regular file") >= 2


def test_sizes_without_numbers_allocate_nothing(tmp_path):
    path = tmp_path / "model.bson"
    empty = bw.array(np.empty(0, np.float32)) | {"size": [2**31, 0]}
    dense = bw.struct_of(bw.datatype("Flux.Dense"), empty, bw.array(samples.BIAS), bw.function("NNlib.relu"))
    path.write_bytes(bw.bson({"model": dense}))
    with pytest.raises(FileFormatError, match=r"bias of .*: shape \(2147483648,\) expected, got \(3,\)"):
        porting.load_model(path)


def test_long_whole_numbers_are_shown(tmp_path, capsys):
    w = jw.JLD2Writer()
    big = w.commit(w.type_record("Base.GMP.BigInt"), jw.TEXT, written=w.type_record("Core.String"))
    path = tmp_path / "big.jld2"
    path.write_bytes(w.finish(big=w.scalar(jw.shared(big), w.text("z" * 4096))))
    assert inspecting.main([str(path)]) == 0
    assert "0x" in capsys.readouterr().out


def test_repeated_zstd_tables_cost_no_time():
    # A block of 65,535 sequences that copy three bytes each takes ten bytes.
    block = bytes([0 << 3 | 1 << 3, 65]) + b"\xff" + struct.pack("<H", 0x7FFF) + bytes([0b01010100, 0, 0, 0]) + b"\1"
    frame = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", 1 << 26)
    blocks = b"".join(struct.pack("<I", len(block) << 3 | 2 << 1)[:3] + block for _ in range(300))
    w = jw.JLD2Writer()
    packed = w.chunked(np.zeros((1 << 22,), np.float32), jw.FLOAT32, frame + blocks, [(32015, (3,))])
    with pytest.raises(FileFormatError, match="over and over|damaged"):
        porting.read(w.finish(x=packed))


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_small_dtypes_need_no_framework(dtype, tmp_path):
    import ml_dtypes

    path = tmp_path / "small.safetensors"
    ps = {"a": np.array([0.5, -2], getattr(ml_dtypes, dtype))}
    luxport.save(path, ps)
    assert luxport.load(path, backend="numpy")[0]["a"].astype(float).tolist() == [0.5, -2]


def test_messages_have_no_control_characters(tmp_path, capsys):
    name = "a\x1b]0;x\x07\u202e\u2028b"
    path = tmp_path / "model.bson"
    path.write_bytes(bw.bson({name: bw.struct_of(bw.datatype(f"Flux.{name}"), 1), "b": bw.array(samples.WEIGHT)}))
    assert inspecting.main([str(path)]) == 0
    assert converting.main([str(path), str(tmp_path / "out")]) == 2
    with pytest.raises(FileFormatError) as caught:
        porting.load_parameters(path, MODEL)
    said = capsys.readouterr()
    assert all(text.isprintable() for text in (*said.out.splitlines(), *said.err.splitlines(), str(caught.value)))
    save_file(
        {f"ps.{name}": np.ones(1)}, tmp_path / "x", {"format": "1", "trees": '{"ps": {"dict": {"\\u001b": "array"}}}'}
    )
    with pytest.raises(FileFormatError) as caught:
        luxport.load(tmp_path / "x")
    assert str(caught.value).isprintable()


def test_errors_keep_their_cause_and_an_interrupt_passes():
    told = "file: damaged, or of a form that is not read: KeyError: 'x'"
    with pytest.raises(FileFormatError, match=told) as caught, refuse_file("file"):
        raise KeyError("x")
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(KeyboardInterrupt), refuse_file("file"):
        raise KeyboardInterrupt
    assert show("a\r\n\x00\x9b\u2066b\ud800") == "a \\x00\\x9b\\u2066b\\ud800"
