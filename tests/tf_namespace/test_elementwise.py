"""Element-wise functions against NumPy: values, dtypes, broadcasting and promotion."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from .strategies import KINDS, agree, arrays, elements, few, oracle, shapes, xp

UNARY = {
    "abs": ("numeric", -5, 5),
    "acos": ("floating", -1, 1),
    "acosh": ("floating", 1, 5),
    "asin": ("floating", -1, 1),
    "asinh": ("floating", -5, 5),
    "atan": ("floating", -0.875, 0.875),
    "atanh": ("floating", -0.875, 0.875),
    "bitwise_invert": ("integer", -100, 100),
    "ceil": ("real", -5, 5),
    "conj": ("numeric", -5, 5),
    "cos": ("floating", -5, 5),
    "cosh": ("floating", -5, 5),
    "exp": ("floating", -5, 5),
    "expm1": ("floating", -5, 5),
    "floor": ("real", -5, 5),
    "imag": ("floating", -5, 5),
    "isfinite": ("numeric", -5, 5),
    "isinf": ("numeric", -5, 5),
    "isnan": ("numeric", -5, 5),
    "log": ("floating", 0.125, 5),
    "log10": ("floating", 0.125, 5),
    "log1p": ("floating", -0.5, 5),
    "log2": ("floating", 0.125, 5),
    "logical_not": ("bool", 0, 1),
    "negative": ("numeric", -5, 5),
    "positive": ("numeric", -5, 5),
    "real": ("floating", -5, 5),
    "reciprocal": ("floating", 0.125, 5),
    "round": ("numeric", -5, 5),
    "sign": ("numeric", -5, 5),
    "signbit": ("real floating", -5, 5),
    "sin": ("floating", -5, 5),
    "sinh": ("floating", -5, 5),
    "sqrt": ("floating", 0, 5),
    "square": ("numeric", -5, 5),
    "tan": ("floating", -1, 1),
    "tanh": ("floating", -5, 5),
    "trunc": ("real", -5, 5),
}
BINARY = {
    "add": ("numeric", -5, 5),
    "atan2": ("real floating", -5, 5),
    "bitwise_and": ("integer", -100, 100),
    "bitwise_left_shift": ("integer", 0, 70),
    "bitwise_or": ("integer", -100, 100),
    "bitwise_right_shift": ("integer", 0, 70),
    "bitwise_xor": ("integer", -100, 100),
    "copysign": ("real floating", -5, 5),
    "divide": ("floating", 0.125, 5),
    "equal": ("all", -2, 2),
    "floor_divide": ("real", 1, 5),
    "greater": ("real", -5, 5),
    "greater_equal": ("real", -2, 2),
    "hypot": ("real floating", -5, 5),
    "less": ("real", -5, 5),
    "less_equal": ("real", -2, 2),
    "logaddexp": ("real floating", -5, 5),
    "logical_and": ("bool", 0, 1),
    "logical_or": ("bool", 0, 1),
    "logical_xor": ("bool", 0, 1),
    "maximum": ("real", -5, 5),
    "minimum": ("real", -5, 5),
    "multiply": ("numeric", -5, 5),
    "nextafter": ("real floating", -5, 5),
    "not_equal": ("all", -2, 2),
    "pow": ("numeric", 1, 4),
    "remainder": ("real", 1, 5),
    "subtract": ("numeric", -5, 5),
}


def test_every_function_is_tested():
    others = {"clip"}
    from luxport_tf.xp import _arithmetic, _float_parts, _logic, _transcendental

    names = {n for module in (_arithmetic, _logic, _float_parts, _transcendental) for n in module.__all__}
    assert names == set(UNARY) | set(BINARY) | others


@pytest.mark.parametrize("name", UNARY)
@few(10)
@given(data=st.data())
def test_unary(name, data):
    kind, low, high = UNARY[name]
    x = data.draw(arrays(KINDS[kind], shapes(), low, high))
    if x.dtype.kind == "c" and name == "acosh":
        x = x.real + 0j  # NumPy and TensorFlow choose different sides of the cut for a negative imaginary part
        x = x.astype(np.complex64)
    agree(getattr(xp, name)(xp.asarray(x)), getattr(oracle, name)(x))


def _same_kind(kind):
    groups = [KINDS["bool"], KINDS["integer"], KINDS["real floating"], KINDS["floating"]]
    pairs = [(a, b) for group in groups for a in group for b in group if a in KINDS[kind] and b in KINDS[kind]]
    # The standard does not promote uint64 with signed integers, which NumPy promotes to float64.
    return [(a, b) for a, b in pairs if (np.result_type(a, b).kind == "f") <= ("float" in a + b)]


@pytest.mark.parametrize("name", BINARY)
@few(12)
@given(data=st.data())
def test_binary_promotes_and_broadcasts(name, data):
    kind, low, high = BINARY[name]
    a, b = data.draw(st.sampled_from(_same_kind(kind)))
    common = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3, min_side=0))
    x, y = (
        data.draw(hnp.arrays(d, s, elements=elements(d, low, high)))
        for d, s in zip((a, b), common.input_shapes, strict=True)
    )
    with np.errstate(all="ignore"):
        want = getattr(oracle, name)(x, y)
    agree(getattr(xp, name)(xp.asarray(x), xp.asarray(y)), want)


@pytest.mark.parametrize("name", sorted(set(BINARY) - {"bitwise_left_shift", "bitwise_right_shift"}))
@few(5)
@given(data=st.data())
def test_python_scalars_take_the_arrays_type(name, data):
    kind, low, high = BINARY[name]
    x = data.draw(arrays(KINDS[kind], shapes(min_side=1), low, high))
    scalar = data.draw(st.integers(max(0, math.ceil(low)), int(high)))
    scalar = {"b": bool, "i": int, "u": int, "f": float, "c": complex}[x.dtype.kind](scalar)
    with np.errstate(all="ignore"):
        right = getattr(oracle, name)(x, np.asarray(scalar, x.dtype))
        left = getattr(oracle, name)(np.asarray(scalar, x.dtype), x)
    agree(getattr(xp, name)(xp.asarray(x), scalar), right)
    agree(getattr(xp, name)(scalar, xp.asarray(x)), left)


@few(30)
@given(data=st.data())
def test_clip(data):
    x = data.draw(arrays(KINDS["real"], shapes()))
    low, high = (data.draw(st.none() | elements(x.dtype, -2, 2)) for _ in range(2))
    agree(xp.clip(xp.asarray(x), low, high), oracle.clip(x, low, high))


@few(30)
@given(data=st.data())
def test_where(data):
    x = data.draw(arrays(KINDS["all"], shapes(max_dims=2)))
    y = data.draw(arrays((x.dtype.name,), x.shape))
    condition = data.draw(arrays(("bool",), x.shape))
    agree(xp.where(xp.asarray(condition), xp.asarray(x), xp.asarray(y)), np.where(condition, x, y))


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
@pytest.mark.parametrize("function", ["exp", "tanh", "sqrt", "log1p", "round", "floor", "trunc", "square", "sign"])
def test_half_types_round_the_float32_result(name, function):
    dtype = getattr(xp, name)
    x = xp.astype(xp.linspace(0.1, 3, 40), dtype)
    got = getattr(xp, function)(x)
    assert got.dtype == dtype
    want = getattr(np, function)(x.numpy().astype(np.float32))
    np.testing.assert_allclose(got.numpy().astype(np.float32), want, rtol=float(xp.finfo(dtype).eps))


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_nextafter_of_half_types(name):
    dtype = getattr(xp, name)
    eps = xp.finfo(dtype).eps
    x = xp.asarray([1.0, 1.0, -1.0, -1.0, 0.0, 0.0, 2.0, math.nan], dtype=dtype)
    to = xp.asarray([2.0, 0.0, -2.0, 0.0, 1.0, -1.0, 2.0, 0.0], dtype=dtype)
    tiny = xp.finfo(dtype).smallest_normal * eps
    want = [1 + eps, 1 - eps / 2, -1 - eps, -1 + eps / 2, tiny, -tiny, 2.0, math.nan]  # by definition of the formats
    np.testing.assert_array_equal(xp.nextafter(x, to).numpy().astype(np.float64), want)


# TensorFlow has no kernels for these; the results must wrap modulo 2**bits as NumPy's do.
@pytest.mark.parametrize("name", KINDS["integer"])
def test_integers_wrap_as_in_numpy(name):
    info = np.iinfo(name)
    x = np.array([info.min, info.max, 1, 3, info.max // 2 + 1], name)
    y = np.array([3, 5, 2, 7, 1], name)
    t, u = xp.asarray(x), xp.asarray(y)
    with np.errstate(all="ignore"):
        agree(xp.pow(t, u), x**y)
        agree(xp.negative(t), -x)
        agree(xp.multiply(t, u), x * y)
        agree(xp.cumulative_sum(t, dtype=t.dtype), np.cumsum(x, dtype=name))
        agree(xp.cumulative_prod(t, dtype=t.dtype), np.cumprod(x, dtype=name))
        agree(xp.sum(t, dtype=t.dtype), np.sum(x, dtype=name))
        agree(xp.matmul(t, u), x @ y)
        agree(xp.matmul(xp.stack([t, u]), xp.stack([u, t], axis=1)), np.stack([x, y]) @ np.stack([y, x], axis=1))
        agree(xp.tensordot(t, u, axes=0), np.tensordot(x, y, axes=0))
    agree(xp.tile(t, (2,)), np.tile(x, 2))
    agree(xp.repeat(t, 2), np.repeat(x, 2))
    agree(xp.sort(t), np.sort(x))
    agree(xp.floor_divide(t, u), x // y)
    agree(xp.less(t, u), x < y)


def test_zeros_keep_their_sign():
    tf.constant(-0.0)  # TensorFlow's cache of eager scalars would return this one for 0.0
    assert not xp.signbit(xp.asarray(0.0)).numpy()
    assert xp.signbit(xp.asarray(-0.0)).numpy()
    one = xp.asarray([1.0])
    assert xp.divide(one, 0.0).numpy() == [math.inf]
    assert xp.divide(one, -0.0).numpy() == [-math.inf]


def test_floats_divide_as_in_numpy():
    x = np.array([1.0, -1.0, 7.5, -7.5, 0.3, -0.3, 6.0, 1e17])
    y = np.array([0.1, 0.1, -2.0, -2.0, 0.1, 0.1, 3.0, 3.0])
    agree(xp.floor_divide(xp.asarray(x), xp.asarray(y)), x // y)
    agree(xp.remainder(xp.asarray(x), xp.asarray(y)), x % y)
