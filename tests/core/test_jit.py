"""`luxport.jit`: functions, arguments and results that it accepts, the same on every backend."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import functools

import numpy as np
import pytest

import luxport as lp


@pytest.fixture
def x(backend, array):
    return array([1.0, 2.0], backend)


def test_shapes_may_change(backend, array):
    double = lp.jit(lambda p: p * 2.0)
    for rows in range(1, 12):
        assert tuple(double(array(np.ones((rows, 3)), backend)).shape) == (rows, 3)


def test_dtypes_may_change(backend, array):
    double = lp.jit(lambda p: p * 2)
    for dtype in ("float32", "float16", "int32", "float32"):
        assert lp.backend.dtype_name(double(array([1.0], backend, dtype))) == dtype


def test_static_values_may_change(backend, x, same):
    f = lp.jit(lambda p, st: p * 2.0 if st["training"] else p)
    for training in (True, False, True):
        assert same(f(x, {"training": lp.Static(training)}), np.array([1.0, 2.0]) * (2.0 if training else 1.0))


def test_more_static_values_than_dynamos_limit():
    import torch

    x = lp.asarray([1.0], backend="torch")
    f = lp.jit(lambda p, s: p * float(len(s.value)))
    with torch._dynamo.config.patch(recompile_limit=2):
        for n in range(4):
            assert float(f(x, lp.Static("a" * n))[0]) == n


def test_arguments_without_arrays_select_the_program(x, same):
    f = lp.jit(lambda p, n, mode="a", f=None: (f or abs)(p) * (2.0 if n > 2 and mode == "a" else 1.0))
    once, twice = np.array([1.0, 2.0]), np.array([2.0, 4.0])
    assert same(f(x, 1), once)
    assert same(f(x, 3), twice)
    assert same(f(x, n=3), twice)
    assert same(f(x, 3, mode="b"), once)
    assert same(f(x, 3, f=lambda p: p * 0.5), once)
    assert same(lp.jit(lambda layer, p: layer(p, {}, {})[0])(lp.WrappedFunction(lambda p: p * 2.0), x), twice)


def test_results_may_be_other_than_arrays(x, same):
    f = lp.jit(lambda p: (p.shape[0], "text", None, lp.Static(2), 1.5, True, {"a": p}))
    for _ in range(2):
        *rest, last = f(x)
        assert rest == [2, "text", None, lp.Static(2), 1.5, True]
        assert same(last, {"a": np.array([1.0, 2.0])})
    assert lp.jit(lambda p: 3)(x) == 3


def test_functions_methods_partials_and_layers_are_compiled(x, same):
    class Scaler:
        factor = 2.0

        @lp.jit
        def decorated(self, p):
            return p * self.factor

        def plain(self, p):
            return p * self.factor

    twice = np.array([2.0, 4.0])
    assert same(Scaler().decorated(x), twice)
    assert same(lp.jit(Scaler().plain)(x), twice)
    assert same(lp.jit(functools.partial(lambda factor, p: p * factor, 2.0))(x), twice)
    assert same(lp.jit(lambda *, p: p * 2.0)(p=x), twice)
    assert same(lp.jit(lambda p, rest: p + rest[0]["b"])(x, ({"b": x},)), twice)
    assert same(lp.jit(lambda p: lp.jit(lambda q: q * 2.0)(p))(x), twice)
    assert same(lp.jit(lp.WrappedFunction(lambda p: p * 2.0))(x, {}, {})[0], twice)


def test_the_functions_name_and_docstring_are_kept():
    def f(p):
        """Say what f does."""

    assert lp.jit(f).__name__ == "f"
    assert lp.jit(f).__doc__ == "Say what f does."
    assert lp.jit(lp.Dense(2, 3)).__doc__ is not None


def test_layers_with_unhashable_fields_are_compiled(x, same):
    class Listed(lp.Layer):
        factors: list

        def __call__(self, x, ps, st):
            return x * self.factors[0], st

    assert same(lp.jit(Listed([2.0]))(x, {}, {})[0], np.array([2.0, 4.0]))


def test_one_function_on_every_backend_in_turn(array, host):
    double = lp.jit(lambda p: p * 2.0)
    for name in ("numpy", "jax", "torch", "tf", "numpy", "jax"):
        result = double(array([1.0], name))
        assert lp.backend_of(result).name == name
        np.testing.assert_array_equal(host(result), [2.0])


def test_errors_of_the_function_pass_unchanged(x, message):
    def fail(p):
        raise RuntimeError("mine alone")

    assert message(RuntimeError, lp.jit(fail), x) == "mine alone"


def test_a_compiled_training_step_equals_an_eager_one(ad_backend, array, host):
    model = lp.Chain(lp.Dense(3, 4, lp.tanh), lp.BatchNorm(4), lp.Dropout(0.5), lp.Dense(4, 1))
    ps, st = lp.setup(0, model, backend=ad_backend)
    x = array(np.random.default_rng(0).normal(size=(8, 3)), ad_backend)

    def loss(ps, st, x):
        y, st = model(x, ps, st)
        return lp.namespace(y).mean(y * y), st

    def step(ps, st, x):
        (value, st), gradient = lp.value_and_grad(loss, has_aux=True)(ps, st, x)
        return lp.tree.map(lambda p, g: p - 0.1 * g, ps, gradient), st, value

    eager, compiled, program = (ps, st), (ps, st), lp.jit(step)
    for _ in range(3):
        *eager, value = step(*eager, x)
        *compiled, compiled_value = program(*compiled, x)
        np.testing.assert_allclose(host(compiled_value), host(value), rtol=1e-4)
    lp.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), host(eager[1]), host(compiled[1]))
    assert int(host(compiled[1])["layer_3"]["rng"]["counter"]) == 3
