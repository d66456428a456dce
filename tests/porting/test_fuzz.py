"""A short run of the fuzzer; `make fuzz` runs a long one, with limits on memory too."""

import fuzz
import fuzz_formats
import pytest


def test_damaged_files_are_read_or_refused_and_nothing_else():
    # The real files are for `make fuzz`: what this test does must not depend on their being there.
    outcomes = fuzz.run(800, 12, fuzz.seeds(None))
    assert outcomes["failed"] == 0
    assert outcomes["refused"] > 300
    assert outcomes["read"] > 20


def test_the_fuzzer_finds_what_it_looks_for(monkeypatch):
    def hungry(_, **__):
        raise MemoryError

    monkeypatch.setattr(fuzz.porting, "read", hungry)
    assert fuzz.run(2, 0, fuzz.seeds(None))["failed"] == 2


def test_slow_reading_is_a_failure(monkeypatch):
    monkeypatch.setattr(fuzz, "SLOWEST", 0.0)
    with pytest.raises(AssertionError, match=r"took 0\.0 s"):
        fuzz.exercise(fuzz.seeds(None)[0], checked=True)


@pytest.mark.parametrize(("form", "count"), [("yaml", 60), ("hdf5", 300), ("safetensors", 300), ("models", 20)])
def test_other_formats_too(form, count):
    outcomes = fuzz_formats.run(form, count, 12)
    assert outcomes["failed"] == 0
    assert outcomes["refused"] and outcomes["read"]


def test_layers_that_stand_in_each_other_twice_cost_no_time():
    # Of depth 18, 4.6 kB took half a minute.
    for kind in ("Chain", "Parallel"):
        data = fuzz_formats.shared_chain(60, kind)
        with fuzz_formats.given(data, checked=True):
            assert fuzz_formats.timed(fuzz_formats.read_models) == "read"


def test_a_format_that_fails_is_found(monkeypatch):
    def broken(_):
        raise KeyError("x")

    monkeypatch.setitem(fuzz_formats.FORMATS, "yaml", (fuzz_formats.yaml_text, broken))
    assert fuzz_formats.run("yaml", 2, 0)["failed"] == 2
