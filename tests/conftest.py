"""Fixtures for tests in several folders: backends, random arrays, copies to NumPy; shared modules by bare names."""

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
    """Run a test on every backend."""
    return get_backend(request.param)


@pytest.fixture(params=["jax", "torch", "tf"])
def differentiating(request):
    """Run a test on every backend with gradients."""
    return get_backend(request.param)


@pytest.fixture
def draw():
    """Return a function that draws normal numbers as an array of a backend."""

    def make(backend, *shape, seed=0, dtype="float32"):
        values = np.random.Generator(np.random.Philox(seed)).normal(size=shape)
        return luxport.asarray(values, backend=backend, dtype=dtype)

    return make


@pytest.fixture
def host():
    """Return a function that copies a tree to NumPy."""
    return lambda values: luxport.to(values, backend="numpy")
