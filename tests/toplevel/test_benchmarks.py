"""`python -m benchmarks --quick`: every contender still takes the same steps as luxport."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from benchmarks import training_step
from benchmarks.__main__ import measure


@pytest.mark.parametrize("backend", ["jax", "jax, 10 steps a call", "torch", "tf"])
def test_contenders_do_the_same_work(backend):
    rows = training_step.compare_losses(backend, most=1)
    by_hand = [row[2:] for row in rows if row[1].startswith(f"{backend.partition(',')[0]} by hand")]
    assert by_hand and all([abs(ours - theirs) <= 1e-3 * abs(theirs) for ours, theirs in by_hand])
    # Peers begin with initial values of their own.
    assert np.isfinite([loss for *_, loss in rows]).all()


def test_what_fails_is_named_and_the_other_rows_stay(monkeypatch):
    def fails(case):
        raise OSError(case)

    monkeypatch.setattr(
        training_step, "_find_peers", lambda backend: {"a peer": fails, "another": lambda case: lambda: 0.0}
    )
    failed = []
    first, *others = training_step.measure_rows("torch", failed, 0.01, "W1")
    assert first[1] == "torch by hand, eager" and [row[1] for row in others] == ["another"]
    assert failed == ["W1 MLP 4-16-16-1, batch 8: a peer"]


def test_rows_of_a_process_that_ends_early_stay(monkeypatch):
    command = ["-c", """import os; print('[INFO]'); print('["a", 2]', flush=True); os._exit(3)"""]
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda given, **options: popen([given[0], *command], **options))
    failed = []
    assert list(measure("training_step", ["torch"], 1.0, failed)) == [["a", 2]]
    assert failed == ["training_step on torch"]
