"""Backends: which one owns an array, which one creates new arrays, and how others are registered."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import threading
import timeit
from types import SimpleNamespace

import numpy as np
import pytest

import luxport as lp
from luxport import backend as registry
from luxport.backend import _registry


@pytest.fixture(autouse=True)
def clear_choice(monkeypatch):
    monkeypatch.delenv("LUXPORT_BACKEND", raising=False)
    yield
    lp.set_backend(None)


class TestOwners:
    def test_each_backend_owns_its_arrays(self, backend):
        array = lp.asarray([1.0], backend=backend)
        assert lp.backend_of(array) is lp.backend_of(None, array, array) is lp.get_backend(backend)
        assert lp.namespace(array) is lp.get_backend(backend).xp

    def test_scalars_subclasses_and_variables_have_owners(self):
        import tensorflow as tf
        import torch

        class Mine(np.ndarray):
            pass

        assert lp.backend_of(np.float32(1)).name == "numpy"
        assert lp.backend_of(np.zeros(2).view(Mine)).name == "numpy"
        assert lp.backend_of(tf.Variable([1.0])).name == "tf"
        assert lp.backend_of(torch.nn.Parameter(torch.ones(2))).name == "torch"

    def test_the_look_up_takes_less_than_150_ns(self):
        # The minimum over many short repeats is the time of the look-up when nothing else runs. The time of an empty
        # call is subtracted, but for 30 ns of it.
        array = np.zeros(2)
        lp.backend_of(array)
        n = 2000
        bare = min(timeit.repeat("f(x)", globals={"f": lambda x: None, "x": array}, number=n, repeat=100)) / n
        took = min(timeit.repeat("f(x)", globals={"f": lp.backend_of, "x": array}, number=n, repeat=100)) / n
        assert took - max(bare - 30e-9, 0.0) < 150e-9

    def test_an_unknown_class_is_an_error(self, message):
        class Mine:
            pass

        assert message(TypeError, lp.backend_of, Mine()) == (
            "luxport expects an array, got Mine: make one with luxport.asarray"
        )
        assert message(TypeError, lp.backend_of) == "luxport expects an array, got None: make one with luxport.asarray"

    def test_third_parties_register_objects(self, message):
        class Half:
            name = "half"

        assert "misses capabilities, xp, ops, owns_type, asarray" in message(TypeError, lp.register_backend, Half())
        for attribute in _registry._REQUIRED:
            setattr(Half, attribute, getattr(lp.get_backend("numpy"), attribute))
        Half.capabilities = frozenset()  # NumPy's capabilities need further functions
        Half.name, Half.owns_type = "half", staticmethod(lambda array_type: False)
        Half.asarray = staticmethod(lp.get_backend("numpy").asarray)
        lp.register_backend(Half())
        try:
            with lp.using("half") as chosen:
                assert chosen.name == "half"
                assert type(lp.asarray([1.0])) is np.ndarray
            assert "half" in lp.available_backends()
        finally:
            del _registry.KNOWN.by_name["half"]

    def test_declared_capabilities_are_checked(self, message):
        numpy = vars(lp.get_backend("numpy"))
        promising = SimpleNamespace(**{**numpy, "capabilities": frozenset({"compiler"})})
        assert "with compiler misses jit" in message(TypeError, lp.register_backend, promising)
        numbered = SimpleNamespace(**{**numpy, "name": 3, "capabilities": frozenset()})
        wanted = "a backend expects its name as a string, got 3"
        assert message(TypeError, lp.register_backend, numbered) == wanted
        dreaming = SimpleNamespace(**{**numpy, "capabilities": frozenset({"sleep"})})
        assert "expects capabilities among gradients, " in message(TypeError, lp.register_backend, dreaming)


class TestChoice:
    def test_numpy_is_the_default(self):
        assert lp.default_backend().name == "numpy"
        assert type(lp.setup(0, lp.Dense(1, 1))[0]["weight"]) is np.ndarray

    def test_the_environment_is_read_at_each_call(self, monkeypatch):
        monkeypatch.setenv("LUXPORT_BACKEND", "torch")
        assert lp.default_backend().name == lp.backend_of(lp.asarray([1.0])).name == "torch"
        monkeypatch.setenv("LUXPORT_BACKEND", "jax")
        assert lp.backend_of(lp.setup(0, lp.Dense(1, 1))[0]["weight"]).name == "jax"
        monkeypatch.setenv("LUXPORT_BACKEND", "")
        assert lp.default_backend().name == "numpy"

    def test_using_precedes_set_backend_and_the_environment(self, monkeypatch):
        monkeypatch.setenv("LUXPORT_BACKEND", "torch")
        lp.set_backend("jax")
        assert lp.default_backend().name == "jax"
        with lp.using("tf"):
            assert lp.default_backend().name == "tf"
            with lp.using("numpy"):
                assert lp.default_backend().name == "numpy"
                assert lp.backend_of(lp.setup(0, lp.Dense(1, 1), backend="torch")[0]["weight"]).name == "torch"
            assert lp.default_backend().name == "tf"
        assert lp.default_backend().name == "jax"
        lp.set_backend(None)
        assert lp.default_backend().name == "torch"

    def test_using_ends_with_an_error(self):
        with pytest.raises(ZeroDivisionError), lp.using("jax"):
            raise ZeroDivisionError
        assert lp.default_backend().name == "numpy"

    def test_using_holds_in_its_thread_and_set_backend_in_all(self):
        seen = {}

        def look(name):
            seen[name] = lp.default_backend().name

        def run(name):
            thread = threading.Thread(target=look, args=(name,))
            thread.start()
            thread.join()

        with lp.using("jax"):
            run("beside using")
            lp.set_backend("torch")
            run("after set_backend")
        assert seen == {"beside using": "numpy", "after set_backend": "torch"}

    def test_the_arrays_decide_not_the_choice(self):
        model = lp.Dense(2, 3)
        ps, st = lp.setup(0, model, backend="torch")
        with lp.using("jax"):
            y, _ = model(lp.asarray([[1.0, 2.0]], backend="torch"), ps, st)
        assert lp.backend_of(y).name == "torch"

    def test_unknown_names_list_the_known_ones(self, monkeypatch, message):
        def names_all(said):
            # Other tests may add some
            known = said.removeprefix("unknown backend 'mxnet': expected one of ").split(", ")
            return {"cupy", "jax", "mlx", "numpy", "onnx", "tf", "torch"} <= set(known) and known == sorted(known)

        assert names_all(message(ValueError, lp.get_backend, "mxnet"))
        assert names_all(message(ValueError, lp.set_backend, "mxnet"))
        assert names_all(message(ValueError, lp.setup, 0, lp.Dense(1, 1), backend="mxnet"))
        assert names_all(message(ValueError, lp.to, {}, backend="mxnet"))
        assert names_all(message(ValueError, lp.using("mxnet").__enter__))
        monkeypatch.setenv("LUXPORT_BACKEND", "mxnet")
        assert names_all(message(ValueError, lp.asarray, [1.0]))
        assert lp.default_backend is not None and lp.backend_of(np.zeros(1)).name == "numpy"

    @pytest.mark.parametrize(("name", "known"), [("pytorch", "torch"), ("tensorflow", "tf"), ("TensorFlow", "tf")])
    def test_names_of_frameworks_are_accepted(self, name, known, monkeypatch):
        assert lp.get_backend(name).name == known
        with lp.using(name):
            assert lp.default_backend().name == known
        assert lp.backend_of(lp.asarray([1.0], backend=name)).name == known
        monkeypatch.setenv("LUXPORT_BACKEND", name)
        assert lp.default_backend().name == known

    def test_available_backends_are_listed(self):
        assert {"numpy", "jax", "torch", "tf"} <= set(lp.available_backends())


class TestAsarray:
    def test_python_numbers_have_default_dtypes(self, backend):
        for values, dtype in ((1.5, "float32"), ([1.5, 2], "float32"), (1j, "complex64"), (True, "bool")):
            assert registry.dtype_name(lp.asarray(values, backend=backend)) == dtype
        assert registry.dtype_name(lp.asarray([1, 2], backend=backend)) == ("int32" if backend == "jax" else "int64")

    def test_asarray_copies(self, backend, host):
        source = np.ones(3, np.float32)
        array = lp.asarray(source, backend=backend)
        source[:] = 5
        np.testing.assert_array_equal(host(array), np.ones(3))

    def test_arrays_of_other_backends_are_converted(self, backend, host):
        for other in ("numpy", "jax", "torch", "tf"):
            for dtype in ("float32", "bfloat16", "int32", "bool"):
                array = lp.asarray(lp.asarray([0.0, 1.0], backend=other, dtype=dtype), backend=backend)
                assert lp.backend_of(array).name == backend
                assert registry.dtype_name(array) == dtype
                np.testing.assert_array_equal(host(array).astype(np.float32), [0.0, 1.0])

    def test_jax_never_truncates_to_32_bits_silently(self, message):
        double = (
            "jax holds float64 only in 64-bit mode: ask for 'float32', "
            "or jax.config.update('jax_enable_x64', True) first"
        )
        assert message(ValueError, lp.asarray, np.ones(2), backend="jax") == double
        assert message(ValueError, lp.asarray, [1.0], backend="jax", dtype="float64") == double
        assert message(ValueError, lp.setup, 0, lp.Dense(1, 1), backend="jax", dtype="float64") == double
        assert message(ValueError, lp.to, {"a": np.ones(2)}, backend="jax") == double
        jax_ones = lp.asarray([1.0], backend="jax")
        assert message(ValueError, lp.to, jax_ones, dtype="float64") == double
        assert "int64" in message(ValueError, lp.asarray, [2**40], backend="jax")
        assert registry.dtype_name(lp.asarray(np.arange(3), backend="jax")) == "int32"

    def test_jax_keeps_64_bits_in_64_bit_mode(self):
        import jax

        with jax.enable_x64(True):
            assert lp.asarray(np.ones(2), backend="jax").dtype == np.float64
            assert lp.setup(0, lp.Dense(1, 1), backend="jax", dtype="float64")[0]["weight"].dtype == np.float64
            assert lp.to(np.arange(2), backend="jax").dtype == np.int64

    def test_values_that_are_no_numbers_are_an_error(self, backend, message):
        assert message(TypeError, lp.asarray, None, backend=backend) == (
            "asarray expects numbers, got values of the dtype object"
        )
        assert "got values of the dtype <U3" in message(TypeError, lp.asarray, "abc", backend=backend)
        assert "got 'float33'" in message(ValueError, lp.asarray, [1.0], backend=backend, dtype="float33")
