"""Tests of all cases on every backend of the run."""

from __future__ import annotations

from luxport_conformance.runner import Check


def test_case(check: Check) -> None:
    assert check.run() < float("inf")
