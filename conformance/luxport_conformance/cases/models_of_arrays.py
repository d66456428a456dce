"""Optimisers.jl's models that the cases of `flatten` and `trainables` share; a struct is a dict here."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["in_list", "nested", "pair", "tied", "with_complex", "with_function"]


def pair(a: Any, b: Any) -> Any:
    return (a, b)


def with_function(a: Any, b: Any) -> Any:
    return {"x": a, "y": np.sin, "z": b}


def tied(a: Any, b: Any) -> Any:
    return {"x": a, "y": a, "z": b}


def nested(a: Any, b: Any, c: Any) -> Any:
    return {"a": (with_function(a, b), True), "b": (a, False), "c": (tied(a, c), True)}


def with_complex(a: Any, z: Any) -> Any:
    return {"a": a, "b": z, "c": a}


def in_list(a: Any, b: Any, c: Any) -> Any:
    return [{"x": a, "y": a}, {"a": True, "b": {"x": b, "y": False}, "c": ()}, [[c]]]
