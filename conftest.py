"""What all tests share: one thread per framework, and quiet frameworks."""

import gc
import os
from importlib.util import find_spec

import pytest

# The doctests of a backend whose framework is not to be had here.
collect_ignore = [f"backends/{name}" for name in ("mlx", "cupy", "onnx") if find_spec(name) is None]

# Idle worker threads that spin slow every other process down on a small machine; the tests are small.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# XLA compiles every operation that JAX runs by itself, once for each shape: its optimizer takes a third of that.
# `test_default_compiler` has it.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"

# Frameworks and collected tests are millions of objects that live as long as the process: Python need not look for
# garbage among them again and again, nor while they are made.
gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Look for garbage only among what tests make, and not after each 700 objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()
