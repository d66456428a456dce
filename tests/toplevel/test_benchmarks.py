"""`python -m benchmarks --quick`: every contender still takes the same steps as luxport."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import training_step


@pytest.mark.parametrize("backend", ["jax", "torch", "tf"])
def test_contenders_do_the_same_work(backend):
    rows = training_step.quick_rows(backend, most=1)
    by_hand = [row[2:] for row in rows if row[1].endswith("by hand")]
    assert by_hand and all([abs(ours - theirs) <= 1e-3 * abs(theirs) for ours, theirs in by_hand])
    # Peers begin with initial values of their own.
    assert np.isfinite([loss for *_, loss in rows]).all()
