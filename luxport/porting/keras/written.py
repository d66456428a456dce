"""Layers as plain values that JSON can hold, and layers of these again: what Keras builds a saved model from."""

from __future__ import annotations

import copyreg
import operator
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from luxport.core.anatomy import NamedLayers
from luxport.initializers import zeros
from luxport.tree.static import Static

__all__ = ["read", "write"]


def write(value: Any) -> Any:
    """Write a layer, a tree of arrays (their shapes and dtypes), or what stands in them.

    Raises: ValueError for what has no name by which it can be found again: a lambda, an object of another library
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list)) and type(value) in (tuple, list):
        return {"kind": type(value).__name__, "of": [write(entry) for entry in value]}
    if isinstance(value, NamedLayers):
        return {"kind": "layers", "of": [[name, write(layer)] for name, layer in value.items()]}
    if type(value) is dict:
        return {"kind": "dict", "of": [[name, write(entry)] for name, entry in value.items()]}
    if isinstance(value, (np.ndarray, np.generic)):
        return {"kind": "array", "of": [list(value.shape), np.dtype(value.dtype).name]}
    for known, function in _ARITHMETIC.items():  # what joins a layer's branches
        if value is function:
            return {"kind": "name", "of": known}
    name = f"{getattr(value, '__module__', None)}:{getattr(value, '__qualname__', None)}"
    if callable(value) and _find_at(name) is value:
        return {"kind": "name", "of": name}
    kind = type(value)
    if kind.__module__.startswith("luxport.") or _find_registered(f"{kind.__module__}:{kind.__qualname__}") is kind:
        make, arguments, state, *_ = (*value.__reduce_ex__(2), None)
        if make is copyreg.__newobj__:  # type: ignore[attr-defined]
            return {"kind": "object", "of": [write(kind), write(tuple(arguments[1:])), write(state)]}
        if _makes(make):
            return {"kind": "made", "of": [write(make), write(tuple(arguments))]}
    raise ValueError(
        f"to_keras cannot write {value!r} into a config of Keras: it needs a name in luxport, or one registered by "
        "keras.saving.register_keras_serializable; save_weights saves the weights alone"
    )


def read(value: Any) -> Any:
    """Read what `write` wrote; arrays are zeros. No code runs but luxport's, and what is registered with Keras."""
    if not isinstance(value, Mapping):
        return value
    kind, of = value["kind"], value["of"]
    if kind == "object":
        cls, arguments, state = map(read, of)
        if not isinstance(cls, type):
            raise ValueError(f"a config of luxport expects a class, got {cls!r}")
        made = cls.__new__(cls, *arguments)
        plain, slots = state if isinstance(state, tuple) else (state, None)
        for name, entry in {**(plain or {}), **(slots or {})}.items():
            object.__setattr__(made, name, entry)
        return made
    if kind == "made":
        make, arguments = map(read, of)
        if not _makes(make):
            raise ValueError(f"a config of luxport expects what makes a value, got {make!r}")
        return make(*arguments)
    if kind == "name" and of in _ARITHMETIC:
        return _ARITHMETIC[of]
    if kind == "name":
        found = _find_registered(of) or (_find_at(of) if of.startswith("luxport.") else None)
        # What a module of luxport imports from elsewhere is not luxport's.
        if found is None or getattr(found, "__module__", None) != of.partition(":")[0] and not _find_registered(of):
            raise ValueError(f"a config of luxport names {of!r}, which is neither luxport's nor registered with Keras")
        return found
    if kind == "array":
        return np.zeros(*of)
    if kind in ("layers", "dict"):
        pairs = {name: read(entry) for name, entry in of}
        return NamedLayers(pairs) if kind == "layers" else pairs
    return (tuple if kind == "tuple" else list)([read(entry) for entry in of])


_ARITHMETIC = {
    f"operator:{function.__name__}": function
    for function in (operator.add, operator.matmul, operator.mul, operator.sub, operator.truediv)
}


def _makes(make: Any) -> bool:
    """Tell whether this is what luxport's own values name when they are copied: nothing else may be called."""
    return make is Static or make is type(zeros).__reduce__(zeros)[0]  # type: ignore[misc]


def _find_at(name: str) -> Any:
    """Return what stands in a module under a name, None for nothing."""
    module, _, path = name.partition(":")
    if module not in sys.modules and not module.startswith("luxport."):
        return None
    found: Any = import_module(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def _find_registered(name: str) -> Any:
    """Return what a user has registered with Keras under this name, or under its last part."""
    find: Callable[[str], Any] = import_module("keras").saving.get_registered_object
    last = name.rpartition(":")[2]
    return find(name) or find(last) or find(f"Custom>{last}")
