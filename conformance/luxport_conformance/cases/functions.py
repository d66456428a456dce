"""Functions of arrays that cases use as layers and as connections."""

from __future__ import annotations

from typing import Any

import luxport


def double(x: Any) -> Any:
    """Return 2 x."""
    return 2.0 * x


def halve(x: Any) -> Any:
    """Return x / 2."""
    return 0.5 * x


def make_zeros(x: Any) -> Any:
    """Return zeros."""
    return luxport.namespace(x).zeros_like(x)


def absolute(x: Any) -> Any:
    """Return |x|."""
    return luxport.namespace(x).abs(x)


def sine(x: Any) -> Any:
    """Return sin x."""
    return luxport.namespace(x).sin(x)


def cosine(x: Any) -> Any:
    """Return cos x."""
    return luxport.namespace(x).cos(x)


def logarithm(x: Any) -> Any:
    """Return log x."""
    return luxport.namespace(x).log(x)


def join_columns(*parts: Any) -> Any:
    """Join along the last axis, Julia's `vcat`."""
    return luxport.namespace(*parts).concat(list(parts), axis=-1)


def join_rows(*parts: Any) -> Any:
    """Join along the first axis, Julia's `hcat`."""
    return luxport.namespace(*parts).concat(list(parts), axis=0)


def stack(*parts: Any) -> Any:
    """Join along a new axis, Julia's `vcat` of numbers."""
    return luxport.namespace(*parts).stack(list(parts))


def make_scale(a: float, b: float) -> Any:
    """Return a function that multiplies by the row [a, b]."""

    def scale(x: Any) -> Any:
        xp = luxport.namespace(x)
        return xp.concat([a * x, b * x], axis=-1)

    return scale
