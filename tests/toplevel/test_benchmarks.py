"""`python -m benchmarks --quick`: every contender takes the same steps as luxport, and failures are named."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from benchmarks import training_step
from benchmarks.__main__ import measure


@pytest.mark.parametrize("backend", ["jax", "jax, 10 steps a call", "torch", "tf"])
def test_contenders_take_the_same_steps(backend):
    rows = training_step.compare_losses(backend, most=1)
    by_hand = [row[2:] for row in rows if row[1].startswith(f"{backend.partition(',')[0]} by hand")]
    assert by_hand and all([abs(ours - theirs) <= 1e-3 * abs(theirs) for ours, theirs in by_hand])
    # Peers have initial values of their own, so only finite losses are expected.
    assert np.isfinite([loss for *_, loss in rows]).all()


def test_a_failing_contender_is_named_and_other_rows_stay(monkeypatch):
    def fail(case):
        raise OSError(case)

    monkeypatch.setattr(
        training_step, "_find_peers", lambda backend: {"a peer": fail, "another": lambda case: lambda: 0.0}
    )
    failed = []
    first, *others = training_step.measure_rows("torch", failed, 0.01, "W1")
    assert first[1] == "torch by hand, eager" and [row[1] for row in others] == ["another"]
    assert failed == ["W1 MLP 4-16-16-1, batch 8: a peer"]


def test_rows_of_a_process_that_crashes_stay(monkeypatch):
    command = ["-c", """import os; print('[INFO]'); print('["a", 2]', flush=True); os._exit(3)"""]
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda given, **options: popen([given[0], *command], **options))
    failed = []
    assert list(measure("training_step", ["torch"], 1.0, failed)) == [["a", 2]]
    assert failed == ["training_step on torch"]
