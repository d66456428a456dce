"""Convert layers to plain values for JSON and back, for the configs from which Keras builds a saved model."""

from __future__ import annotations

import copyreg
import operator
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from luxport.core.layer_base import NamedLayers
from luxport.initializers import zeros
from luxport.tree.static import Static

__all__ = ["read_config", "write_config"]


def write_config(value: Any) -> Any:
    """Return plain values for a layer, or for a tree of arrays, of which only the shapes and dtypes are kept.

    Raises: ValueError for an entry that cannot be found again by its name: a lambda, an object of another library
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list)) and type(value) in (tuple, list):
        return {"kind": type(value).__name__, "of": [write_config(entry) for entry in value]}
    if isinstance(value, NamedLayers):
        return {"kind": "layers", "of": [[name, write_config(layer)] for name, layer in value.items()]}
    if type(value) is dict:
        return {"kind": "dict", "of": [[name, write_config(entry)] for name, entry in value.items()]}
    if isinstance(value, (np.ndarray, np.generic)):
        return {"kind": "array", "of": [list(value.shape), np.dtype(value.dtype).name]}
    for known, function in _ARITHMETIC.items():  # they join the branches of layers
        if value is function:
            return {"kind": "name", "of": known}
    name = f"{getattr(value, '__module__', None)}:{getattr(value, '__qualname__', None)}"
    if callable(value) and _find_in_module(name) is value:
        return {"kind": "name", "of": name}
    kind = type(value)
    if kind.__module__.startswith("luxport.") or _find_registered(f"{kind.__module__}:{kind.__qualname__}") is kind:
        make, arguments, state, *_ = (*value.__reduce_ex__(2), None)
        if make is copyreg.__newobj__:  # type: ignore[attr-defined]
            return {
                "kind": "object",
                "of": [write_config(kind), write_config(tuple(arguments[1:])), write_config(state)],
            }
        if _is_allowed_constructor(make):
            return {"kind": "made", "of": [write_config(make), write_config(tuple(arguments))]}
    raise ValueError(
        f"to_keras cannot write {value!r} into a Keras config: it needs a name in luxport, or one registered by "
        "keras.saving.register_keras_serializable; save_weights saves only the weights"
    )


def read_config(value: Any) -> Any:
    """Return the value that `write_config` wrote; arrays are zeros.

    Only code of luxport, and code that the user has registered with Keras, is called.

    Raises: ValueError if the config names anything else
    """
    if not isinstance(value, Mapping):
        return value
    kind, of = value["kind"], value["of"]
    if kind == "object":
        cls, arguments, state = map(read_config, of)
        if not isinstance(cls, type):
            raise ValueError(f"expected a class in a config of luxport, got {cls!r}")
        made = cls.__new__(cls, *arguments)
        plain, slots = state if isinstance(state, tuple) else (state, None)
        for name, entry in {**(plain or {}), **(slots or {})}.items():
            object.__setattr__(made, name, entry)
        return made
    if kind == "made":
        make, arguments = map(read_config, of)
        if not _is_allowed_constructor(make):
            raise ValueError(f"expected a constructor of luxport's values in a config of luxport, got {make!r}")
        return make(*arguments)
    if kind == "name" and of in _ARITHMETIC:
        return _ARITHMETIC[of]
    if kind == "name":
        found = _find_registered(of) or (_find_in_module(of) if of.startswith("luxport.") else None)
        # A name that a luxport module merely imports, such as `sys`, does not belong to luxport.
        if found is None or getattr(found, "__module__", None) != of.partition(":")[0] and not _find_registered(of):
            raise ValueError(f"a config of luxport names {of!r}, which is neither luxport's nor registered with Keras")
        return found
    if kind == "array":
        return np.zeros(*of)
    if kind in ("layers", "dict"):
        pairs = {name: read_config(entry) for name, entry in of}
        return NamedLayers(pairs) if kind == "layers" else pairs
    return (tuple if kind == "tuple" else list)([read_config(entry) for entry in of])


_ARITHMETIC = {
    f"operator:{function.__name__}": function
    for function in (operator.add, operator.matmul, operator.mul, operator.sub, operator.truediv)
}


def _is_allowed_constructor(make: Any) -> bool:
    """Return whether this is a constructor in the `__reduce__` of luxport's own values: only these may be called."""
    return make is Static or make is type(zeros).__reduce__(zeros)[0]  # type: ignore[misc]


def _find_in_module(name: str) -> Any:
    """Return the object for "module:name", None if there is none or its module is not imported."""
    module, _, path = name.partition(":")
    if module not in sys.modules and not module.startswith("luxport."):
        return None
    found: Any = import_module(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def _find_registered(name: str) -> Any:
    """Return the object that a user has registered with Keras under this name, or under its last part."""
    find: Callable[[str], Any] = import_module("keras").saving.get_registered_object
    last = name.rpartition(":")[2]
    return find(name) or find(last) or find(f"Custom>{last}")
