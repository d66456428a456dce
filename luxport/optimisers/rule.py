"""What a rule is, and the arithmetic that all rules share."""

from __future__ import annotations

import math
from typing import Any, Protocol

from luxport.backend import Array, dtype_name, namespace
from luxport.tree import Tree

__all__ = ["Rule", "abs2", "check_eta", "in_dtype_of", "round_ahead"]


class Rule(Protocol):
    """A hashable value, best a frozen dataclass of hyper-parameters, that optimises one array.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from luxport import optimisers
    >>> @dataclass(frozen=True)
    ... class SignDescent:
    ...     eta: float = 0.1
    ...     def init(self, x):
    ...         return None
    ...     def apply(self, state, x, dx):
    ...         return state, in_dtype_of(x, self.eta) * namespace(x).sign(dx)
    >>> ps = {"weight": np.ones(2)}
    >>> state = optimisers.setup(SignDescent(0.5), ps)
    >>> optimisers.update(state, ps, {"weight": np.array([3.0, -4.0])})[1]
    {'weight': array([0.5, 1.5])}
    """

    def init(self, x: Array) -> Tree:
        """Make the state for an array: a tree of arrays, or None."""
        ...

    def apply(self, state: Tree, x: Array, dx: Array) -> tuple[Tree, Array | None]:
        """Return the next state and the step to subtract from x, or None for no step; dx has the dtype of x."""
        ...


def in_dtype_of(x: Array, value: float) -> float:
    """Round a hyper-parameter to the precision of x, so that arithmetic such as ``1 - beta`` starts from there.

    >>> import numpy as np
    >>> in_dtype_of(np.ones(1, np.float32), 0.9)
    0.8999999761581421
    """
    key = (dtype_name(x), value)
    known = _ROUNDED.get(key)
    if known is None:
        finfo = namespace(x).finfo(x.dtype)
        known = _ROUNDED[key] = _round(value, float(finfo.eps), float(finfo.smallest_normal))
    return known


def round_ahead(x: Array, *values: float) -> None:
    """Round hyper-parameters early: `torch.compile` compiles again if it sees the table of them grow."""
    for value in values:
        in_dtype_of(x, value)


def abs2(x: Array) -> Array:
    """Return ``|x|²`` in the dtype of x."""
    if "complex" not in dtype_name(x):
        return x * x
    xp = namespace(x)
    real, imaginary = xp.real(x), xp.imag(x)
    return xp.astype(real * real + imaginary * imaginary, x.dtype)


def check_eta(rule: Any) -> None:
    """Expect a learning rate that is not negative."""
    if rule.eta < 0:
        raise ValueError(f"{type(rule).__name__} expects a learning rate eta >= 0, got {rule.eta}")


_ROUNDED: dict[tuple[str, float], float] = {}


def _round(value: float, eps: float, smallest_normal: float) -> float:
    """Round to the nearest multiple of the spacing of floats at value, ties to even; below the normal ones too."""
    spacing = eps * 2.0 ** (math.frexp(value)[1] - 1)
    spacing = max(spacing, eps * smallest_normal)
    return round(value / spacing) * spacing
