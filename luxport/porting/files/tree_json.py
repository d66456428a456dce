"""Trees of parameters as JSON: the structure that `luxport.save` writes beside the arrays, which have dotted paths.

An array is the word ``"array"``. Any other node is an object with one entry, whose key is the kind. Format 1 has the
kinds ``dict``, ``list``, ``tuple``, ``value``, and ``static``, a constant: a number, a string, None, or a tuple of
these. Since format 2 a constant may also be a rule of an optimizer or a schedule, by its class name and its fields,
and ``named`` is a named tuple of an optimizer's state.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from luxport.backend import Array, backend_of, find_owner
from luxport.core.layer_base import LayerBase
from luxport.optimizers._state import Group, Leaf, OptimizerState, Tied
from luxport.porting.errors import FileFormatError
from luxport.porting.files.safetensors_writer import DTYPES
from luxport.tree.ordered_keys import list_in_order
from luxport.tree.static import Static

__all__ = ["TreeReader", "TreeWriter"]

_NAMED: dict[str, Any] = {kind.__name__: kind for kind in (OptimizerState, Group, Leaf, Tied)}
"""The named tuples of an optimizer's state; any other named tuple is kept as a plain tuple of its values."""

_ARRAY = "array"
"""The description of an array, whose values the file has under the array's dotted path."""


class TreeWriter:
    """Describes trees as JSON, and collects their arrays by path.

    An array that is in several places (the same object) is collected once, under its first path; `aliases` maps each
    other path to the first.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, Any] = {}
        self.aliases: dict[str, str] = {}
        self.has_rules: bool = False
        # Keeps each array alive: a mapping may create its values on access, and `id` is unique only among live objects.
        self._first: dict[int, tuple[str, Any]] = {}

    def describe(self, node: Any, path: str) -> Any:
        """Return the description of a tree, and collect its arrays.

        Raises: TypeError with the path of an entry that cannot be saved; ValueError for two entries of the same path
        """
        if isinstance(node, Mapping):
            strange = [key for key in node if not isinstance(key, str)]
            if strange:
                raise TypeError(f"save expects strings as names, got {strange[0]!r} at {path}")
            return {"dict": {str(key): self.describe(node[key], f"{path}.{key}") for key in list_in_order(node)}}
        if type(node).__name__ in _NAMED and type(node) is _NAMED[type(node).__name__]:
            self.has_rules = True
            entries = [self.describe(value, f"{path}.{name}") for name, value in zip(node._fields, node, strict=True)]
            return {"named": [type(node).__name__, entries]}
        if isinstance(node, (tuple, list)):
            kind = "list" if isinstance(node, list) else "tuple"
            return {kind: [self.describe(value, f"{path}.{i}") for i, value in enumerate(node)]}
        if isinstance(node, Static):
            return {"static": self._describe_constant(node.value, path)}
        if node is None or isinstance(node, (bool, int, float, str)) and not isinstance(node, np.generic):
            return {"value": node}
        if path in self.arrays or path in self.aliases:
            raise ValueError(f"save expects one array per path, got two at {path}: a name in the tree has a dot")
        first, _ = self._first.setdefault(id(node), (path, node))
        if first is path:
            self.arrays[path] = _copy_to_host(node, path)
        else:
            self.aliases[path] = first
        return _ARRAY

    def _describe_constant(self, value: Any, path: str) -> Any:
        if type(value) is tuple:
            return {"tuple": [self._describe_constant(entry, path) for entry in value]}
        if isinstance(value, str):
            return str(value)  # also for keys of trees, which are a subclass of str
        if value is None or type(value) in (bool, int, float):
            return value
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            self.has_rules = True
            fields = {f.name: self._describe_constant(getattr(value, f.name), path) for f in dataclasses.fields(value)}
            return {"rule": type(value).__name__, "fields": fields}
        raise TypeError(
            f"save expects numbers, strings, None, rules of optimizers and tuples of these as Static, "
            f"got {value!r} at {path}"
        )


class TreeReader:
    """Builds trees from their descriptions; an array that was in several places is one array again.

    Rules and schedules are luxport's own, or instances of `classes`: a file cannot name code to import or call.
    """

    def __init__(self, arrays: Mapping[str, Any], aliases: Mapping[str, str], classes: Iterable[type] = ()) -> None:
        self._arrays = arrays
        self._aliases = aliases
        self._classes = {kind.__name__: kind for kind in classes}

    def build(self, node: Any, path: str) -> Any:
        """Build the tree of a description.

        Raises: FileFormatError, or another ValueError, TypeError, KeyError or AttributeError for a damaged description
        """
        if node == _ARRAY:
            found = path if path in self._arrays else self._aliases.get(path, "")
            if found not in self._arrays:
                raise FileFormatError(f"{path} is missing")
            return self._arrays[found]
        if not isinstance(node, dict) or len(node) != 1:
            raise ValueError(f"expected an object with one entry, its kind, at {path}")
        ((kind, value),) = node.items()
        match kind:
            case "dict":
                return {key: self.build(entry, f"{path}.{key}") for key, entry in value.items()}
            case "list":
                return [self.build(entry, f"{path}.{i}") for i, entry in enumerate(value)]
            case "tuple":
                return tuple([self.build(entry, f"{path}.{i}") for i, entry in enumerate(value)])
            case "named":
                name, entries = value
                fields = zip(_NAMED[name]._fields, entries, strict=True)
                return _NAMED[name](*[self.build(entry, f"{path}.{field}") for field, entry in fields])
            case "static":
                return Static(self._build_constant(value))
            case "value":
                return value
        raise ValueError(f"unknown kind {kind!r} at {path}")

    def _build_constant(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if "rule" not in value:
            return tuple([self._build_constant(entry) for entry in value["tuple"]])
        kind = self._find_class(value["rule"])
        given = value["fields"]
        names = [field.name for field in dataclasses.fields(kind)]
        if sorted(given) != sorted(names):
            raise FileFormatError(f"{kind.__name__} expects {', '.join(names)}, got {', '.join(given)}")
        rule = object.__new__(kind)  # the arguments of its constructor may differ from its fields
        for name in names:
            object.__setattr__(rule, name, self._build_constant(given[name]))
        if callable(check := getattr(kind, "__post_init__", None)):
            check(rule)
        return rule

    def _find_class(self, name: Any) -> Any:
        from luxport import optimizers, schedules

        if name in self._classes:
            return self._classes[name]
        for package in (optimizers, schedules):
            found = getattr(package, name) if name in package.__all__ else None
            if isinstance(found, type) and dataclasses.is_dataclass(found):
                return found
        raise FileFormatError(f"its rule {name!r} is none of luxport's: pass its class as load(..., classes=[...])")


def _copy_to_host(leaf: Array, path: str) -> Any:
    if find_owner(type(leaf)) is None:
        kind = type(leaf).__name__
        hint = ": ps, st = luxport.setup(rng, layer), and save(path, ps, st)" if isinstance(leaf, LayerBase) else ""
        raise TypeError(f"save expects arrays, numbers, Static and None as entries, got {kind} at {path}{hint}")
    host = np.asarray(backend_of(leaf).to_numpy(leaf), order="C")
    if host.dtype.name not in DTYPES:
        raise TypeError(f"save expects a dtype that safetensors has, got {host.dtype} at {path}")
    return host.astype(host.dtype.newbyteorder("<"), copy=False)
