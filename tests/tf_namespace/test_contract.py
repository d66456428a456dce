"""Test the namespace's errors, types and dynamic shapes, and that it changes no global behavior of TensorFlow."""

import inspect
import logging
import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from .strategies import KINDS, xp

FLOATS: Any = tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
WHOLE: Any = tf.constant([1, 2, 3])


def refuses(error, match):
    return pytest.raises(error, match=match)


def test_defaults():
    assert xp.asarray(1).dtype == xp.arange(3).dtype == xp.argmax(FLOATS).dtype == xp.int64
    assert xp.asarray(1.0).dtype == xp.zeros(2).dtype == xp.linspace(0, 1, 3).dtype == xp.float32
    assert xp.asarray(1j).dtype == xp.complex64
    assert xp.asarray([True]).dtype == xp.bool
    assert xp.asarray(np.float64(1)).dtype == xp.asarray(np.zeros(2)).dtype == xp.float64
    info = xp.__array_namespace_info__()
    assert info.default_dtypes()["integral"] == xp.int64
    assert info.default_device() in info.devices()
    assert set(info.dtypes()) == set(KINDS["all"])


def test_signatures_name_the_standards_arguments():
    assert list(inspect.signature(xp.sum).parameters) == ["x", "axis", "dtype", "keepdims"]
    assert list(inspect.signature(xp.add).parameters) == ["x1", "x2"]
    assert inspect.signature(xp.add).parameters["x1"].kind is inspect.Parameter.POSITIONAL_ONLY


@pytest.mark.parametrize(
    ("a", "b", "common"),
    [
        ("float16", "bfloat16", "float32"),
        ("bfloat16", "float32", "float32"),
        ("float16", "complex64", "complex64"),
        ("float64", "complex64", "complex128"),
        ("uint8", "int8", "int16"),
        ("uint32", "int8", "int64"),
    ],
)
def test_promotion(a, b, common):
    x, y = (xp.ones(2, dtype=getattr(xp, d)) for d in (a, b))
    assert xp.add(x, y).dtype == xp.result_type(x, y) == getattr(xp, common)


def test_scalars_are_weak():
    assert xp.multiply(xp.ones(2, dtype=xp.bfloat16), 2.5).dtype == xp.bfloat16
    assert xp.add(xp.ones(2, dtype=xp.int8), 2).dtype == xp.int8
    assert xp.add(FLOATS, 1j).dtype == xp.complex64


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: xp.add(FLOATS, WHOLE), TypeError, "float32 and int32 do not promote"),
        (lambda: xp.add(WHOLE, 1.5), TypeError, "a Python float does not combine"),
        (lambda: xp.add(xp.ones(2, dtype=xp.uint8), -1), OverflowError, "out of bounds for uint8"),
        (lambda: xp.add(FLOATS, np.ones(3)), TypeError, "numpy.ndarray"),
        (lambda: xp.add(1.0, 2.0), TypeError, "at least one"),
        (lambda: xp.exp(WHOLE), TypeError, "exp takes arrays of .* got int32"),
        (lambda: xp.logical_and(WHOLE, WHOLE), TypeError, "logical_and takes arrays of bool"),
        (lambda: xp.sum(xp.asarray([True])), TypeError, "sum does not take arrays of bool"),
        (lambda: xp.mean(WHOLE), TypeError, "mean does not take arrays of int32"),
        (lambda: xp.sum(FLOATS, axis=2), IndexError, "axis 2 is out of bounds"),
        (lambda: xp.sum(FLOATS, axis=(0, -2)), ValueError, "must differ"),
        (lambda: xp.flip(FLOATS, axis=-3), IndexError, "axis -3 is out of bounds"),
        (lambda: xp.max(xp.zeros((0, 3)), axis=0), ValueError, "max of no elements"),
        (lambda: xp.argmin(xp.zeros(0)), ValueError, "argmin of no elements"),
        (lambda: xp.reshape(FLOATS, (4, -1)), ValueError, "does not reshape to"),
        (lambda: xp.reshape(FLOATS, (-1, -1)), ValueError, "at most one -1"),
        (lambda: xp.broadcast_to(FLOATS, (2, 4)), ValueError, "do not broadcast"),
        (lambda: xp.squeeze(FLOATS, 0), ValueError, "axes of size 1"),
        (lambda: xp.take(FLOATS, xp.asarray([1.0]), axis=0), TypeError, "indices must be whole numbers"),
        (lambda: xp.take(FLOATS, xp.asarray([0])), ValueError, "needs an axis"),
        (lambda: xp.take(FLOATS, xp.asarray([2]), axis=0), tf.errors.InvalidArgumentError, "is not in"),
        (lambda: xp.take(FLOATS, xp.asarray([-3]), axis=0), tf.errors.InvalidArgumentError, "is not in"),
        (lambda: xp.where(FLOATS, FLOATS, FLOATS), TypeError, "condition of bool"),
        (lambda: xp.matmul(FLOATS, FLOATS), Exception, "[Mm]at"),
        (lambda: xp.matmul(FLOATS, WHOLE.numpy()), TypeError, "expected a tf.Tensor"),
        (lambda: xp.linalg.inv(FLOATS), ValueError, "square matrices"),
        (lambda: xp.linalg.det(xp.ones((2, 2), dtype=xp.int32)), TypeError, "floating-point matrices"),
        (lambda: xp.fft.fft(FLOATS, norm="half"), ValueError, "norm must be"),
        (lambda: xp.nonzero(xp.asarray(1.0)), ValueError, "at least one axis"),
        (lambda: xp.asarray(["a"]), TypeError, "numbers and booleans"),
        (lambda: xp.asarray([1], copy=False), ValueError, "copy=False forbids"),
        (lambda: xp.astype(FLOATS, tf.string), TypeError, "dtype must be one of"),
        (lambda: xp.asarray(300, dtype=xp.uint8), OverflowError, "out of bounds for uint8"),
        (lambda: xp.stack([FLOATS, WHOLE]), TypeError, "do not promote"),
        (lambda: xp.isdtype(xp.int8, "whole"), ValueError, "kind must be one of"),
    ],
)
def test_bad_input_raises(call, error, match):
    with refuses(error, match):
        call()


def compiled(function, *specs, jit=False):
    return tf.function(function, input_signature=specs, jit_compile=jit, autograph=False)


@pytest.mark.parametrize("jit", [False, True])
def test_nan_survives_compilation(jit):
    """XLA's own reductions and maxima ignore NaN."""
    x = tf.constant([1.0, math.nan, 2.0])
    y = tf.constant([math.nan, 1.0, 1.0])

    def extremes(x, y):
        return xp.max(x), xp.min(x), xp.maximum(x, y), xp.minimum(y, x), xp.clip(x, 0.0, 3.0), xp.argmax(x), xp.sort(x)

    spec = tf.TensorSpec([None], tf.float32)
    for results in (extremes(x, y), compiled(extremes, spec, spec, jit=jit)(x, y)):
        largest, smallest, upper, lower, clipped, place, ordered = (r.numpy() for r in results)
        assert np.isnan([largest, smallest]).all()
        assert np.isnan(upper).tolist() == np.isnan(lower).tolist() == [True, True, False]
        assert np.isnan(clipped).tolist() == [False, True, False]
        assert place == 1
        assert ordered[:2].tolist() == [1.0, 2.0] and np.isnan(ordered[2])


def test_two_unknown_sizes():
    def shapes(x):
        flat = xp.reshape(x, (x.shape[0], x.shape[1], -1))
        wide = xp.broadcast_to(x, (2, x.shape[0], x.shape[1], 3))
        return flat, wide, xp.repeat(x, 2, axis=1), xp.ones_like(x), xp.tile(x, (1, 2, 1)), xp.roll(x, 1)

    got = compiled(shapes, tf.TensorSpec([None, None, 3]))(tf.ones((4, 5, 3)))
    assert [tuple(g.shape) for g in got] == [(4, 5, 3), (2, 4, 5, 3), (4, 10, 3), (4, 5, 3), (4, 10, 3), (4, 5, 3)]


def test_sizes_as_tensors():
    def fill(x):
        n = tf.shape(x)[0]
        return xp.zeros((n, 2)), xp.arange(n), xp.reshape(x, (n, 3, 1)), xp.eye(n)

    got = compiled(fill, tf.TensorSpec([None, 3]))(tf.ones((4, 3)))
    assert [tuple(g.shape) for g in got] == [(4, 2), (4,), (4, 3, 1), (4, 4)]
    assert got[1].dtype == xp.int64


def test_variables_are_arrays():
    v = tf.Variable(tf.constant([1.0, 2.0]))
    assert xp.add(v, 1.0).numpy().tolist() == [2.0, 3.0]
    assert xp.sum(v).numpy() == 3
    assert isinstance(xp.asarray(v), tf.Tensor)


def test_half_types_do_not_overflow_in_means():
    x = xp.ones(90_000, dtype=xp.float16)  # the sum, 90,000, is above float16's largest number
    assert xp.mean(x).numpy() == 1
    assert xp.var(x).numpy() == 0
    x = xp.asarray([[2.0, 1.0], [1.0, 2.0]], dtype=xp.float16)
    assert xp.linalg.det(x).dtype == xp.linalg.svd(x).S.dtype == xp.float16
    np.testing.assert_allclose(xp.linalg.inv(x).numpy(), [[2 / 3, -1 / 3], [-1 / 3, 2 / 3]], rtol=1e-3)


def test_dlpack_copies_what_is_not_aligned():
    for offset in range(3):
        x = np.arange(20.0)[offset:]
        assert xp.from_dlpack(x).numpy().tolist() == x.tolist()
    assert xp.from_dlpack(np.arange(4), copy=True).dtype == xp.int64


KERAS = """
import keras, numpy as np
keras.utils.set_random_seed(0)
inputs = keras.Input((6, 4))
x = keras.layers.Attention()([inputs, inputs])
x = keras.layers.LayerNormalization()(x)
x = keras.layers.GlobalAveragePooling1D()(x)
model = keras.Model(inputs, keras.layers.Dense(2)(x))
model.compile("adam", "mse")
data = np.linspace(-1, 1, 8 * 24, dtype="float32").reshape(8, 6, 4)
history = model.fit(data, data[:, 0, :2], epochs=1, verbose=0, shuffle=False).history["loss"]
"""


def keras_run():
    scope = {}
    exec(KERAS, scope)
    return scope["history"], scope["model"](scope["data"]).numpy()


def tensorflow_habits():
    """Assert some behaviors of TensorFlow that differ from the standard and must not change."""
    with pytest.raises((TypeError, tf.errors.InvalidArgumentError)):
        _ = WHOLE + FLOATS
    assert (WHOLE / 2).dtype == tf.float64
    assert not hasattr(FLOATS, "T")
    assert isinstance(FLOATS.shape, tf.TensorShape)


@pytest.fixture
def operators():
    xp.patch_operators()
    yield
    xp.unpatch_operators()


def test_nothing_global_changes_unless_asked():
    tensorflow_habits()
    losses, outputs = keras_run()
    xp.patch_operators()
    try:
        patched_losses, patched_outputs = keras_run()
    finally:
        xp.unpatch_operators()
    tensorflow_habits()
    np.testing.assert_allclose(patched_losses, losses, rtol=1e-6)
    np.testing.assert_allclose(patched_outputs, outputs, rtol=1e-5, atol=1e-6)


def test_patched_operators(operators):
    assert (xp.asarray([1], dtype=xp.int8) + xp.asarray([2], dtype=xp.int32)).dtype == xp.int32
    assert (FLOATS + tf.constant(1.0, tf.float64)).dtype == xp.float64
    assert (WHOLE << 2).numpy().tolist() == [4, 8, 12]
    assert (1 + WHOLE).dtype == xp.int32
    assert (WHOLE / 2).dtype == tf.float64  # the standard leaves this dtype open; it is TensorFlow's
    assert (-tf.constant([1], tf.uint8)).numpy() == 255
    assert FLOATS.T.shape == (3, 2) and FLOATS.size == 6
    assert FLOATS.__array_namespace__() is xp
    with refuses(ValueError, "api_version must be"):
        FLOATS.__array_namespace__(api_version="1999.01")
    with refuses(TypeError, "immutable"):
        FLOATS[0] = 1.0


def test_patched_indexing(operators):
    x = np.arange(24.0).reshape(2, 3, 4)
    t: Any = xp.asarray(x)
    mask = x[:, :, 0] > 4
    rows, columns = np.array([[0, -1]]), np.array([[2], [-3]])
    np.testing.assert_array_equal(t[xp.asarray(mask)], x[mask])
    np.testing.assert_array_equal(t[t > 7], x[x > 7])
    np.testing.assert_array_equal(t[xp.asarray(rows)], x[rows])
    np.testing.assert_array_equal(t[xp.asarray(rows), xp.asarray(columns)], x[rows, columns])
    np.testing.assert_array_equal(t[-1, xp.asarray(columns), 0], x[-1, columns, 0])
    np.testing.assert_array_equal(t[..., 1:, None], x[..., 1:, None])
    with refuses(IndexError, "does not fit"):
        t[xp.asarray([True, False, True])]
    with refuses(IndexError, "integers only"):
        t[xp.asarray(rows), :]


def test_patched_operators_in_graphs(operators):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.float64)], autograph=False)
    def run(i, x):
        return (i % 2) + tf.constant([1], tf.int64), x[i], x[x > 1.0]

    a, b, c = run(tf.constant([0, 1]), tf.constant([1.0, 2.0, 3.0], tf.float64))
    assert a.dtype == xp.int64
    assert b.numpy().tolist() == [1.0, 2.0]
    assert c.numpy().tolist() == [2.0, 3.0]


def test_autograph_has_nothing_to_say():
    """AutoGraph also converts the functions that a user's function calls, and warns of those that it cannot parse."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    tf.get_logger().addHandler(handler)

    @tf.function
    def total(x):
        return xp.sum(x) + xp.prod(x) + xp.linalg.vector_norm(x)

    try:
        total(FLOATS)
    finally:
        tf.get_logger().removeHandler(handler)
    assert said == []
