"""Every writer leaves a whole file or none, with the right mode; it writes into what is not a regular file."""

import fcntl
import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bson_writer as bw
import kills
import numpy as np
import pytest
import samples

import luxport
from luxport import training
from luxport.cli import main
from luxport.porting.files.atomic_files import open_atomic

MODEL = luxport.Dense(2, 3)
PS, ST = luxport.setup(0, MODEL)
PROGRESS: Any = SimpleNamespace(history=[{"loss": 1.0}, {"loss": 0.5, "more": 2.0}], writes=lambda: True)


@pytest.fixture
def folder(tmp_path):
    old = os.umask(0o027)
    yield tmp_path
    os.umask(old)


SOURCES = tempfile.TemporaryDirectory()


def make_source(content):
    path = Path(SOURCES.name) / f"{len(content)}.source"
    path.write_bytes(content)
    return str(path)


def make_flux_file():
    relu = bw.function("NNlib.relu")
    return bw.bson(
        {"model": bw.struct_of(bw.datatype("Flux.Dense"), bw.array(samples.WEIGHT), bw.array(samples.BIAS), relu)}
    )


def convert(path):
    assert main(["convert", make_source(make_flux_file()), str(path)]) == 0


def port(path):
    assert main(["port", make_source(b"model = Chain(Dense(2 => 3))\n"), "-o", str(path)]) == 0


WRITERS = {
    "save": ("a.safetensors", lambda path: luxport.save(path, PS, ST)),
    "save_flux_state": ("a.jld2", lambda path: luxport.porting.save_flux_state(path, MODEL, PS, ST)),
    "convert": ("a.safetensors", convert),
    "convert to Julia": ("a.jld2", convert),
    "port": ("a.py", port),
    "to_onnx": ("a.onnx", lambda path: luxport.to_onnx(path, MODEL, PS, ST, ("N", 2))),
    "CSVLog": ("a.csv", lambda path: training.CSVLog(path)(PROGRESS)),
    "JSONLog": ("a.json", lambda path: training.JSONLog(path)(PROGRESS)),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_modes_and_links_are_kept_and_nothing_is_left_over(writer, folder):
    name, write = WRITERS[writer]
    path = folder / name
    leftover, alive = (folder / f".luxport-{digit * 16}.unfinished" for digit in "ab")
    leftover.write_bytes(b"of a process that was killed")
    with open(alive, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write(path)
        assert sorted(os.listdir(folder)) == sorted([alive.name, name])
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    whole = path.read_bytes()
    path.write_bytes(b"old")
    path.chmod(0o6604)
    link = folder / f"link_{name}"
    link.symlink_to(name)
    write(link)
    assert link.is_symlink() and path.read_bytes() == whole and stat.S_IMODE(path.stat().st_mode) == 0o604
    assert sorted(os.listdir(folder)) == sorted([name, link.name])
    folder.joinpath("new").mkdir()
    link.unlink()
    link.symlink_to(folder / "new" / name)
    write(link)
    assert link.is_symlink() and os.listdir(folder / "new") == [name]


def test_writers_write_into_devices_and_pipes(folder, capfd):
    with open_atomic(os.devnull) as file:
        file.write(b"gone")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        luxport.save("/dev/full", PS)
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    for writer in ("save", "port", "to_onnx", "JSONLog"):
        write = WRITERS[writer][1]
        reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
        reader.start()
        write(pipe)
        reader.join(5)
        write(folder / "file")
        assert read.pop() == (folder / "file").read_bytes() and stat.S_ISFIFO(pipe.stat().st_mode)
        write(Path(os.devnull))
        assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    with pytest.raises(ValueError, match="a file's path for a model with a file beside it, got /dev/null"):
        luxport.to_onnx(os.devnull, MODEL, PS, ST, ("N", 2), external_data=True)
    # A file that the shell opened for appending, with something in it.
    code = "from luxport.porting.files.atomic_files import *\nwith open_atomic('/dev/stdout') as f: f.write(b'more')"
    for end, before in ((">>", "some "), ("| cat >>", "")):
        out = folder / "out"
        out.write_text(before)
        subprocess.run(["sh", "-c", f'"{sys.executable}" -c "{code}" {end} {out}'], check=True)
        assert out.read_text() == f"{before}more"
    assert sorted(os.listdir(folder)) == ["file", "out", "pipe"]


def test_errors_are_one_line_that_names_the_given_path(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    os.mkdir("there")
    os.symlink("loop", "loop")
    for path, error in (
        ("nowhere/a", FileNotFoundError),
        ("there", IsADirectoryError),
        ("there/", IsADirectoryError),
        ("loop", OSError),
        ("", FileNotFoundError),
        ("a" * 300, OSError),
    ):
        with pytest.raises(error) as caught, open_atomic(path):
            pass
        assert caught.value.filename == path and "unfinished" not in str(caught.value)
    for command in (["convert", make_source(make_flux_file())], ["port", make_source(b"x = 1"), "-o"]):
        assert main([*command, "nowhere/out"]) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1 and "nowhere" in told and "unfinished" not in told
    assert sorted(os.listdir()) == ["loop", "there"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_alone(step, folder, monkeypatch):
    path = folder / "a"
    luxport.save(path, PS)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device", "a name of nobody's")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match=rf"^\[Errno 28\] No space left on device: '{path}'$"):
        luxport.save(path, {"other": np.ones(3)})
    assert os.listdir(folder) == ["a"] and path.read_bytes() == before


def test_the_last_of_two_writers_wins(folder):
    path = folder / "a"
    with open_atomic(path) as first:
        first.write(b"first")
        with open_atomic(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first" and os.listdir(folder) == ["a"]


def test_kills_while_saving_leave_whole_files():
    """A few of the kills of `make kills`."""
    found = kills.run(12)
    assert (found["kills"], found["torn files"], found["leftovers after the next save"]) == (12, 0, 0)


def test_kills_while_writing_checkpoints_leave_whole_ones():
    """A few of the kills of `make kills`."""
    found = kills.run_checkpoints(10)
    for seed in range(1, 6):  # on a busy machine all ten may be killed before the first write
        if not found["steps written"]:
            found += kills.run_checkpoints(10, seed)
    assert found["kills"] >= 10 and found["steps written"] > 0
    assert (found["checkpoints lost or torn"], found["files left after the next"]) == (0, 0)
