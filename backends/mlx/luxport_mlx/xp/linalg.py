"""Linear algebra. MLX has factorizations on the CPU alone: they run there, whatever the default device is."""

from __future__ import annotations

import builtins
from typing import Any

import mlx.core as mx

from ._manipulation import matmul as matmul
from ._manipulation import matrix_transpose as matrix_transpose
from ._manipulation import tensordot as tensordot
from ._manipulation import vecdot as vecdot

cross = mx.linalg.cross
outer = mx.outer


def cholesky(x: mx.array, /, *, upper: builtins.bool = False) -> mx.array:
    """Return the triangular factor of a positive definite matrix."""
    return mx.linalg.cholesky(x, upper, stream=mx.cpu)


def det(x: mx.array, /) -> mx.array:
    """Return the determinant."""
    return mx.linalg.det(x, stream=mx.cpu)


def diagonal(x: mx.array, /, *, offset: int = 0) -> mx.array:
    """Return the diagonal."""
    return mx.diagonal(x, offset, -2, -1)


def eigh(x: mx.array, /) -> Any:
    """Return the eigenvalues and eigenvectors of a symmetric matrix."""
    return mx.linalg.eigh(x, stream=mx.cpu)


def eigvalsh(x: mx.array, /) -> mx.array:
    """Return the eigenvalues of a symmetric matrix."""
    return mx.linalg.eigvalsh(x, stream=mx.cpu)


def inv(x: mx.array, /) -> mx.array:
    """Return the inverse."""
    return mx.linalg.inv(x, stream=mx.cpu)


def pinv(x: mx.array, /) -> mx.array:
    """Return the pseudo-inverse."""
    return mx.linalg.pinv(x, stream=mx.cpu)


def qr(x: mx.array, /) -> Any:
    """Return the orthogonal and the triangular factor."""
    return mx.linalg.qr(x, stream=mx.cpu)


def solve(x1: mx.array, x2: mx.array, /) -> mx.array:
    """Return x with ``x1 @ x = x2``."""
    return mx.linalg.solve(x1, x2, stream=mx.cpu)


def svd(x: mx.array, /, *, full_matrices: builtins.bool = True) -> Any:
    """Return the singular value decomposition U, S, Vh."""
    u, s, vh = mx.linalg.svd(x, stream=mx.cpu)  # type: ignore[misc]
    k = s.shape[-1]
    return (u, s, vh) if full_matrices else (u[..., :k], s, vh[..., :k, :])


def svdvals(x: mx.array, /) -> mx.array:
    """Return the singular values."""
    return mx.linalg.svd(x, compute_uv=False, stream=mx.cpu)  # type: ignore[return-value]


def trace(x: mx.array, /, *, offset: int = 0, dtype: Any = None) -> mx.array:
    """Return the sum of the diagonal."""
    y = diagonal(x, offset=offset)
    return mx.sum(y if dtype is None else y.astype(dtype), -1)


def vector_norm(x: mx.array, /, *, axis: Any = None, keepdims: builtins.bool = False, ord: float = 2) -> mx.array:
    """Return the norm of vectors."""
    size = mx.abs(x)
    if ord == mx.inf:
        return mx.max(size, axis, keepdims)
    if ord == -mx.inf:
        return mx.min(size, axis, keepdims)
    if ord == 0:
        return mx.sum((size != 0).astype(size.dtype), axis, keepdims)
    return mx.sum(size**ord, axis, keepdims) ** (1 / ord)
