"""Run the fuzzers briefly; `make fuzz` runs them for long."""

import subprocess
import sys
from pathlib import Path

import fuzz
import fuzz_formats
import fuzz_limits
import pytest


def test_damaged_files_are_read_or_refused():
    # Without the real files: this test must not depend on their presence. `make fuzz` reads them.
    outcomes = fuzz.make_attack(12, fuzz.list_seeds(None)).run_here(800)
    assert outcomes["failed"] == 0
    assert outcomes["refused"] > 300
    assert outcomes["read"] > 20


def test_a_lack_of_memory_is_a_failure(monkeypatch):
    def hungry(_, **__):
        raise MemoryError

    monkeypatch.setattr(fuzz.porting, "read", hungry)
    assert fuzz.make_attack(0, fuzz.list_seeds(None)).run_here(2)["failed"] == 2


def test_slow_reading_is_a_failure(monkeypatch):
    monkeypatch.setattr(fuzz_limits, "SLOWEST", 0.0)
    with pytest.raises(AssertionError, match=r"took 0\.0 s"):
        fuzz.exercise(fuzz.list_seeds(None)[0], checked=True)


CHILDREN = """
import os, signal
import fuzz_limits, fuzz_julia

fuzz_limits.STUCK = 1

def read(_, number):
    with fuzz_limits.limit_resources(1):
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 3:
            while True:
                pass
        if number == 5:
            try:
                bytearray(fuzz_limits.SPARE + (1 << 20))
            except MemoryError as error:
                raise fuzz_limits.FileFormatError("large") from error
        if number == 7:
            bytearray(fuzz_limits.SPARE // 2)
        if number == 8:
            open("/dev/null")
    return "read"

assert fuzz_limits.Attack("some", lambda _: b"", read).run_in_children(10) == {"read": 6, "failed": 4}

# A comment names no encoding that Python looks for.
source = "# coding: nothing_of_the_kind\\nm = Dense(1 => 2)"
julia = fuzz_limits.Attack("julia", lambda _: source, lambda source, _: fuzz_julia.run_outcome(source))
julia.run_here(1)
assert julia.run_in_children(1) == {"imported": 1}
"""


def test_children_that_die_hang_need_much_memory_or_open_files_fail():
    done = subprocess.run([sys.executable, "-c", CHILDREN], cwd=Path(__file__).parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()[:4]] == [f"some {i}" for i in (1, 3, 5, 8)]


@pytest.mark.parametrize(
    ("form", "count"), [("yaml", 60), ("hdf5", 300), ("safetensors", 300), ("models", 40), ("convert", 60)]
)
def test_damaged_files_of_other_formats_are_read_or_refused(form, count):
    outcomes = fuzz_formats.make_attack(form, 12).run_here(count)
    assert outcomes["failed"] == 0
    assert outcomes["refused"] and outcomes["read"]


def test_layers_that_contain_each_other_twice_are_read_quickly():
    # At a depth of 18, a file of 4.6 kB once took half a minute.
    for kind in ("Chain", "Parallel"):
        data = fuzz_formats.shared_chain(60, kind)
        with fuzz_formats.give_bytes(data, checked=True):
            assert fuzz_formats.read_outcome(fuzz_formats.read_models, len(data)) == "read"


def test_another_error_of_a_format_is_a_failure(monkeypatch):
    def broken(_):
        raise KeyError("x")

    monkeypatch.setitem(fuzz_formats.FORMATS, "yaml", (fuzz_formats.yaml_text, broken))
    assert fuzz_formats.make_attack("yaml", 0).run_here(2)["failed"] == 2
