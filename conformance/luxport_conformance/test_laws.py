"""Tests of all laws for every example of every layer, on every backend of the run."""

from __future__ import annotations

from luxport_conformance.runner import Check


def test_law(check: Check) -> None:
    assert check.run() < float("inf")
