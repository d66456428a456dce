"""TensorFlow's compiler adds constants to another of the numbers beside them, where they may be lost."""

from __future__ import annotations

from luxport_conformance.cases.losses.sizes import CASES
from luxport_conformance.runner import run_case


def test_losses_of_any_size_keep_their_constants():
    (case,) = CASES
    assert run_case(case, "tf", "jit", "float32") < float("inf")
