"""What tests of layers share: every backend in double precision, and the numbers that NNlib's tests pin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from luxport.backend import Backend, get_backend
from luxport_conformance.backends import hold_dtype


@pytest.fixture(params=["numpy", "jax", "torch", "tf", "strict"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Every backend."""
    yield from double_precision(request.param)


@pytest.fixture(params=["jax", "torch", "tf"])
def differentiating(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Those that have gradients."""
    yield from double_precision(request.param)


def double_precision(name: str) -> Iterator[Backend]:
    found = get_backend(name)
    with hold_dtype(found, "float64"):
        yield found
