"""What all tests share: one thread per framework, and quiet frameworks."""

import os
from importlib.util import find_spec

# The doctests of a backend whose framework is not to be had here.
collect_ignore = [f"backends/{name}" for name in ("mlx", "cupy", "onnx") if find_spec(name) is None]

# Idle worker threads that spin slow every other process down on a small machine; the tests are small.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# XLA compiles every operation that JAX runs by itself, once for each shape: its optimizer takes a third of that.
# `test_default_compiler` has it.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"
