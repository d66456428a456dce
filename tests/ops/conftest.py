"""What tests of operations share: every backend in double precision, and this folder on the path."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from luxport.backend import Backend, get_backend
from luxport_conformance.backends import hold_dtype

sys.path.insert(0, str(Path(__file__).parent))  # modules beside are imported by their bare names

from activations_called import BACKENDS, DIFFERENTIATING


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Every backend."""
    found = get_backend(request.param)
    with hold_dtype(found, "float64"):
        yield found


@pytest.fixture(params=DIFFERENTIATING)
def differentiating(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Those that have gradients."""
    found = get_backend(request.param)
    with hold_dtype(found, "float64"):
        yield found
