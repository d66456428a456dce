"""`Source` and `Ported`, the input and the result of the functions that build layers from Flux's structs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import luxport
from luxport import tree
from luxport.core.abstract_arrays import AbstractArray
from luxport.core.initial_values import describe_values, initial_parameters, initial_states
from luxport.core.layer import Layer
from luxport.errors import LayerError
from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.flux.fields import GENERATIONS, read_fields, read_numbers
from luxport.porting.flux.functions import Hole, make_function_layer
from luxport.porting.flux.named_functions import find_named_function
from luxport.porting.julia.wrappers import unwrap_array

__all__ = ["Functions", "Missing", "Ported", "RepeatCounter", "Source"]
__all__ += ["make_arrayless", "check_projection", "find_function", "find_kind", "read_padding", "make_stateful"]
__all__ += ["make_states", "check_parameters"]

Functions = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True)
class Ported:
    """A layer with its parameters and states, as NumPy arrays."""

    layer: Layer
    ps: dict[str, Any]
    st: dict[str, Any]


@dataclass(frozen=True)
class Source:
    """A saved struct while it is ported: its kind, its fields by name, and its path in the model."""

    kind: str
    fields: Mapping[str, Any]
    struct: julia.Struct
    functions: Functions
    path: str
    # The first and the last minor version of Flux that can have written the file.
    versions: tuple[int, int]
    build: Callable[[Any, Functions, str, tuple[int, int]], Ported]

    def port(self, value: Any, name: str) -> Ported:
        """Port a value that is inside this struct under a name."""
        return self.build(value, self.functions, self.join_path(name), self.versions)

    def read_inner_fields(self, struct: julia.Struct) -> dict[str, Any]:
        """Return the fields by name of another Flux layer inside this struct."""
        kind = find_kind(struct)
        if kind not in GENERATIONS:
            raise FileFormatError(
                f"{self.path or 'the model'}: {julia.name_type(struct)} is no layer of Flux that luxport knows"
            )
        return read_fields(struct, kind)

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def join_path(self, name: str) -> str:
        """Return the path of a field in the model."""
        return f"{self.path}.{name}" if self.path else name

    def read_array(self, name: str, axes: int | None = None, *, least: int = 0) -> Any:
        """Return the array in a field, after checking that it has `axes` axes, or at least `least`."""
        found = unwrap_array(self.fields[name], self.join_path(name))
        if found.ndim != (found.ndim if axes is None else axes) or found.ndim < least:
            wanted = f"at least {least}" if axes is None else axes
            raise FileFormatError(f"{self.join_path(name)}: expected an array with {wanted} axes, got {found.ndim}")
        return found

    def read_sizes(self, name: str, axes: int, default: Any = None) -> tuple[int, ...]:
        """Return an int for each axis in NumPy's order, Julia's last axis first; the default if there is no field."""
        if name not in self.fields and default is not None:
            return (default,) * axes
        found = read_numbers(self.fields[name], self.join_path(name))
        return found * axes if len(found) == 1 else found

    def read_bias(self) -> dict[str, Any]:
        """Return the bias under its name, or nothing: Flux writes ``false`` or ``Zeros`` if there is none."""
        value = self.fields.get("bias")
        if value is None or isinstance(value, bool) or find_kind(value) == "Zeros":
            return {}
        return {"bias": self.read_array("bias")}

    def read_activation(self) -> Callable[..., Any]:
        """Return the function in the field ``σ`` or ``λ``; if only its name is known, one that raises when called."""
        value = self.fields.get("σ", self.fields.get("λ"))
        if value is None or (isinstance(value, julia.Function) and value.name == "identity"):
            return luxport.identity
        unread = isinstance(value, julia.Unavailable)
        name = (
            value.path if isinstance(value, julia.Function) else self.join_path("activation") if unread else str(value)
        )
        given = self.functions.get(self.join_path("activation"), self.functions.get(name))
        known = given or find_named_function(value)
        if known is not None:
            return known
        return find_function(value if isinstance(value, julia.Function) else None, name, self.join_path("activation"))


@dataclass(frozen=True)
class Missing:
    """An activation of which the file has only the name; calling it raises an error that says so."""

    path: str
    name: str

    def __call__(self, x: Any) -> Any:
        """Raise a LayerError that says how to supply the activation."""
        raise LayerError(
            f"has an activation of which the file has only the name {self.name!r}: "
            f"pass it as load_model(..., functions={{{self.name!r}: f}})"
        )


def find_kind(value: Any) -> str:
    """Return the name of a Flux struct, "" for any other value, also for structs of the same name in other packages."""
    if isinstance(value, julia.Struct) and isinstance(value.type, julia.TypeName) and "Flux" in value.type.module:
        return value.type.name
    return ""


class RepeatCounter:
    """Limits how often layers are built again: if each layer contains the next one twice, they grow exponentially."""

    def __init__(self) -> None:
        self._left, self._seen = _MOST_REPEATED, set[int]()

    def count(self, value: Any, counts: bool) -> None:
        """Note that a value is built; if `counts`, building it again is limited.

        Raises: FileFormatError if values were built again too often
        """
        self._left -= counts and id(value) in self._seen
        self._seen.add(id(value))
        if self._left < 0:
            raise FileFormatError(f"more than {_MOST_REPEATED} layers of the model are repetitions of others")


_MOST_REPEATED = 500


def find_function(value: julia.Function | None, name: str, place: str) -> Callable[..., Any]:
    """Return a function of one array; a `Missing`, which raises when it is called, if the file has only its name."""
    layer = make_function_layer(value) if value is not None else Hole(name)
    return layer.function if isinstance(layer, luxport.WrappedFunction) else Missing(place, name)


def read_padding(pad: tuple[int, ...], axes: int) -> Any:
    """Return Flux's pad as luxport's padding: one number for all axes, one for each, or a (low, high) pair for each.

    `pad` is reversed already, so of the two numbers for an axis the high one comes first.
    """
    if len(pad) == 2 * axes:
        return tuple([(low, high) for high, low in zip(pad[::2], pad[1::2], strict=True)])
    return pad * axes if len(pad) == 1 else pad


def check_projection(layer: Layer, place: str) -> None:
    """Check that a projection of an attention layer is a Dense without activation.

    Raises: FileFormatError
    """
    if not isinstance(layer, luxport.Dense) or layer.activation != luxport.identity:
        raise FileFormatError(f"{place}: expected a Dense without activation, got {layer}")


def make_stateful(cell: Ported) -> Ported:
    """Return a cell as a layer that takes one step per call and keeps the carry in its state."""
    layer = luxport.StatefulRecurrentCell(cell.layer)  # type: ignore[arg-type]
    return Ported(layer, cell.ps, make_states(layer, 0))


def make_arrayless(layer: Layer) -> Ported:
    """Return a layer for which the file has no arrays, with its initial parameters and states."""
    _check_size(layer, describe_values(initial_parameters, layer), 0)
    return Ported(layer, initial_parameters(0, layer), make_states(layer, 0))


def check_parameters(layer: Layer, ps: dict[str, Any], st: dict[str, Any] | None = None) -> Ported:
    """Return a layer with its parameters from the file, in the layer's order, after checking their names and shapes."""
    wanted = describe_values(initial_parameters, layer)  # shapes only: a file can ask for arrays of any size
    if set(wanted) != set(ps):
        raise FileFormatError(f"{layer} has {', '.join(wanted) or 'no parameters'}, the file {', '.join(ps) or 'none'}")
    for name, value in wanted.items():
        if value.shape != ps[name].shape:
            raise FileFormatError(f"{name} of {layer}: shape {value.shape} expected, got {ps[name].shape}")
    given = sum(array.size for array in (*ps.values(), *(st or {}).values()))
    return Ported(layer, {name: ps[name] for name in wanted}, {**make_states(layer, given), **(st or {})})


def make_states(layer: Layer, given: int) -> dict[str, Any]:
    """Return the initial states of a layer; `given` is how many numbers the file has for it.

    Raises: FileFormatError if the states are far larger than that
    """
    _check_size(layer, describe_values(initial_states, layer), given)
    return initial_states(0, layer)


_MOST_MADE = 1 << 20


def _check_size(layer: Layer, values: Any, given: int) -> None:
    made = sum(math.prod(leaf.shape) for leaf in tree.leaves(values) if isinstance(leaf, AbstractArray))
    if made > _MOST_MADE + 4 * given:
        raise FileFormatError(f"{layer} would begin with {made} numbers, but has only {given} in the file")
