"""Sums on the host with the same bits on every machine.

Libraries add in an order that depends on the processor, and so do the last bits of their sums. Here the order is fixed,
since whole arrays are added elementwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["make_orthonormal_rows", "sum_rows"]


def sum_rows(a: Any) -> Any:
    """Sum along the last axis, by adding its two halves until one entry is left.

    >>> sum_rows(np.arange(10.0).reshape(2, 5))
    array([10., 35.])
    """
    if a.shape[-1] == 0:
        return np.zeros(a.shape[:-1], a.dtype)
    while (n := a.shape[-1]) > 1:
        half = n // 2
        odd = a[..., 2 * half :]
        a = a[..., :half] + a[..., half : 2 * half]
        a[..., : n % 2] += odd
    return a[..., 0]


def make_orthonormal_rows(a: Any) -> Any:
    """Orthonormalize the rows of a matrix, which has at least as many columns, by the Gram-Schmidt process in blocks.

    Each block is orthogonalized twice, against rounding errors. If the entries are normally distributed, the result is
    uniformly distributed (Haar measure), like the Q of a QR decomposition whose R has a positive diagonal.
    """
    rows = np.array(a, np.float64)
    for start in range(0, len(rows), _BLOCK):
        done, block = rows[:start], rows[start : start + _BLOCK]
        block /= np.sqrt(sum_rows(block * block))[:, None]
        for _ in range(2):
            block -= _multiply(_multiply(block, done.T), done)
            _orthonormalize(block)
    return rows


_BLOCK = 32


def _orthonormalize(rows: Any) -> None:
    for i, row in enumerate(rows):
        row /= np.sqrt(sum_rows(row * row))
        below = rows[i + 1 :]
        below -= sum_rows(below * row)[:, None] * row


def _multiply(a: Any, b: Any) -> Any:
    """Multiply matrices of numbers up to 1, rounded to 40 bits after the point, with the library's product.

    Each number is split into two of 20 bits. The sums of their products are exact in float64, so that the library's
    order of additions makes no difference.
    """
    (a1, a2), (b1, b2) = _split(a), _split(b)
    return a1 @ b1 + (a1 @ b2 + a2 @ b1)


def _split(x: Any) -> tuple[Any, Any]:
    first = np.rint(x * 2.0**20) * 2.0**-20
    return first, np.rint((x - first) * 2.0**40) * 2.0**-40
