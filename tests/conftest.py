"""What tests in several folders share: the backends by name, and arrays of them; modules, by their bare names."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import luxport
from luxport.backend import get_backend

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(params=["numpy", "jax", "torch", "tf"])
def backend(request):
    """Every backend."""
    return get_backend(request.param)


@pytest.fixture(params=["jax", "torch", "tf"])
def differentiating(request):
    """Those that have gradients."""
    return get_backend(request.param)


@pytest.fixture
def draw():
    """Draw normal numbers as an array of a backend."""

    def make(backend, *shape, seed=0, dtype="float32"):
        values = np.random.Generator(np.random.Philox(seed)).normal(size=shape)
        return luxport.asarray(values, backend=backend, dtype=dtype)

    return make


@pytest.fixture
def host():
    """Copy a tree to NumPy."""
    return lambda values: luxport.to(values, backend="numpy")
