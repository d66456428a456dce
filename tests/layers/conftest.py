"""Run tests of layers in double precision on every backend."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from luxport.backend import Backend, get_backend
from luxport_conformance.backends import hold_dtype


@pytest.fixture(params=["numpy", "jax", "torch", "tf", "strict"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Run a test on every backend, in double precision."""
    yield from use_double_precision(request.param)


@pytest.fixture(params=["jax", "torch", "tf"])
def differentiating(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Run a test on every backend with gradients, in double precision."""
    yield from use_double_precision(request.param)


def use_double_precision(name: str) -> Iterator[Backend]:
    found = get_backend(name)
    with hold_dtype(found, "float64"):
        yield found
