"""Settings for all tests: one thread per framework, quiet frameworks, slow tests, and the order of files."""

import gc
import os
from importlib.util import find_spec

import pytest

# Doctests of backends whose framework is not installed are not collected.
collect_ignore = [f"backends/{name}" for name in ("mlx", "cupy", "onnx") if find_spec(name) is None]

# Tests are small, and idle worker threads that spin slow down all other processes on a small machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# XLA compiles every operation that JAX runs by itself, once for each shape, of which its optimizer takes a third of the
# time. `test_default_compiler` runs with the optimizer. The emitters of fused loops stay on, although they take a
# quarter of the time: without them NaN would be lost in TensorFlow's programs and tanh be off by one ulp.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"

# Frameworks and collected tests are millions of objects that live as long as the process: the garbage collector need
# not scan them again and again, least of all while they are created.
gc.disable()

# The slowest files, some 10 s or more each, start first, so that two processes end at about the same time. Other files
# follow in the order of collection.
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
# Tests that only `make slow-tests` runs, since they take minutes: compilers of PyTorch and of users, several processes,
# whole Flux models.
_SLOW = ("core/test_users_compilers.py", "distributed/test_several_processes.py", "porting/test_flux_models_real.py")
_SLOW_TESTS = (
    *("test_default_compiler", "test_default_compiler_of_ctc", "test_every_layer_is_trained_with_a_free_batch"),
    "test_every_operation_runs_with_sizes_unknown",
    *("test_every_layer_runs_with_one_size_unknown", "test_every_layer_accepts_an_empty_batch_at_run_time"),
    "test_every_layer_has_one_free_size",
    "test_all_numbers_may_be_symbols",
    *("test_every_gradient_where_libraries_differ", "test_every_second_gradient"),
    *("test_no_compiled_step_of_jax_reads", "test_eager_steps_of_jax_read_nothing"),
    "test_a_compiled_step_runs_on_a_device_without_values[plain]",
    *("test_peers_are_information", "test_one_step_trains_many_models"),
    # Every run tests Keras on PyTorch.
    *("test_a_layer_on_each_backend_of_keras[jax]", "test_a_layer_on_each_backend_of_keras[tensorflow]"),
)
_PLACES = {name: place for place, name in enumerate(_LONGEST)}


def _is_slow(item: pytest.Item) -> bool:
    names = item.name, item.name.partition("[")[0]
    return "/".join(item.path.parts[-2:]) in _SLOW or any(name in _SLOW_TESTS for name in names)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deselect slow tests unless LUXPORT_TESTS is "all", and put the slowest files first; each file keeps its order."""
    if os.environ.get("LUXPORT_TESTS") != "all":
        items[:] = [item for item in items if not _is_slow(item)]
    items.sort(key=lambda item: _PLACES.get("/".join(item.path.parts[-2:]), len(_PLACES)))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Collect garbage only among objects that tests create, and less often than after every 700 of them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()
