"""What the builders of Lux's layers share: a struct on its way, with what stands beside it, and holes."""

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
    """A struct on its way: its fields and flags by name, where in the model it is, what stands beside it."""

    kind: str
    struct: julia.Struct
    fields: Mapping[str, Any]
    flags: Mapping[str, bool]
    functions: Functions
    path: str
    # Nodes of the trees of parameters and states; no parameters at all are None.
    ps: Any
    st: Any
    build: Callable[[Any, str, Any, Any], Ported]

    def __getitem__(self, name: str) -> Any:
        if name not in self.fields:
            raise FileFormatError(f"{self.path or 'the model'}: a Lux.{self.kind} without the field {name}")
        return read_static(self.fields[name])

    def at(self, name: str) -> str:
        """Return the path of a field in the model."""
        return f"{self.path}.{name}" if self.path else name

    def beside(self, name: str) -> tuple[Any, Any]:
        """Return the parameters and states of what has a name of its own in them."""
        ps = None if self.ps is None else read_entries(unwrap_node(self.ps)).get(name, ())
        return ps, read_entries(unwrap_node(self.st)).get(name, ())

    def number(self, name: str) -> Any:
        """Return a real number in a field."""
        return read_number(self[name], self.at(name))

    def int(self, name: str) -> int:
        """Return the one int in a field."""
        found = read_ints(self[name], self.at(name))
        if len(found) != 1:
            raise FileFormatError(f"{self.at(name)}: one int expected, got {len(found)}")
        return found[0]

    def sizes(self, name: str) -> tuple[int, ...]:
        """Return sizes in our order: the last of Julia's first."""
        return read_ints(self[name], self.at(name))[::-1]

    def flag(self, name: str, default: bool) -> bool:
        """Return what is true or false, in a field or in the type."""
        return self.flags.get(name, default)

    def activation(self) -> Callable[..., Any]:
        """Return the activation, the identity where there is none."""
        value = self.fields.get("activation")
        return luxport.identity if value is None else self.function(value, "activation")

    def function(self, value: Any, name: str) -> Callable[..., Any]:
        """Return a function of one array by its name, or what says when it is called that it is missing."""
        what = self._say_how_called(value, name)
        given = self.functions.get(self.at(name), self.functions.get(what))
        if given is not None:
            return given
        if isinstance(value, julia.Function) and value.name == "identity":
            return luxport.identity
        known = find_named_function(value)
        return known or find_function(value if isinstance(value, julia.Function) else None, what, self.at(name))

    def _say_how_called(self, value: Any, name: str) -> str:
        """Return how `functions` may call what is in a field: by its path in the model, if it cannot be read."""
        if isinstance(value, julia.Unavailable):
            return self.at(name)
        return value.path if isinstance(value, julia.Function) else describe_value(value)

    def connection(self, name: str = "connection") -> Any:
        """Return the function that joins outputs; None where they are returned side by side."""
        value = self.fields.get(name)
        if value is None:
            return None
        if (
            isinstance(value, julia.Struct)
            and julia.name_type(value).endswith("BroadcastFunction")
            and value.type.params
        ):
            value = julia.Function(value.type.params[0])
        what = self._say_how_called(value, name)
        given = self.functions.get(self.at(name), self.functions.get(what))
        return given or CONNECTIONS.get(what.rpartition(".")[2]) or Missing(self.at(name), what)

    def finished(self, layer: Layer, ps: Mapping[str, Any] | None = None, st: Any = None) -> Ported:
        """Return the layer with its parameters, whose shapes are checked, and its moving statistics."""
        given = self.ps if ps is None else ps
        wanted = describe_values(initial_parameters, layer)  # shapes alone: sizes from a file may be any
        ps = {} if self.ps is None else _fit(wanted, given, self.path)
        size = sum(value.size for value in _list_arrays(ps))
        states = make_states(layer, size)
        return Ported(layer, ps, _take_statistics(states, read_entries(unwrap_node(self.st)) if st is None else st))


def _list_arrays(ps: Mapping[str, Any]) -> list[Any]:
    found: list[Any] = []
    for entry in ps.values():
        found += _list_arrays(entry) if isinstance(entry, Mapping) else [entry]
    return found


def _fit(wanted: Mapping[str, Any], node: Any, path: str) -> dict[str, Any]:
    """Return the arrays of a tree of Lux in the order and the shapes that a layer here has.

    Raises: FileFormatError if one is missing, left over, or has another size
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
            fitted[name] = _fit(value, given.get(name, ()), here)
            continue
        found = unwrap_node(given[name])
        if not is_array(found):
            what = (
                found.reason
                if isinstance(found, julia.Unavailable)
                else f"an array expected, got {describe_value(found)}"
            )
            raise FileFormatError(f"{here}: {what}")
        shape = value.shape if isinstance(value, AbstractArray) else np.shape(value)
        if [n for n in found.shape if n != 1] != [n for n in shape if n != 1]:
            raise FileFormatError(f"{here}: shape {tuple(shape)} expected, got {found.shape}")
        fitted[name] = found.reshape(shape)  # biases have axes of 1 in many versions
    return fitted


def _take_statistics(states: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Take the moving statistics that the states in the file have."""
    new = dict(states)
    for name, entry in states.items():
        found: Any = unwrap_node(given.get(name))
        if isinstance(entry, Mapping):
            new[name] = _take_statistics(dict(entry), read_entries(found))
        elif name in ("running_mean", "running_var") and is_array(found) and found.size == np.size(entry):
            new[name] = found.reshape(np.shape(entry))
    return new


def build_hole(source: Source, value: Any) -> Ported:
    """Build what is no layer of Lux: a function, a layer of the user's own, one made by ``@compact``."""
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
        return source.finished(given)
    if given is None and isinstance(value, julia.Function) and not holds_arrays:
        return source.finished(make_function_layer(value))
    if holds_arrays:
        advice = "hand over a layer that has them" if given is not None else "its parameters are left behind"
        warn(
            f"{show(source.path) or 'the model'}: {show(name)} is no layer of Lux that luxport knows, and {advice}: "
            f"load_model(..., functions={{{show(source.path) or show(name)!r}: layer}})"
        )
    layer = Hole(name, code, reason) if given is None else luxport.WrappedFunction(given)
    return source.finished(layer, {})


def describe_value(value: Any) -> str:
    """Return the name of a type without its parameters."""
    if isinstance(value, julia.Struct):
        return value.type.path if isinstance(value.type, julia.TypeName) else "a struct"
    return type(value).__name__
