"""The linear algebra extension. float16 and bfloat16 are computed in float32 and cast back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from ._arithmetic import abs as _abs
from ._arrays import (
    Array,
    R,
    Tensor,
    cast,
    make_constant,
    make_tensor,
    normalize_axis,
    promote,
    rank,
    read_sizes,
    widen_halves,
)
from ._creation import eye, full
from ._dtypes import COMPLEX_OF, FLOATING, HALF, NUMERIC, finfo, is_floating
from ._float_parts import conj, real
from ._manipulation import broadcast_arrays, broadcast_shapes, broadcast_to, matrix_transpose
from ._products import matmul, tensordot, vecdot
from ._statistical import count_nonzero
from ._statistical import max as _max
from ._statistical import min as _min
from ._statistical import sum as _sum

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "matmul", "matrix_norm",
    "matrix_power", "matrix_rank", "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals",
    "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip

_FLOATING, _HALF, _NUMERIC = map(frozenset, (FLOATING, HALF, NUMERIC))


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: tf.Tensor
    eigenvectors: tf.Tensor


class EigResult(NamedTuple):
    """What `eig` returns."""

    eigenvalues: tf.Tensor
    eigenvectors: tf.Tensor


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: tf.Tensor
    R: tf.Tensor


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: tf.Tensor
    logabsdet: tf.Tensor


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: tf.Tensor
    S: tf.Tensor
    Vh: tf.Tensor


def _check_matrices(name: str, x, square: bool = False):
    """Check matrices; return them in a type that has kernels, and the type that results have."""
    x = make_tensor(x)
    dtype = x.dtype
    if dtype not in _FLOATING:
        raise TypeError(f"{name} wants floating-point matrices, got {dtype.name}; convert with astype")
    if rank(x) < 2:
        raise ValueError(f"{name} wants at least two axes, got shape {tuple(x.shape)}")
    rows, columns = x.shape[-2], x.shape[-1]
    if square and rows is not None and columns is not None and rows != columns:
        raise ValueError(f"{name} wants square matrices, got shape {tuple(x.shape)}")
    return widen_halves(x), dtype


def _take_adjoint(x):
    return matrix_transpose(conj(x))


def cholesky(x: Array, /, *, upper: bool = False) -> tf.Tensor:
    """Return the triangular factor of Hermitian positive-definite matrices: lower, or upper if asked."""
    x, dtype = _check_matrices("cholesky", x, square=True)
    factor = cast(R.Cholesky(input=x), dtype)
    return _take_adjoint(factor) if upper else factor


def cross(x1: Array, x2: Array, /, *, axis: int = -1) -> tf.Tensor:
    """Return the cross product of vectors of 3 along ``axis``."""
    x1, x2, dtype = promote(make_tensor(x1), make_tensor(x2))
    if dtype not in _NUMERIC:
        raise TypeError(f"cross takes numbers, got {dtype.name}")
    least = min(rank(x1), rank(x2))
    place = normalize_axis(axis, least) - least if axis < 0 else normalize_axis(axis, least)
    if x1.shape[place] != 3 or x2.shape[place] != 3:
        raise ValueError(f"cross wants axis {axis} of size 3, got shapes {tuple(x1.shape)} and {tuple(x2.shape)}")
    both = list(broadcast_arrays(x1, x2))
    place = normalize_axis(place, rank(both[0]))
    a, b = (tf.unstack(x, num=3, axis=place) for x in both)
    return R.Pack(values=[a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)], axis=place)


def det(x: Array, /) -> tf.Tensor:
    """Return the determinants of square matrices."""
    x, dtype = _check_matrices("det", x, square=True)
    return cast(R.MatrixDeterminant(input=x), dtype)


def diagonal(x: Array, /, *, offset: int = 0) -> tf.Tensor:
    """Return the diagonals of matrices: above the main one for a positive ``offset``, below for a negative."""
    x = make_tensor(x)
    if rank(x) < 2:
        raise ValueError(f"diagonal wants at least two axes, got shape {tuple(x.shape)}")
    rows, columns = x.shape[-2], x.shape[-1]
    if rows is not None and columns is not None and (offset >= columns or -offset >= rows):
        return full((*read_sizes(x)[:-2], 0), False if x.dtype is tf.bool else 0, dtype=x.dtype)
    return R.MatrixDiagPartV3(input=x, k=offset, padding_value=make_constant(0, x.dtype))


def eig(x: Array, /) -> EigResult:
    """Return the eigenvalues and eigenvectors of square matrices, complex always."""
    x, _ = _check_matrices("eig", x, square=True)
    values, vectors = R.Eig(input=x, Tout=COMPLEX_OF.get(x.dtype, x.dtype))
    return EigResult(values, vectors)


def eigvals(x: Array, /) -> tf.Tensor:
    """Return the eigenvalues of square matrices, complex always."""
    x, _ = _check_matrices("eigvals", x, square=True)
    return R.Eig(input=x, Tout=COMPLEX_OF.get(x.dtype, x.dtype), compute_v=False)[0]


def eigh(x: Array, /) -> EighResult:
    """Return the eigenvalues, ascending, and eigenvectors of Hermitian matrices."""
    x, dtype = _check_matrices("eigh", x, square=True)
    values, vectors = R.SelfAdjointEigV2(input=x)
    return EighResult(real(cast(values, dtype)), cast(vectors, dtype))


def eigvalsh(x: Array, /) -> tf.Tensor:
    """Return the eigenvalues of Hermitian matrices, ascending."""
    x, dtype = _check_matrices("eigvalsh", x, square=True)
    return real(cast(R.SelfAdjointEigV2(input=x, compute_v=False)[0], dtype))


def inv(x: Array, /) -> tf.Tensor:
    """Return the inverses of square matrices."""
    x, dtype = _check_matrices("inv", x, square=True)
    return cast(R.MatrixInverse(input=x), dtype)


def matrix_norm(x: Array, /, *, keepdims: bool = False, ord: float | str = "fro") -> tf.Tensor:
    """Return the norms of matrices: 'fro', 'nuc', 1, -1, 2, -2, inf or -inf."""
    x, dtype = _check_matrices("matrix_norm", x)
    if ord == "fro":
        norm = R.Sqrt(x=_sum(real(x * conj(x)), axis=(-2, -1), keepdims=keepdims))
    elif ord in ("nuc", 2, -2):
        reduce: Callable = _sum if ord == "nuc" else _max if ord == 2 else _min
        norm = reduce(svdvals(x), axis=-1)
        norm = norm[..., None, None] if keepdims else norm
    elif ord in (1, -1, math.inf, -math.inf):
        within, across = (-2, -1) if ord in (1, -1) else (-1, -2)
        norm = (_max if ord > 0 else _min)(_sum(_abs(x), axis=within, keepdims=True), axis=across, keepdims=True)
        norm = norm if keepdims else R.Squeeze(input=norm, axis=[-2, -1])
    else:
        raise ValueError(f"ord must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf; got {ord!r}")
    return cast(norm, dtype) if dtype in _HALF else norm


def matrix_power(x: Array, n: int, /) -> tf.Tensor:
    """Raise square matrices to a whole power; negative powers are those of the inverse."""
    x = make_tensor(x)
    x, dtype = _check_matrices("matrix_power", x, square=True)
    if n < 0:
        x, n = R.MatrixInverse(input=x), -n
    result = None
    while n:
        if n % 2:
            result = x if result is None else matmul(result, x)
        n //= 2
        x = matmul(x, x) if n else x
    if result is None:
        result = broadcast_to(eye(read_sizes(x)[-1], dtype=x.dtype), read_sizes(x))
    return cast(result, dtype)


def _find_threshold(x, singular, rtol):
    if rtol is None:
        rtol = cast(tf.reduce_max(tf.shape(x)[-2:]), singular.dtype) * finfo(singular.dtype).eps
    rtol = cast(rtol, singular.dtype) if isinstance(rtol, Tensor) else tf.constant(rtol, singular.dtype)
    return R.ExpandDims(input=rtol, axis=-1) * _max(singular, axis=-1, keepdims=True)


def matrix_rank(x: Array, /, *, rtol: float | Array | None = None) -> tf.Tensor:
    """Return how many singular values exceed the largest times ``rtol`` (by default the larger size times eps)."""
    x, _ = _check_matrices("matrix_rank", x)
    singular = svdvals(x)
    if 0 in (x.shape[-2], x.shape[-1]):
        return count_nonzero(singular, axis=-1)
    return count_nonzero(singular > _find_threshold(x, singular, rtol), axis=-1)


def outer(x1: Array, x2: Array, /) -> tf.Tensor:
    """Return the products of every element of one vector with every element of the other."""
    x1, x2, dtype = promote(make_tensor(x1), make_tensor(x2))
    if rank(x1) != 1 or rank(x2) != 1 or dtype not in _NUMERIC:
        raise ValueError(f"outer wants two vectors of numbers, got shapes {tuple(x1.shape)} and {tuple(x2.shape)}")
    return R.Mul(x=x1[:, None], y=x2[None, :])


def pinv(x: Array, /, *, rtol: float | Array | None = None) -> tf.Tensor:
    """Return the pseudo-inverses of matrices; singular values up to the largest times ``rtol`` count as zero."""
    x, dtype = _check_matrices("pinv", x)
    if 0 in (x.shape[-2], x.shape[-1]):
        return cast(matrix_transpose(x), dtype)
    u, singular, vh = svd(x, full_matrices=False)
    kept = singular > _find_threshold(x, singular, rtol)
    ones = R.OnesLike(x=singular)
    inverse = tf.where(kept, ones / tf.where(kept, singular, ones), R.ZerosLike(x=singular))
    return cast(
        matmul(_take_adjoint(vh) * R.ExpandDims(input=cast(inverse, x.dtype), axis=-2), _take_adjoint(u)), dtype
    )


def qr(x: Array, /, *, mode: str = "reduced") -> QRResult:
    """Return the orthonormal and the upper triangular factor of matrices."""
    if mode not in ("reduced", "complete"):
        raise ValueError(f"mode must be 'reduced' or 'complete', got {mode!r}")
    x, dtype = _check_matrices("qr", x)
    q, r = R.Qr(input=x, full_matrices=mode == "complete")
    return QRResult(cast(q, dtype), cast(r, dtype))


def slogdet(x: Array, /) -> SlogdetResult:
    """Return the sign and the logarithm of the magnitude of determinants."""
    x, dtype = _check_matrices("slogdet", x, square=True)
    sign, logabsdet = R.LogMatrixDeterminant(input=x)
    return SlogdetResult(cast(sign, dtype), real(cast(logabsdet, dtype)))


def solve(x1: Array, x2: Array, /) -> tf.Tensor:
    """Return ``x`` with ``x1 @ x = x2``; ``x2`` is one vector if it has one axis, else matrices."""
    x1, x2, dtype = promote(make_tensor(x1), make_tensor(x2))
    x1, _ = _check_matrices("solve", x1, square=True)
    x2 = cast(x2, x1.dtype)
    right = x2[:, None] if rank(x2) == 1 else x2
    if rank(right) < 2 or None not in (x1.shape[-1], right.shape[-2]) and x1.shape[-1] != right.shape[-2]:
        raise ValueError(f"solve of shapes {tuple(x1.shape)} and {tuple(x2.shape)}: the sizes do not fit")
    if rank(x1) > 2 or rank(right) > 2:
        batch = broadcast_shapes(tuple(x1.shape[:-2]), tuple(right.shape[:-2]))
        if tuple(x1.shape[:-2]) != batch or tuple(right.shape[:-2]) != batch:
            x1 = broadcast_to(x1, (*batch, *read_sizes(x1)[-2:]))
            right = broadcast_to(right, (*batch, *read_sizes(right)[-2:]))
    result = R.MatrixSolve(matrix=x1, rhs=right)
    return cast(result[..., 0] if rank(x2) == 1 else result, dtype)


def svd(x: Array, /, *, full_matrices: bool = True) -> SVDResult:
    """Return the factors of ``U * S @ Vh``, the singular values S descending."""
    x, dtype = _check_matrices("svd", x)
    singular, u, v = R.Svd(input=x, full_matrices=full_matrices)
    return SVDResult(cast(u, dtype), real(cast(singular, dtype)), cast(_take_adjoint(v), dtype))


def svdvals(x: Array, /) -> tf.Tensor:
    """Return the singular values of matrices, descending."""
    x, dtype = _check_matrices("svdvals", x)
    return real(cast(R.Svd(input=x, compute_uv=False)[0], dtype))


def trace(x: Array, /, *, offset: int = 0, dtype: tf.DType | None = None) -> tf.Tensor:
    """Return the sums of the diagonals of matrices."""
    return _sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def vector_norm(
    x: Array, /, *, axis: int | Sequence[int] | None = None, keepdims: bool = False, ord: float = 2
) -> tf.Tensor:
    """Return the norms of vectors along ``axis`` (several axes, or None for all, count as one)."""
    x = make_tensor(x)
    if not is_floating(x.dtype):
        raise TypeError(f"vector_norm wants floating-point numbers, got {x.dtype.name}; convert with astype")
    dtype = x.dtype
    magnitude = _abs(widen_halves(x))
    if ord == math.inf:
        norm = _max(magnitude, axis=axis, keepdims=keepdims)
    elif ord == -math.inf:
        norm = _min(magnitude, axis=axis, keepdims=keepdims)
    elif ord == 0:
        norm = cast(count_nonzero(magnitude, axis=axis, keepdims=keepdims), magnitude.dtype)
    elif ord == 1:
        norm = _sum(magnitude, axis=axis, keepdims=keepdims)
    elif ord == 2:
        norm = R.Sqrt(x=_sum(R.Square(x=magnitude), axis=axis, keepdims=keepdims))
    else:
        norm = _sum(magnitude**ord, axis=axis, keepdims=keepdims) ** (1 / ord)
    return cast(norm, dtype) if dtype in _HALF else norm
