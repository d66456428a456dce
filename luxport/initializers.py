"""Initialisers: functions ``init(rng, shape)`` that draw a parameter's first values on the host, in float32.

Called with keywords alone, one returns itself with those options set: ``glorot_uniform(gain=2.0)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from luxport.random import Rng

__all__ = [
    "Initializer",
    "fans",
    "glorot_normal",
    "glorot_uniform",
    "kaiming_normal",
    "kaiming_uniform",
    "normal",
    "ones",
    "uniform",
    "zeros",
]


class Initializer(Protocol):
    """Anything that draws an array of a shape."""

    def __call__(self, rng: Rng, shape: tuple[int, ...], /) -> Any:
        """Return float32 values of this shape."""
        ...


@dataclass(frozen=True, repr=False)
class _Init:
    """An initialiser of ours with its options: equal to another with the same ones."""

    draw: Callable[..., Any]
    options: tuple[tuple[str, float], ...] = ()

    def __call__(self, rng: Rng | None = None, shape: tuple[int, ...] | None = None, /, **options: float) -> Any:
        known = self.draw.__kwdefaults__ or {}
        unknown = [name for name in options if name not in known]
        if unknown:
            raise TypeError(f"{self.draw.__name__} expects options among {sorted(known)}, got {', '.join(unknown)}")
        merged = {**dict(self.options), **options}
        if rng is None or shape is None:
            return _Init(self.draw, tuple(sorted(merged.items())))
        return self.draw(rng, tuple(shape), **merged)

    def __reduce__(self) -> tuple[Any, ...]:
        # The function itself is hidden behind its initialiser's name.
        return _restore, (self.draw.__name__, self.options)

    def __repr__(self) -> str:
        if not self.options:
            return self.draw.__name__
        return f"{self.draw.__name__}({', '.join(f'{name}={value!r}' for name, value in self.options)})"

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.draw.__doc__


def _restore(name: str, options: tuple[tuple[str, float], ...]) -> _Init:
    return globals()[name](**dict(options))


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return fan-in and fan-out of a weight: (in, out), or (out, in, *kernel).

    Source: Flux ``nfan``, axes reversed

    >>> fans(()), fans((100,)), fans((200, 100)), fans((30, 20, 3))
    ((1, 1), (1, 100), (200, 100), (60, 90))
    """
    if len(shape) == 0:
        return 1, 1
    if len(shape) == 1:
        return 1, shape[0]
    if len(shape) == 2:
        return shape[0], shape[1]
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


@_Init
def zeros(rng: Rng, shape: tuple[int, ...]) -> Any:
    """Fill with 0."""
    return np.zeros(shape, np.float32)


@_Init
def ones(rng: Rng, shape: tuple[int, ...]) -> Any:
    """Fill with 1."""
    return np.ones(shape, np.float32)


@_Init
def uniform(rng: Rng, shape: tuple[int, ...], *, low: float = 0.0, high: float = 1.0) -> Any:
    """Draw from U[low, high)."""
    return rng.uniform(shape, low, high)


@_Init
def normal(rng: Rng, shape: tuple[int, ...], *, mean: float = 0.0, std: float = 1.0) -> Any:
    """Draw from N(mean, std²)."""
    return rng.normal(shape, mean, std)


@_Init
def glorot_uniform(rng: Rng, shape: tuple[int, ...], *, gain: float = 1.0) -> Any:
    """Draw from U(-a, a) with a = gain sqrt(6 / (fan_in + fan_out)).

    Source: X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010)
    """
    bound = gain * math.sqrt(6.0 / sum(fans(shape)))
    return rng.uniform(shape, -bound, bound)


@_Init
def glorot_normal(rng: Rng, shape: tuple[int, ...], *, gain: float = 1.0) -> Any:
    """Draw from N(0, gain² 2 / (fan_in + fan_out))."""
    return rng.normal(shape, 0.0, gain * math.sqrt(2.0 / sum(fans(shape))))


@_Init
def kaiming_uniform(rng: Rng, shape: tuple[int, ...], *, gain: float = math.sqrt(2.0)) -> Any:
    """Draw from U(-a, a) with a = gain sqrt(3 / fan_in).

    Source: K. He et al., "Delving deep into rectifiers" (2015)
    """
    bound = gain * math.sqrt(3.0 / fans(shape)[0])
    return rng.uniform(shape, -bound, bound)


@_Init
def kaiming_normal(rng: Rng, shape: tuple[int, ...], *, gain: float = math.sqrt(2.0)) -> Any:
    """Draw from N(0, gain² / fan_in)."""
    return rng.normal(shape, 0.0, gain / math.sqrt(fans(shape)[0]))
