"""Put this folder on the path, and run tests of operations in double precision on every backend."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from luxport.backend import Backend, get_backend
from luxport_conformance.backends import hold_dtype

sys.path.insert(0, str(Path(__file__).parent))  # modules here are imported by their bare names

from activation_calls import BACKENDS, DIFFERENTIATING


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Run a test on every backend, in double precision."""
    found = get_backend(request.param)
    with hold_dtype(found, "float64"):
        yield found


@pytest.fixture(params=DIFFERENTIATING)
def differentiating(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Run a test on every backend with gradients, in double precision."""
    found = get_backend(request.param)
    with hold_dtype(found, "float64"):
        yield found
