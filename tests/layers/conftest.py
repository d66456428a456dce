"""What tests of layers share: every backend in double precision, and the numbers that NNlib's tests pin."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from luxport.backend import Backend, get_backend
from luxport_conformance.cases.answers import answer


@pytest.fixture(params=["numpy", "jax", "torch", "tf", "strict"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Every backend."""
    yield from double_precision(request.param)


@pytest.fixture(params=["jax", "torch", "tf"])
def differentiating(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Those that have gradients."""
    yield from double_precision(request.param)


@pytest.fixture(scope="session")
def nnlib() -> Callable[[str, int, str], np.ndarray]:
    """The numbers in ``nnlib:test/conv.jl`` and ``pooling.jl`` by operation, rank and name, with axes reversed."""
    return lambda operation, rank, name: answer(operation, rank, name)[0, 0]


def double_precision(name: str) -> Iterator[Backend]:
    if name == "jax":
        import jax

        with jax.enable_x64(True):
            yield get_backend(name)
    else:
        yield get_backend(name)
