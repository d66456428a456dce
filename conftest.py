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
# `test_default_compiler` has it. Without its emitters of fused loops, which take a quarter, NaN would be lost in
# TensorFlow's programs and an ulp in tanh.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"

# Frameworks and collected tests are millions of objects that live as long as the process: Python need not look for
# garbage among them again and again, nor while they are made.
gc.disable()

# The files that take longest, some 10 s or more each: they start first, so that two processes end at about the same
# time. Those not named here follow as they are found.
_LONGEST = (
    "luxport_conformance/test_cases.py",
    "luxport_conformance/test_laws.py",
    "ops/test_activation_derivatives.py",
    "core/test_users_compilers.py",
    "porting/test_flux_models_real.py",
    "luxport_conformance/test_conformance.py",
    "conformance/test_command.py",
    "docs/test_site.py",
    "distributed/test_several_processes.py",
    "packaging/test_distribution.py",
    "layers/test_conv.py",
    "layers/test_pooling.py",
    "training/test_training_protocol.py",
    "training/test_fit.py",
    "core/test_transforms.py",
    "core/test_import.py",
    "core/test_nested_jvp.py",
    "core/test_move.py",
)
# What `make slow-tests` asks of PyTorch's and users' own compilers, of processes together and of whole Flux models:
# minutes of a processor that `make test` has not.
_SLOW = ("core/test_users_compilers.py", "distributed/test_several_processes.py", "porting/test_flux_models_real.py")
_SLOW_TESTS = (
    *("test_default_compiler", "test_default_compiler_of_ctc", "test_every_layer_is_trained_with_a_free_batch"),
    "test_every_operation_learns_sizes_late",
    *("test_every_layer_learns_one_size_late", "test_every_layer_learns_late_that_nothing_came"),
    "test_every_layer_has_one_free_size",
    "test_all_numbers_may_be_symbols",
    *("test_every_gradient_where_libraries_differ", "test_every_second_gradient"),
    *("test_no_compiled_step_of_jax_reads", "test_steps_of_jax_read_nothing_one_by_one"),
    "test_a_compiled_step_there[plain]",
    *("test_peers_are_information", "test_one_step_trains_many_models"),
    # Beside Keras on PyTorch, which every run asks.
    *("test_a_layer_on_each_backend_of_keras[jax]", "test_a_layer_on_each_backend_of_keras[tensorflow]"),
)
_PLACES = {name: place for place, name in enumerate(_LONGEST)}


def _is_slow(item: pytest.Item) -> bool:
    names = item.name, item.name.partition("[")[0]
    return "/".join(item.path.parts[-2:]) in _SLOW or any(name in _SLOW_TESTS for name in names)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out slow files unless all are asked for, and put the longest first; the order in each file stays."""
    if os.environ.get("LUXPORT_TESTS") != "all":
        items[:] = [item for item in items if not _is_slow(item)]
    items.sort(key=lambda item: _PLACES.get("/".join(item.path.parts[-2:]), len(_PLACES)))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Look for garbage only among what tests make, and not after each 700 objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()
