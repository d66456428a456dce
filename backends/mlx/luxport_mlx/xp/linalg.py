"""Linear algebra. MLX has factorizations on the CPU alone: they run there, whatever the default device is."""

from __future__ import annotations

import builtins
from functools import partial
from typing import Any

import mlx.core as mx

from ._manipulation import matmul as matmul
from ._manipulation import matrix_transpose as matrix_transpose
from ._manipulation import tensordot as tensordot
from ._manipulation import vecdot as vecdot

cross = mx.linalg.cross
outer = mx.outer
det, eigh, eigvalsh, inv, pinv, qr, solve = [
    partial(function, stream=mx.cpu)
    for function in (
        *(mx.linalg.det, mx.linalg.eigh, mx.linalg.eigvalsh, mx.linalg.inv, mx.linalg.pinv, mx.linalg.qr),
        mx.linalg.solve,
    )
]


def cholesky(x: mx.array, /, *, upper: builtins.bool = False) -> mx.array:
    """Return the triangular factor of a positive definite matrix."""
    return mx.linalg.cholesky(x, upper, stream=mx.cpu)


def diagonal(x: mx.array, /, *, offset: int = 0) -> mx.array:
    """Return the diagonal."""
    return mx.diagonal(x, offset, -2, -1)


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
