"""Bounds on gradients: `ClipGrad` and `ClipNorm`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from luxport.backend import Array, dtype_name, namespace
from luxport.backend.dtypes import widen_halves
from luxport.ops._operation import operation
from luxport.optimizers._construction import explains_itself
from luxport.optimizers._rule_arithmetic import check_real, in_dtype_of
from luxport.optimizers._scaled_norm import LARGE, ScaledNorm, compute_euclidean

__all__ = ["ClipGrad", "ClipNorm", "finite_norm", "norm"]


@explains_itself
@dataclass(frozen=True)
class ClipGrad:
    """Pass on the gradient with each number clipped to ``[-delta, delta]``.

    For use in a chain: ``OptimizerChain(ClipGrad(1.0), Adam())``.

    Args:
        delta: the largest absolute value

    State: none
    Raises: ValueError if the parameters are complex
    Source: Optimisers.jl ``ClipGrad``
    """

    delta: float = 10.0

    def init(self, x: Array) -> None:
        """Keep nothing."""
        check_real(self, x)

    def apply(self, state: None, x: Array, dx: Array) -> tuple[None, Array]:
        """Clip."""
        xp = namespace(x)
        bound = xp.zeros_like(dx) + in_dtype_of(x, self.delta)
        return state, xp.minimum(xp.maximum(dx, -bound), bound)


@explains_itself
@dataclass(frozen=True)
class ClipNorm:
    """Pass on the gradient, scaled down to a p-norm of omega if its norm is larger.

    The norm is taken of each array alone, not of the whole tree as by PyTorch's ``clip_grad_norm_`` and Optax's
    ``clip_by_global_norm``; for those see `ClipGlobalNorm`. (A flat vector of parameters is one array.) Norms in half
    precision are computed in float32. If a norm that is not finite raises no error, infinite gradients become NaN, and
    a NaN makes the whole array NaN.

    Args:
        omega: the largest norm
        p: which norm: 2 for the Euclidean one, 1, ``math.inf`` or any other number
        throw: whether a norm that is not finite raises an error, which a compiled program cannot do

    State: none
    Raises: ValueError if the norm is infinite or NaN
    Source: Optimisers.jl ``ClipNorm``
    """

    omega: float = 10.0
    p: float = field(default=2.0, metadata={"static": True})
    throw: bool = True

    def init(self, x: Array) -> None:
        """Keep nothing."""

    def apply(self, state: None, x: Array, dx: Array) -> tuple[None, Array]:
        """Scale."""
        xp = namespace(x)
        wide = widen_halves(xp, dx)
        unit = _find_unit(xp, wide)
        near = wide * xp.astype(unit, wide.dtype)
        size = norm(near, self.p)
        if self.throw:
            size = finite_norm(size, p=self.p, shape=tuple(dx.shape))
        scaled = ScaledNorm(size, unit)
        clipped = near * xp.astype(scaled.factor(self.omega), wide.dtype)
        return state, xp.astype(xp.where(scaled.is_within(self.omega), wide, clipped), dx.dtype)


def _find_unit(xp: Any, x: Array) -> Array:
    """Return the power of 2 to multiply by, below 1 where numbers are so large that their norm might overflow."""
    size = xp.abs(x)
    largest = xp.max(size) if math.prod(size.shape) else xp.zeros((), dtype=size.dtype)
    bound = 2.0**500 if dtype_name(size) == "float64" else LARGE
    return xp.where(largest > bound, xp.ones_like(largest) / bound, xp.ones_like(largest))


def norm(x: Array, p: float) -> Array:
    """Return ``sum(|x|^p)^(1 / p)`` over all of x; for p = 0 the count of numbers other than 0.

    The result is right also where the powers would overflow or vanish.

    >>> import numpy as np
    >>> norm(np.array([3.0, 4.0]), 2).item(), norm(np.array([3.0, 4.0]), np.inf).item()
    (5.0, 4.0)
    """
    xp = namespace(x)
    size = xp.abs(x)
    size = widen_halves(xp, size)
    if math.isinf(p):
        return xp.max(size) if p > 0 else xp.min(size)
    if p == 0:
        return xp.sum(xp.astype(size != 0, size.dtype))
    if p == 1:
        return xp.sum(size)
    largest = xp.max(size) if math.prod(size.shape) else xp.zeros((), dtype=size.dtype)
    if p == 2 and math.prod(size.shape):
        root, unit = compute_euclidean([size])
        return root / unit
    plain = xp.sum(size**p) ** (1.0 / p)
    # Powers of numbers divided by the largest do not overflow, and at least one does not vanish.
    unit = xp.where(xp.logical_and(largest > 0, xp.isfinite(largest)), largest, xp.ones_like(largest))
    scaled = unit * xp.sum((size / unit) ** p) ** (1.0 / p)
    return xp.where(xp.logical_and(xp.isfinite(plain), plain > 0), plain, scaled)


@operation
def finite_norm(size: Array, *, p: float, shape: tuple[Any, ...]) -> Array:
    """Return a norm unless it is not finite; a backend skips the check while it compiles.

    Raises: ValueError if it is infinite or NaN
    """
    value = float(size)
    if not math.isfinite(value):
        raise ValueError(f"ClipNorm expects a gradient with a finite {p:g}-norm, got {value} for one of shape {shape}")
    return size
