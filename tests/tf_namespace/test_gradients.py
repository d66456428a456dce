"""Gradients against finite differences, eagerly and compiled by XLA for any batch size.

Each case is a function of x (4, 3) and y (4, 3), random float64. Its weighted sum is differentiated
along a random direction: by GradientTape and by central differences.
"""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from .strategies import few, xp


def spd(x):
    return xp.matmul(xp.matrix_transpose(x), x) + 2 * xp.eye(3, dtype=x.dtype)


def square(x):
    return xp.linalg.matrix_transpose(x)[:, :3] + 4 * xp.eye(3, dtype=x.dtype)


def inner(x):
    """Map x to values within (-1, 1)."""
    return 0.9 * xp.tanh(x)


def phased(x, y):
    return xp.add(x, xp.multiply(y, 1j))


ELEMENTWISE = {
    "abs": lambda x, y: xp.abs(x),
    "abs of complex": lambda x, y: xp.abs(phased(x, y)),
    "acos": lambda x, y: xp.acos(inner(x)),
    "acosh": lambda x, y: xp.acosh(1.5 + xp.square(x)),
    "add": lambda x, y: xp.add(x, y[:1]),
    "asin": lambda x, y: xp.asin(inner(x)),
    "asinh": lambda x, y: xp.asinh(x),
    "atan": lambda x, y: xp.atan(x),
    "atan2": lambda x, y: xp.atan2(x, y),
    "atanh": lambda x, y: xp.atanh(inner(x)),
    "clip": lambda x, y: xp.clip(x, -0.5, 0.5),
    "conj": lambda x, y: xp.conj(phased(x, y)),
    "copysign": lambda x, y: xp.copysign(x, y),
    "cos": lambda x, y: xp.cos(x),
    "cosh": lambda x, y: xp.cosh(x),
    "divide": lambda x, y: xp.divide(x, 2 + xp.square(y)),
    "exp": lambda x, y: xp.exp(x),
    "expm1": lambda x, y: xp.expm1(x),
    "expm1 of complex": lambda x, y: xp.expm1(phased(x, y)),
    "hypot": lambda x, y: xp.hypot(x, y),
    "log": lambda x, y: xp.log(xp.abs(x)),
    "log of complex": lambda x, y: xp.log(phased(x, y)),
    "log10": lambda x, y: xp.log10(xp.abs(x)),
    "log1p": lambda x, y: xp.log1p(xp.abs(x)),
    "log1p of complex": lambda x, y: xp.log1p(phased(x, y)),
    "log2": lambda x, y: xp.log2(xp.abs(x)),
    "logaddexp": lambda x, y: xp.logaddexp(x, y),
    "maximum": lambda x, y: xp.maximum(x, y),
    "maximum with a scalar": lambda x, y: xp.maximum(x, 0.0),
    "minimum": lambda x, y: xp.minimum(x, y),
    "multiply": lambda x, y: xp.multiply(x, y),
    "negative": lambda x, y: xp.negative(x),
    "positive": lambda x, y: xp.positive(x),
    "pow": lambda x, y: xp.pow(xp.abs(x), y),
    "real and imag": lambda x, y: xp.real(phased(x, y) ** 2) * xp.imag(phased(x, y)),
    "reciprocal": lambda x, y: xp.reciprocal(3 + x**2),
    "remainder": lambda x, y: xp.remainder(x, 0.7),
    "sin": lambda x, y: xp.sin(x),
    "sinh": lambda x, y: xp.sinh(x),
    "sqrt": lambda x, y: xp.sqrt(xp.abs(x)),
    "square": lambda x, y: xp.square(x),
    "subtract": lambda x, y: xp.subtract(x, y),
    "tan": lambda x, y: xp.tan(inner(x)),
    "tanh": lambda x, y: xp.tanh(x),
    "tanh of complex": lambda x, y: xp.tanh(phased(x, y)),
    "where": lambda x, y: xp.where(x > y, x, 2 * y),
}
STRUCTURE = {
    "asarray of tensors": lambda x, y: xp.asarray([[x[0, 0], 1.0], [y[1, 1], x[2, 2]]]),
    "astype": lambda x, y: xp.astype(xp.astype(x, xp.complex128), xp.float64),
    "broadcast_arrays": lambda x, y: xp.broadcast_arrays(x[:, None, :], y[:2])[0],
    "broadcast_to": lambda x, y: xp.broadcast_to(x[:, None], (x.shape[0], 2, 3)),
    "concat": lambda x, y: xp.concat([x, y], axis=-1),
    "concat flat": lambda x, y: xp.concat([x, y], axis=None),
    "cumulative_prod": lambda x, y: xp.cumulative_prod(x, axis=0),
    "cumulative_sum": lambda x, y: xp.cumulative_sum(x, axis=1, include_initial=True),
    "diff": lambda x, y: xp.diff(x, axis=0, append=y),
    "expand_dims": lambda x, y: xp.squeeze(xp.expand_dims(x, (0, 2)), (0, 2)),
    "flip": lambda x, y: xp.flip(x),
    "full": lambda x, y: xp.full((2,), x[0, 0]),
    "linspace": lambda x, y: xp.linspace(x[0, 0], y[0, 0], 4, dtype=xp.float64),
    "matrix_transpose": lambda x, y: xp.matrix_transpose(x),
    "max": lambda x, y: xp.max(x, axis=-1, keepdims=True),
    "mean": lambda x, y: xp.mean(x, axis=(0, 1)),
    "meshgrid": lambda x, y: xp.meshgrid(x[0], y[0])[1],
    "min": lambda x, y: xp.min(x),
    "moveaxis": lambda x, y: xp.moveaxis(x, 0, -1),
    "permute_dims": lambda x, y: xp.permute_dims(x, (1, 0)),
    "prod": lambda x, y: xp.prod(x, axis=1),
    "repeat": lambda x, y: xp.repeat(x, 3, axis=0),
    "reshape to an unknown size": lambda x, y: xp.reshape(x, (x.shape[0], -1, 1)),
    "reshape flat": lambda x, y: xp.reshape(x, (-1,)),
    "roll": lambda x, y: xp.roll(x, (1, 2), axis=(0, 1)),
    "roll flat": lambda x, y: xp.roll(x, 1),
    "sort": lambda x, y: xp.sort(x, axis=1, descending=True),
    "stack": lambda x, y: xp.stack([x, y], axis=1),
    "std": lambda x, y: xp.std(x, axis=0),
    "sum": lambda x, y: xp.sum(x, axis=1),
    "take": lambda x, y: xp.take(x, xp.asarray([2, -1, 0, 0]), axis=0),
    "take along the last axis": lambda x, y: xp.take(x, xp.asarray([[2, -1]]), axis=1),
    "take_along_axis": lambda x, y: xp.take_along_axis(x, xp.asarray([[0], [-1], [1], [1]]), axis=1),
    "take_along_axis first": lambda x, y: xp.take_along_axis(x, xp.asarray([[0, 1, -1]]), axis=0),
    "tile": lambda x, y: xp.tile(x, (2, 1, 2)),
    "tril": lambda x, y: xp.tril(x, k=-1),
    "triu": lambda x, y: xp.triu(x, k=1),
    "unstack": lambda x, y: xp.unstack(x, axis=1)[1],
    "var": lambda x, y: xp.var(x, axis=0, correction=1),
    "var of all": lambda x, y: xp.var(x),
}
ALGEBRA = {
    "cholesky": lambda x, y: xp.linalg.cholesky(spd(x)),
    "cross": lambda x, y: xp.linalg.cross(x, y),
    "diagonal": lambda x, y: xp.linalg.diagonal(x, offset=-1),
    "eigvalsh": lambda x, y: xp.linalg.eigvalsh(spd(x)),
    "fft": lambda x, y: xp.fft.fft(x, n=4),
    "fftn": lambda x, y: xp.fft.fftn(x, s=(4, 2), norm="ortho"),
    "fftshift": lambda x, y: xp.fft.fftshift(x, axes=1),
    "hfft": lambda x, y: xp.fft.hfft(phased(x, y)),
    "ifft": lambda x, y: xp.fft.ifft(phased(x, y), axis=1),
    "ihfft": lambda x, y: xp.fft.ihfft(x),
    "inv": lambda x, y: xp.linalg.inv(square(x)),
    "irfft": lambda x, y: xp.fft.irfft(phased(x, y), n=5),
    "matmul": lambda x, y: xp.matmul(x, xp.matrix_transpose(y)),
    "matmul of vectors": lambda x, y: xp.matmul(x[0], y[0]),
    "matmul with a vector": lambda x, y: xp.matmul(x, y[0]),
    "matmul of a vector": lambda x, y: xp.matmul(x[0], y[:, :, None]),
    "matmul of batches": lambda x, y: xp.matmul(x[:, None, :], y[:, :, None]),
    "matmul broadcasting": lambda x, y: xp.matmul(x[:, None, :], xp.matrix_transpose(y)),
    "matrix_norm": lambda x, y: xp.linalg.matrix_norm(x),
    "matrix_norm 1": lambda x, y: xp.linalg.matrix_norm(x, ord=1),
    "matrix_power": lambda x, y: xp.linalg.matrix_power(square(x), -2),
    "outer": lambda x, y: xp.linalg.outer(x[0], y[0]),
    "pinv": lambda x, y: xp.linalg.pinv(x),
    "qr": lambda x, y: xp.linalg.qr(x)[1],
    "rfft": lambda x, y: xp.fft.rfft(x, norm="forward"),
    "rfftn": lambda x, y: xp.fft.rfftn(x, s=(4, 3)),
    "irfftn": lambda x, y: xp.fft.irfftn(phased(x, y), s=(4, 3)),
    "ifftn": lambda x, y: xp.fft.ifftn(phased(x, y), s=(4, 3)),
    "solve": lambda x, y: xp.linalg.solve(square(x), y[:3]),
    "solve for a vector": lambda x, y: xp.linalg.solve(square(x), y[0]),
    "svdvals": lambda x, y: xp.linalg.svdvals(x),
    "tensordot": lambda x, y: xp.tensordot(x, y, axes=((0,), (0,))),
    "trace": lambda x, y: xp.linalg.trace(x, offset=1),
    "vecdot": lambda x, y: xp.vecdot(x, y),
    "vector_norm": lambda x, y: xp.linalg.vector_norm(x, axis=1),
    "vector_norm of order 3": lambda x, y: xp.linalg.vector_norm(x, ord=3),
}
# TensorFlow has no XLA kernels for these.
NOT_IN_XLA = {
    "det": lambda x, y: xp.linalg.det(square(x)),
    "eigvals": lambda x, y: xp.sum(xp.linalg.eigvals(square(x))),
    "repeat by an array": lambda x, y: xp.repeat(x, xp.asarray([1, 0, 2]), axis=1),
    "slogdet": lambda x, y: xp.linalg.slogdet(square(x))[1],
    "unique_values": lambda x, y: xp.unique_values(x),
}
SLOW_IN_XLA = ("pinv", "svdvals")  # ten seconds of compilation each
# TensorFlow's gradients of these need matrices of known sizes.
NEED_SIZES = ("pinv", "qr")
CASES = ELEMENTWISE | STRUCTURE | ALGEBRA | NOT_IN_XLA


def weighted(result):
    """Return a weighted sum of the real and imaginary parts of all entries of the result."""
    weights = xp.cos(xp.reshape(xp.arange(tf.size(result), dtype=xp.float64), tf.shape(result)) + 1)
    total = xp.sum(weights * xp.real(result))
    return total + xp.sum(weights * weights * xp.imag(result))


def value_and_gradients(call):
    def run(x: Any, y: Any):
        with tf.GradientTape() as tape:
            tape.watch([x, y])
            value = weighted(call(x, y))
        return value, tape.gradient(value, [x, y], unconnected_gradients=tf.UnconnectedGradients.ZERO)

    return run


def drawn(seed):
    rng = np.random.default_rng(seed)
    x, y, dx, dy = rng.normal(size=(4, 4, 3))
    return [tf.constant(v) for v in (x, y, dx, dy)]


def slope(call, x, y, dx, dy, step=1e-6):
    ahead, behind = (weighted(call(x + s * dx, y + s * dy)) for s in (step, -step))
    return float((ahead - behind) / (2 * step))


def check(run, call, seed):
    x, y, dx, dy = drawn(seed)
    value, (gx, gy) = run(x, y)
    assert isinstance(gx, tf.Tensor) and gx.shape == x.shape
    assert isinstance(gy, tf.Tensor) and gy.shape == y.shape
    np.testing.assert_allclose(float(value), float(weighted(call(x, y))), rtol=1e-9)
    along = float(xp.sum(gx * dx) + xp.sum(gy * dy))
    # Central differences have errors of about step² and eps / step: about 1e-8 for values of a few dozen.
    np.testing.assert_allclose(along, slope(call, x, y, dx, dy), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
@few(2)
@given(seed=st.integers(0, 99))
def test_gradient(name, seed):
    check(value_and_gradients(CASES[name]), CASES[name], seed)


@pytest.mark.parametrize("name", CASES)
def test_compiled_for_any_batch_size(name):
    run = value_and_gradients(CASES[name])
    spec = tf.TensorSpec([4 if name in NEED_SIZES else None, 3], tf.float64)
    jit = name not in (*NOT_IN_XLA, *SLOW_IN_XLA)
    compiled = tf.function(run, input_signature=[spec, spec], jit_compile=jit, autograph=False)
    check(compiled, CASES[name], seed=7)


def test_a_cast_to_complex_numbers_drops_imaginary_parts_without_a_warning(caplog):
    """The slope of Re(c z) with respect to a real z is Re(c)."""
    x, factors = tf.constant([1.0, 2.0]), tf.constant(np.asarray([3.0 - 4.0j, 0.5j], "c8"))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = xp.sum(xp.real(factors * xp.astype(x, xp.complex64)))
    np.testing.assert_array_equal(tape.gradient(y, x), [3.0, 0.0])
    assert not caplog.records
