"""Test matrix products and the linalg and fft extensions, compared with NumPy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from .strategies import KINDS, agree, arrays, few, oracle, shapes, xp

FLOATS = ("float64", "complex128")
ATOL = 1e3  # times 1e-12, for condition numbers up to a thousand


@few(25)
@given(data=st.data())
def test_products(data):
    dtype = data.draw(st.sampled_from(KINDS["numeric"]))
    signature = data.draw(st.sampled_from(["(m?,n),(n,p?)->(m?,p?)"]))
    both = data.draw(hnp.mutually_broadcastable_shapes(signature=signature, max_dims=2, max_side=3))
    x, y = (data.draw(arrays((dtype,), shape)) for shape in both.input_shapes)
    agree(xp.matmul(xp.asarray(x), xp.asarray(y)), x @ y, atol=100)
    a = data.draw(arrays((dtype,), shapes(min_dims=1)))
    b = data.draw(arrays((dtype,), a.shape))
    agree(xp.vecdot(xp.asarray(a), xp.asarray(b)), oracle.vecdot(a, b), atol=200)
    axes = data.draw(st.integers(0, a.ndim))
    c = data.draw(arrays((dtype,), a.shape[a.ndim - axes :] + (2,)))
    agree(xp.tensordot(xp.asarray(a), xp.asarray(c), axes=axes), np.tensordot(a, c, axes=axes), atol=2000)
    pairs = (tuple(range(a.ndim)), tuple(range(a.ndim)))
    agree(xp.tensordot(xp.asarray(a), xp.asarray(b), axes=pairs), np.tensordot(a, b, axes=pairs), atol=2000)
    agree(xp.linalg.outer(xp.asarray(a.ravel()), xp.asarray(b.ravel())), np.linalg.outer(a.ravel(), b.ravel()))


@few(10)
@given(data=st.data())
def test_cross(data):
    x, y = (data.draw(arrays(("float64",), (2, 3))) for _ in range(2))
    agree(xp.linalg.cross(xp.asarray(x), xp.asarray(y)), np.linalg.cross(x, y), atol=50)


@st.composite
def regular(draw):
    """Draw batches of well-conditioned square matrices."""
    n = draw(st.integers(1, 4))
    lead = draw(st.sampled_from([(), (2,), (1, 2)]))
    x = draw(arrays(FLOATS, (*lead, n, n), -1, 1))
    return x + (n + 2) * np.eye(n)


@few(25)
@given(x=regular(), power=st.integers(-2, 3))
def test_square_matrices(x, power):
    t: Any = xp.asarray(x)
    agree(xp.linalg.det(t), np.linalg.det(x), atol=ATOL)
    sign, logabsdet = xp.linalg.slogdet(t)
    agree(sign, np.linalg.slogdet(x).sign, atol=ATOL)
    agree(logabsdet, np.linalg.slogdet(x).logabsdet, atol=ATOL)
    agree(xp.linalg.inv(t), np.linalg.inv(x), atol=ATOL)
    agree(xp.linalg.pinv(t), np.linalg.pinv(x), atol=ATOL)
    agree(xp.linalg.matrix_power(t, power), np.linalg.matrix_power(x, power), atol=ATOL)
    agree(xp.linalg.solve(t, t[..., :1]), np.linalg.solve(x, x[..., :1]), atol=ATOL)
    b = x[..., 0].reshape(-1, x.shape[-1])[0]
    agree(xp.linalg.solve(t, xp.asarray(b)), np.linalg.solve(x, b), atol=ATOL)
    agree(xp.linalg.matrix_rank(t), np.asarray(np.linalg.matrix_rank(x)))
    values, vectors = xp.linalg.eig(t)
    np.testing.assert_allclose(x @ vectors.numpy(), vectors.numpy() * values.numpy()[..., None, :], atol=1e-10)
    np.testing.assert_allclose(
        np.sort_complex(xp.linalg.eigvals(t).numpy()), np.sort_complex(values.numpy()), atol=1e-8
    )


@few(25)
@given(x=regular())
def test_hermitian_matrices(x):
    x = x + np.conj(np.swapaxes(x, -1, -2))
    t = xp.asarray(x)
    values, vectors = xp.linalg.eigh(t)
    agree(values, np.linalg.eigvalsh(x), atol=ATOL)
    agree(xp.linalg.eigvalsh(t), np.linalg.eigvalsh(x), atol=ATOL)
    np.testing.assert_allclose(x @ vectors.numpy(), vectors.numpy() * values.numpy()[..., None, :], atol=1e-10)
    x = x @ np.conj(np.swapaxes(x, -1, -2)) + np.eye(x.shape[-1])
    agree(xp.linalg.cholesky(xp.asarray(x)), np.linalg.cholesky(x), atol=ATOL)
    agree(xp.linalg.cholesky(xp.asarray(x), upper=True), np.linalg.cholesky(x, upper=True), atol=ATOL)


@few(25)
@given(x=arrays(FLOATS, shapes(min_dims=2, min_side=1)), full=st.booleans())
def test_factorizations(x, full):
    t = xp.asarray(x)
    q, r = xp.linalg.qr(t, mode="complete" if full else "reduced")
    assert tuple(q.shape) == np.linalg.qr(x, mode="complete" if full else "reduced").Q.shape
    np.testing.assert_allclose(q.numpy() @ r.numpy(), x, atol=1e-10)
    u, s, vh = xp.linalg.svd(t, full_matrices=full)
    assert tuple(u.shape) == np.linalg.svd(x, full_matrices=full).U.shape
    k = s.shape[-1]
    np.testing.assert_allclose((u.numpy()[..., :k] * s.numpy()[..., None, :]) @ vh.numpy()[..., :k, :], x, atol=1e-10)
    agree(s, np.linalg.svdvals(x), atol=ATOL)
    agree(xp.linalg.svdvals(t), np.linalg.svdvals(x), atol=ATOL)


@few(25)
@given(data=st.data(), keepdims=st.booleans())
def test_norms(data, keepdims):
    x = data.draw(arrays(FLOATS, shapes(min_dims=2, min_side=1)))
    t = xp.asarray(x)
    for order in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
        want = np.linalg.matrix_norm(x, ord=order, keepdims=keepdims)
        agree(xp.linalg.matrix_norm(t, ord=order, keepdims=keepdims), want, atol=ATOL)
    axis = data.draw(st.sampled_from([None, 0, -1, (0, 1)]))
    for order in (1, 2, 3, 0, np.inf, -np.inf):
        want = np.asarray(oracle.linalg.vector_norm(x, axis=axis, ord=order, keepdims=keepdims))
        want = want.astype(np.float64)  # for ord=0 NumPy returns a count of complex numbers as an integer
        agree(xp.linalg.vector_norm(t, axis=axis, ord=order, keepdims=keepdims), want, atol=ATOL)


COMPLEX_TRANSFORMS = ("fft", "ifft", "hfft", "irfft")


@pytest.mark.parametrize("name", [*COMPLEX_TRANSFORMS, "rfft", "ihfft"])
@few(15)
@given(data=st.data(), norm=st.sampled_from(["backward", "ortho", "forward"]))
def test_transforms(name, data, norm):
    kinds = KINDS["floating"] if name in COMPLEX_TRANSFORMS else KINDS["real floating"]
    x = data.draw(arrays(kinds, shapes(min_dims=1, min_side=2)))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    n = data.draw(st.none() | st.integers(1, 6))
    want = getattr(oracle.fft, name)(x, n=n, axis=axis, norm=norm)
    agree(getattr(xp.fft, name)(xp.asarray(x), n=n, axis=axis, norm=norm), want, atol=50)


@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn"])
@few(15)
@given(data=st.data(), norm=st.sampled_from(["backward", "ortho", "forward"]))
def test_transforms_of_several_axes(name, data, norm):
    kinds = ("float64",) if name == "rfftn" else ("complex128",)
    x = data.draw(arrays(kinds, shapes(min_dims=2, min_side=2)))
    axes = data.draw(st.sampled_from([(0, 1), (1, 0), (-1,)]))
    s = data.draw(st.none() | st.lists(st.integers(1, 5), min_size=len(axes), max_size=len(axes)))
    want = getattr(oracle.fft, name)(x, s=s, axes=axes, norm=norm)
    agree(getattr(xp.fft, name)(xp.asarray(x), s=s, axes=axes, norm=norm), want, atol=500)
    agree(getattr(xp.fft, name)(xp.asarray(x), norm=norm), getattr(oracle.fft, name)(x, norm=norm), atol=500)


@few(15)
@given(n=st.integers(1, 9), x=arrays(("float64",), shapes(min_dims=1)))
def test_frequencies_and_shifts(n, x):
    agree(xp.fft.fftfreq(n, d=0.5, dtype=xp.float64), np.fft.fftfreq(n, d=0.5))
    agree(xp.fft.rfftfreq(n, d=0.5, dtype=xp.float64), np.fft.rfftfreq(n, d=0.5))
    agree(xp.fft.fftshift(xp.asarray(x)), np.fft.fftshift(x))
    agree(xp.fft.ifftshift(xp.asarray(x), axes=-1), np.fft.ifftshift(x, axes=-1))
