"""Models of Optimisers.jl's tests that the cases of `flatten` and `trainables` share; a struct is a dict here."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["list_parts", "nest", "pair", "put_complex", "put_function", "tie"]


def pair(a: Any, b: Any) -> Any:
    return (a, b)


def put_function(a: Any, b: Any) -> Any:
    return {"x": a, "y": np.sin, "z": b}


def tie(a: Any, b: Any) -> Any:
    return {"x": a, "y": a, "z": b}


def nest(a: Any, b: Any, c: Any) -> Any:
    return {"a": (put_function(a, b), True), "b": (a, False), "c": (tie(a, c), True)}


def put_complex(a: Any, z: Any) -> Any:
    return {"a": a, "b": z, "c": a}


def list_parts(a: Any, b: Any, c: Any) -> Any:
    return [{"x": a, "y": a}, {"a": True, "b": {"x": b, "y": False}, "c": ()}, [[c]]]
