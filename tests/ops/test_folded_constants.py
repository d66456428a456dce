"""Losses keep their constants in TensorFlow's programs, whose compiler folds constants into neighboring numbers."""

from __future__ import annotations

from luxport_conformance.cases.losses.sizes import CASES
from luxport_conformance.runner import run_case


def test_losses_of_any_size_keep_their_constants():
    (case,) = CASES
    assert run_case(case, "tf", "jit", "float32") < float("inf")
