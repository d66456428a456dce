"""`Source`, through which the builders of Lux's layers read a saved struct, and layers for what is not Lux's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import luxport
from luxport.core.abstract_arrays import AbstractArray
from luxport.core.initial_values import describe_values, initial_parameters
from luxport.core.layer import Layer
from luxport.porting import julia
from luxport.porting.errors import FileFormatError, show
from luxport.porting.flux.building import Functions, Missing, Ported, find_function, make_states
from luxport.porting.flux.fields import read_number
from luxport.porting.flux.functions import Hole, make_function_layer
from luxport.porting.flux.layers import CONNECTIONS
from luxport.porting.flux.named_functions import find_named_function
from luxport.porting.julia.nodes import has_arrays, is_array, read_entries, unwrap_node
from luxport.porting.lux.structs import read_ints, read_static, read_text
from luxport.text import warn

__all__ = ["Source", "describe_value", "build_hole"]


@dataclass(frozen=True)
class Source:
    """A saved struct while it is ported: its fields and flags by name, its path, and its parameters and states."""

    kind: str
    struct: julia.Struct
    fields: Mapping[str, Any]
    flags: Mapping[str, bool]
    functions: Functions
    path: str
    # The nodes for this struct in the trees of parameters and states; ps is None if the file has no parameters.
    ps: Any
    st: Any
    build: Callable[[Any, str, Any, Any], Ported]

    def __getitem__(self, name: str) -> Any:
        if name not in self.fields:
            raise FileFormatError(f"{self.path or 'the model'}: the file's Lux.{self.kind} has no field {name}")
        return read_static(self.fields[name])

    def join_path(self, name: str) -> str:
        """Return the path of a field in the model."""
        return f"{self.path}.{name}" if self.path else name

    def find_beside(self, name: str) -> tuple[Any, Any]:
        """Return the parameters and states that are stored under a name."""
        ps = None if self.ps is None else read_entries(unwrap_node(self.ps)).get(name, ())
        return ps, read_entries(unwrap_node(self.st)).get(name, ())

    def read_number(self, name: str) -> Any:
        """Return the real number in a field."""
        return read_number(self[name], self.join_path(name))

    def read_int(self, name: str) -> int:
        """Return the integer in a field."""
        found = read_ints(self[name], self.join_path(name))
        if len(found) != 1:
            raise FileFormatError(f"{self.join_path(name)}: one int expected, got {len(found)}")
        return found[0]

    def read_sizes(self, name: str) -> tuple[int, ...]:
        """Return the sizes in a field in NumPy's order: Julia's last axis first."""
        return read_ints(self[name], self.join_path(name))[::-1]

    def read_flag(self, name: str, default: bool) -> bool:
        """Return a boolean that is stored in a field or in the type's parameters."""
        return self.flags.get(name, default)

    def read_activation(self) -> Callable[..., Any]:
        """Return the activation, the identity if the struct has none."""
        value = self.fields.get("activation")
        return luxport.identity if value is None else self.read_function(value, "activation")

    def read_function(self, value: Any, name: str) -> Callable[..., Any]:
        """Return the function that a field names, or one that raises when it is called, saying that it is missing."""
        what = self._name_for_user(value, name)
        given = self.functions.get(self.join_path(name), self.functions.get(what))
        if given is not None:
            return given
        if isinstance(value, julia.Function) and value.name == "identity":
            return luxport.identity
        known = find_named_function(value)
        return known or find_function(value if isinstance(value, julia.Function) else None, what, self.join_path(name))

    def _name_for_user(self, value: Any, name: str) -> str:
        """Return a function's key in the user's `functions`: its Julia name, or its path in the model if unreadable."""
        if isinstance(value, julia.Unavailable):
            return self.join_path(name)
        return value.path if isinstance(value, julia.Function) else describe_value(value)

    def read_connection(self, name: str = "connection") -> Any:
        """Return the function that joins outputs, None if they are returned as a tuple."""
        value = self.fields.get(name)
        if value is None:
            return None
        if (
            isinstance(value, julia.Struct)
            and julia.name_type(value).endswith("BroadcastFunction")
            and value.type.params
        ):
            value = julia.Function(value.type.params[0])
        what = self._name_for_user(value, name)
        given = self.functions.get(self.join_path(name), self.functions.get(what))
        return given or CONNECTIONS.get(what.rpartition(".")[2]) or Missing(self.join_path(name), what)

    def finish(self, layer: Layer, ps: Mapping[str, Any] | None = None, st: Any = None) -> Ported:
        """Return a layer with its saved parameters, whose shapes are checked, and its running statistics."""
        given = self.ps if ps is None else ps
        wanted = describe_values(initial_parameters, layer)  # shapes only: a file can ask for arrays of any size
        ps = {} if self.ps is None else _fit_parameters(wanted, given, self.path)
        size = sum(value.size for value in _list_arrays(ps))
        states = make_states(layer, size)
        return Ported(layer, ps, _take_statistics(states, read_entries(unwrap_node(self.st)) if st is None else st))


def _list_arrays(ps: Mapping[str, Any]) -> list[Any]:
    found: list[Any] = []
    for entry in ps.values():
        found += _list_arrays(entry) if isinstance(entry, Mapping) else [entry]
    return found


def _fit_parameters(wanted: Mapping[str, Any], node: Any, path: str) -> dict[str, Any]:
    """Return the arrays of a tree of Lux's parameters in the order and shapes of the layer's own parameters.

    Raises: FileFormatError if an array is missing, unexpected, or has another shape
    """
    given = dict(node) if isinstance(node, Mapping) else read_entries(unwrap_node(node))
    where = path or "the model"
    left = [name for name, entry in given.items() if name not in wanted and has_arrays(entry)]
    missing = [name for name in wanted if name not in given and (not isinstance(wanted[name], Mapping) or wanted[name])]
    if left or missing:
        raise FileFormatError(
            f"{where}: the parameters {', '.join(wanted) or 'none'} expected, got {', '.join(given) or 'none'}"
        )
    fitted: dict[str, Any] = {}
    for name, value in wanted.items():
        here = f"{path}.{name}" if path else name
        if isinstance(value, Mapping):
            fitted[name] = _fit_parameters(value, given.get(name, ()), here)
            continue
        found = unwrap_node(given[name])
        if not is_array(found):
            if isinstance(found, julia.Unavailable):
                raise FileFormatError(f"{here}: {found.reason}")
            raise FileFormatError(f"{here}: an array expected, got {describe_value(found)}")
        shape = value.shape if isinstance(value, AbstractArray) else np.shape(value)
        if [n for n in found.shape if n != 1] != [n for n in shape if n != 1]:
            raise FileFormatError(f"{here}: shape {tuple(shape)} expected, got {found.shape}")
        fitted[name] = found.reshape(shape)  # many versions of Lux store biases with additional axes of size 1
    return fitted


def _take_statistics(states: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return states with the running statistics of the file; other states keep their initial values."""
    new = dict(states)
    for name, entry in states.items():
        found: Any = unwrap_node(given.get(name))
        if isinstance(entry, Mapping):
            new[name] = _take_statistics(dict(entry), read_entries(found))
        elif name in ("running_mean", "running_var") and is_array(found) and found.size == np.size(entry):
            new[name] = found.reshape(np.shape(entry))
    return new


def build_hole(source: Source, value: Any) -> Ported:
    """Build a value that is not a known layer of Lux: a function, a user's own layer, or one made by ``@compact``."""
    name = value.path if isinstance(value, julia.Function) else describe_value(value)
    code = reason = ""
    if isinstance(value, julia.Unavailable):
        name, reason = source.path or "the model", value.reason
    if source.kind == "CompactLuxLayer" and source.struct.names is not None:
        fields = dict(zip(source.struct.names or (), source.struct.fields, strict=True))
        name = read_text(fields.get("name")) or name
        texts = fields.get("strings")
        code = "\n".join(text for text in texts if isinstance(text, str)) if isinstance(texts, tuple) else ""
    functions = source.functions
    given = next((functions[key] for key in (source.path, name, name.rpartition(".")[2]) if key in functions), None)
    holds_arrays = source.ps is not None and has_arrays(source.ps)
    if isinstance(given, Layer):
        return source.finish(given)
    if given is None and isinstance(value, julia.Function) and not holds_arrays:
        return source.finish(make_function_layer(value))
    if holds_arrays:
        advice = "pass a layer that has parameters" if given is not None else "its parameters are left behind"
        warn(
            f"{show(source.path) or 'the model'}: {show(name)} is no layer of Lux that luxport knows, and {advice}: "
            f"load_model(..., functions={{{show(source.path) or show(name)!r}: layer}})"
        )
    layer = Hole(name, code, reason) if given is None else luxport.WrappedFunction(given)
    return source.finish(layer, {})


def describe_value(value: Any) -> str:
    """Return the name of a value's type without its parameters."""
    if isinstance(value, julia.Struct):
        return value.type.path if isinstance(value.type, julia.TypeName) else "a struct"
    return type(value).__name__
