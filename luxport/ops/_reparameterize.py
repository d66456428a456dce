"""Reparameterized weights: `weight_norm` and `spectral_norm`."""

from __future__ import annotations

from typing import Any

from luxport.backend import Array, match_shapes, namespace
from luxport.backend.dtypes import expect_floating, widen_halves
from luxport.backend.option_rules import AXIS, allow_count
from luxport.errors import LayerError, shape_text
from luxport.ops._operation import operation
from luxport.ops.scaling import sum_squares
from luxport.ops.shapes import can_broadcast_to
from luxport.transforms._stop_gradient import stop_gradient

__all__ = ["MOST_ITERATIONS", "spectral_norm", "weight_norm"]

MOST_ITERATIONS = 1000
"""Far more than the one or two that are usual: more are taken for a mistake."""


def _expect_sizes(direction: Array, size: Array) -> None:
    if len(size.shape) != len(direction.shape) or not can_broadcast_to(size.shape, direction.shape):
        raise LayerError(
            f"expects a size of as many axes as the direction {shape_text(direction)}, each as long or 1, "
            f"got {shape_text(size)}"
        )
    if None in tuple(size.shape):  # whether the norm is taken along an axis depends on whether its size is 1
        raise LayerError(
            f"expects a size whose axes are known when a program is compiled, got {shape_text(size)}: "
            "compile for a known shape"
        )


@operation(takes="direction floating, size floating", check=_expect_sizes)
def weight_norm(direction: Array, size: Array) -> Array:
    """Return ``size direction / norm(direction)``, with the norm over all axes along which `size` has one element.

    If the direction is zero, so is the result.

    Shapes: direction (...), size of as many axes, each as long or 1 -> like direction
    Source: T. Salimans, D. Kingma, "Weight normalization" (2016)

    >>> import numpy as np
    >>> weight_norm(np.array([[3.0, 1.0], [4.0, 0.0]]), np.array([[10.0, 7.0]]))
    array([[6., 7.],
           [8., 0.]])
    """
    xp = namespace(direction, size)
    expect_floating(direction, "direction")
    expect_floating(size, "size")
    _expect_sizes(direction, size)  # otherwise they might broadcast
    wide = widen_halves(xp, direction)
    axes = tuple(axis for axis, n in enumerate(size.shape) if n == 1)
    if not axes:
        return xp.astype(xp.sign(wide) * xp.astype(size, wide.dtype), direction.dtype)
    scaled, square, _ = sum_squares(xp, wide, axes)
    return xp.astype(scaled * (xp.astype(size, wide.dtype) / _take_root_or_one(xp, square)), direction.dtype)


def _expect_vector(weight: Array, u: Array, *, axis: int, **options: Any) -> None:
    if not match_shapes(u.shape, (weight.shape[axis],)):
        raise LayerError(f"expects u ({weight.shape[axis]},) for the axis {axis} of the weight, got {shape_text(u)}")


@operation(
    takes="weight floating, u floating (n)",
    rules={"axis": AXIS, "iterations": allow_count(0)},
    check=_expect_vector,
)
def spectral_norm(weight: Array, u: Array, *, axis: int, iterations: int) -> tuple[Array, Array]:
    """Divide a weight by an estimate of its largest singular value; return it, and the estimated left singular vector.

    The weight is reshaped to a matrix W. Each step of power iteration replaces u by W Wᵀu, normalized; the estimate of
    the singular value is ``norm(Wᵀu)``. Gradients do not flow through u. A weight of zeros is returned unchanged.

    Args:
        axis: the axis of the matrix's rows
        iterations: how many steps of power iteration are taken

    Shapes: weight (...), u (n,) with n the size along the axis -> like weight, (n,)
    Source: T. Miyato et al., "Spectral normalization for generative adversarial networks" (2018)
    """
    if iterations > MOST_ITERATIONS:
        raise LayerError(f"expects at most {MOST_ITERATIONS} iterations, got {iterations}", culprit="luxport")
    xp = namespace(weight, u)
    expect_floating(weight, "weight")
    expect_floating(u, "u")
    wide = widen_halves(xp, weight)
    rest = [i for i in range(len(weight.shape)) if i != axis % len(weight.shape)]
    matrix = xp.reshape(xp.permute_dims(wide, (axis % len(weight.shape), *rest)), (weight.shape[axis], -1))
    fixed = stop_gradient(matrix)
    vector = _normalize_vector(xp, stop_gradient(xp.astype(u, wide.dtype)))
    for _ in range(iterations):
        right = _normalize_vector(xp, xp.matmul(xp.matrix_transpose(fixed), vector))
        vector = _normalize_vector(xp, xp.matmul(fixed, right))
    image = xp.matmul(xp.matrix_transpose(matrix), vector)
    _, square, size = sum_squares(xp, image, None)
    scaled = (wide if size is None else wide / size[0]) / _take_root_or_one(xp, square[0])
    return xp.astype(scaled, weight.dtype), xp.astype(vector, u.dtype)


def _normalize_vector(xp: Any, x: Array) -> Array:
    x, square, _ = sum_squares(xp, x, None)
    return x / _take_root_or_one(xp, square)


def _take_root_or_one(xp: Any, square: Array) -> Array:
    # The derivative of the root at 0 is infinite, and times 0 would be NaN: there the root of 1 is taken.
    return xp.sqrt(xp.where(square > 0, square, xp.ones_like(square)))
