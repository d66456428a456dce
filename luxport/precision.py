"""Precision of trees of arrays: `f16`, `f32`, `f64`, `bf16`, and `match_eltype`."""

from __future__ import annotations

import os
import warnings
from typing import Any, Literal

from luxport import tree
from luxport.backend import Array, backend_of, dtype_name
from luxport.errors import LayerTypeError
from luxport.layer import Layer, Parameters, States

__all__ = ["bf16", "f16", "f32", "f64", "match_eltype"]

Policy = Literal["none", "warn", "convert", "error"]


def f16(values: tree.Tree) -> tree.Tree:
    """Convert the floating arrays of a tree to float16.

    Integers, booleans and complex numbers (of which there are none in half precision) stay as they are, and so,
    without a copy, does what has the dtype already. Running statistics of a state are float32 at least, as they would
    stand still in half precision. Gradients flow through.

    Source: Lux.jl ``f16``

    >>> import numpy as np
    >>> f16({"a": np.ones(1, np.float32), "n": np.ones(1, np.int32)})
    {'a': array([1.], dtype=float16), 'n': array([1], dtype=int32)}
    """
    return _converted(values, "float16", None)


def bf16(values: tree.Tree) -> tree.Tree:
    """Convert the floating arrays of a tree to bfloat16. See `f16`.

    Raises: ValueError on a backend without it, as NumPy is without ml_dtypes
    Source: Lux.jl ``bf16``
    """
    return _converted(values, "bfloat16", None)


def f32(values: tree.Tree) -> tree.Tree:
    """Convert the floating arrays of a tree to float32, and complex ones to complex64. See `f16`.

    Source: Lux.jl ``f32``
    """
    return _converted(values, "float32", "complex64")


def f64(values: tree.Tree) -> tree.Tree:
    """Convert the floating arrays of a tree to float64, and complex ones to complex128. See `f16`.

    Raises: ValueError on JAX outside its 64-bit mode
    Source: Lux.jl ``f64``
    """
    return _converted(values, "float64", "complex128")


def match_eltype(layer: Layer, ps: Parameters, st: States, x: Any, *, policy: Policy | None = None) -> Any:
    """Return an input, a tree of arrays, in the dtype of a layer's parameters, or tell that it is another.

    The layers themselves take no other dtype than their parameters': this is for the place where data comes in.
    Inputs that are wider than the parameters, and integers, are narrowed; others are left alone, so that nothing
    grows unasked. The policy is "none" (return the input), "warn", "convert" or "error"; without one the
    environment's ``LUXPORT_ELTYPE_MISMATCH`` decides, or "none".

    Raises: ValueError for an unknown policy; LayerTypeError for a mismatch, if the policy is "error"
    Source: Lux.jl ``match_eltype``

    >>> import numpy as np, luxport
    >>> model = luxport.Dense(2, 1)
    >>> ps, st = luxport.setup(0, model)
    >>> match_eltype(model, ps, st, np.ones((1, 2)), policy="convert").dtype.name
    'float32'
    """
    chosen = policy or os.environ.get("LUXPORT_ELTYPE_MISMATCH") or "none"
    if chosen not in ("none", "warn", "convert", "error"):
        raise ValueError(f"match_eltype expects 'none', 'warn', 'convert' or 'error' as policy, got {chosen!r}")
    leaves = [leaf for path, leaf in tree.leaves_with_path((ps, st)) if dtype_at(path, "float16") == "float16"]
    wanted = next((name for leaf in leaves if (name := dtype_name(leaf)) in _WIDTHS), None)
    if chosen == "none" or wanted is None:
        return x

    def match(leaf: Array) -> Array:
        kind = dtype_name(leaf)
        if "int" not in kind and _WIDTHS.get(kind, 0) <= _WIDTHS[wanted]:
            return leaf
        if chosen == "error":
            raise LayerTypeError(f"expects {wanted} as its parameters, got {kind}", culprit=type(layer).__name__)
        if chosen == "warn":
            warnings.warn(f"{type(layer).__name__} has {wanted} parameters, and was given {kind}", stacklevel=6)
            return leaf
        return backend_of(leaf).asarray(leaf, dtype=wanted)

    return tree.map(match, x)


_WIDTHS = {"float16": 16, "bfloat16": 16, "float32": 32, "float64": 64}


def _converted(values: tree.Tree, floating: str, complex_: str | None) -> tree.Tree:
    def convert(path: tuple[str, ...], leaf: Array) -> Array:
        kind = dtype_name(leaf)
        wanted = dtype_at(path, floating) if "float" in kind else complex_ if "complex" in kind else None
        return leaf if wanted in (None, kind) else backend_of(leaf).asarray(leaf, dtype=wanted)

    return tree.map_with_path(convert, values)


def dtype_at(path: tuple[str, ...], dtype: str | None) -> str | None:
    """Return the dtype that a floating array at this path is to have where the tree is to have `dtype`.

    Running statistics do not become half types: what a batch adds to them would be too small to be seen, and a
    variance may be larger than float16 goes.

    >>> dtype_at(("layer_1", "running_var"), "float16"), dtype_at(("layer_1", "scale"), "float16")
    ('float32', 'float16')
    """
    running = bool(path) and path[-1] in ("running_mean", "running_var")
    return "float32" if running and dtype in ("float16", "bfloat16") else dtype
