"""Fixtures for the tests of the core: backends by name, arrays, and the text of an error."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # lets tests import `compile_counts` by its bare name

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

import luxport

collect_ignore = ["mesh_sweep.py"]  # importing it would give JAX four devices

BACKENDS = ("numpy", "jax", "torch", "tf")
DIFFERENTIATING = ("jax", "torch", "tf")


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


@pytest.fixture(params=DIFFERENTIATING)
def ad_backend(request):
    return request.param


@pytest.fixture
def array():
    """Make an array of a backend by name."""

    def make(values, backend, dtype="float32"):
        return luxport.asarray(np.asarray(values), backend=backend, dtype=dtype)

    return make


@pytest.fixture
def same(host):
    """Compare a tree of arrays of any backend with one of NumPy's."""

    def compare(got, want, rtol=1e-7):
        luxport.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol), host(got), want)
        return True

    return compare


@pytest.fixture
def message():
    """Return the text of the error that a call raises, which has to be one line."""

    def catch_text(kind, call, *args, **kwargs):
        with pytest.raises(kind) as caught:
            call(*args, **kwargs)
        text = str(caught.value)
        assert "\n" not in text
        return text

    return catch_text
