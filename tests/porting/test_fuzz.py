"""A short run of the fuzzer; `make fuzz` runs a long one, with limits on memory too."""

import fuzz
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
