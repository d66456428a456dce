"""Sums in half types, and what masks hide: a few of each in every run, all of it by ``make halves``."""

from __future__ import annotations

import pytest

from luxport.backend import get_backend
from luxport_conformance.backends import abilities, compiles_operations
from luxport_conformance.half_sums import HALVES, SPREAD, half_sums
from luxport_conformance.masked import MASKED, hidden_may_be_anything


def test_half_types_sum_as_float32(backend_name: str) -> None:
    """Each backend takes another part of the programs, in one half type each; where each is compiled, a few."""
    dtypes = [dtype for dtype in HALVES if dtype in abilities(backend_name).dtypes]
    if not dtypes:
        pytest.skip(f"{backend_name} has no half types")
    every = 40 if compiles_operations(backend_name) else 5
    for number, spread in enumerate(SPREAD[::every]):
        half_sums(spread, get_backend(backend_name), dtypes[number % len(dtypes)])


def test_what_is_hidden_may_be_anything(backend_name: str) -> None:
    every = 12 if compiles_operations(backend_name) else 3
    for masked in MASKED[::every]:
        hidden_may_be_anything(masked, get_backend(backend_name))
