"""A short run of the fuzzers; `make fuzz` runs a long one."""

import subprocess
import sys
from pathlib import Path

import bounded
import fuzz
import fuzz_formats
import pytest


def test_damaged_files_are_read_or_refused_and_nothing_else():
    # The real files are for `make fuzz`: what this test does must not depend on their being there.
    outcomes = fuzz.attack(12, fuzz.seeds(None)).here(800)
    assert outcomes["failed"] == 0
    assert outcomes["refused"] > 300
    assert outcomes["read"] > 20


def test_the_fuzzer_finds_what_it_looks_for(monkeypatch):
    def hungry(_, **__):
        raise MemoryError

    monkeypatch.setattr(fuzz.porting, "read", hungry)
    assert fuzz.attack(0, fuzz.seeds(None)).here(2)["failed"] == 2


def test_slow_reading_is_a_failure(monkeypatch):
    monkeypatch.setattr(bounded, "SLOWEST", 0.0)
    with pytest.raises(AssertionError, match=r"took 0\.0 s"):
        fuzz.exercise(fuzz.seeds(None)[0], checked=True)


CHILDREN = """
import os, signal
import bounded, fuzz_julia

bounded.STUCK = 1

def read(_, number):
    with bounded.held(1):
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 3:
            while True:
                pass
        if number == 5:
            try:
                bytearray(bounded.SPARE + (1 << 20))
            except MemoryError as error:
                raise bounded.FileFormatError("large") from error
        if number == 7:
            bytearray(bounded.SPARE // 2)
        if number == 8:
            open("/dev/null")
    return "read"

assert bounded.Attack("some", lambda _: b"", read).in_children(10) == {"read": 6, "failed": 4}

# A comment names no encoding that Python looks for.
source = "# coding: nothing_of_the_kind\\nm = Dense(1 => 2)"
julia = bounded.Attack("julia", lambda _: source, lambda source, _: fuzz_julia.outcome_of(source))
julia.here(1)
assert julia.in_children(1) == {"imported": 1}
"""


def test_children_that_die_stand_still_are_hungry_or_open_files_are_failures():
    done = subprocess.run([sys.executable, "-c", CHILDREN], cwd=Path(__file__).parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()[:4]] == [f"some {i}" for i in (1, 3, 5, 8)]


@pytest.mark.parametrize(
    ("form", "count"), [("yaml", 60), ("hdf5", 300), ("safetensors", 300), ("models", 40), ("convert", 60)]
)
def test_other_formats_too(form, count):
    outcomes = fuzz_formats.attack(form, 12).here(count)
    assert outcomes["failed"] == 0
    assert outcomes["refused"] and outcomes["read"]


def test_layers_that_stand_in_each_other_twice_cost_no_time():
    # Of depth 18, 4.6 kB took half a minute.
    for kind in ("Chain", "Parallel"):
        data = fuzz_formats.shared_chain(60, kind)
        with fuzz_formats.given(data, checked=True):
            assert fuzz_formats.outcome_of(fuzz_formats.read_models, len(data)) == "read"


def test_a_format_that_fails_is_found(monkeypatch):
    def broken(_):
        raise KeyError("x")

    monkeypatch.setitem(fuzz_formats.FORMATS, "yaml", (fuzz_formats.yaml_text, broken))
    assert fuzz_formats.attack("yaml", 0).here(2)["failed"] == 2
