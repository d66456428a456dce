"""What the builders of Flux's layers share: a struct on its way to becoming a layer, and the layer with its arrays."""

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

__all__ = ["Functions", "Missing", "Ported", "Repeats", "Source"]
__all__ += ["make_bare", "expect_projection", "find_function", "find_kind", "read_padding", "make_remembering"]
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
    """A struct that is to become a layer: its kind, its fields by name, and where in the model it is."""

    kind: str
    fields: Mapping[str, Any]
    struct: julia.Struct
    functions: Functions
    path: str
    # The first and the last minor version of Flux that can have written the file.
    versions: tuple[int, int]
    build: Callable[[Any, Functions, str, tuple[int, int]], Ported]

    def port(self, value: Any, name: str) -> Ported:
        """Build the layer that is there under a name."""
        return self.build(value, self.functions, self.at(name), self.versions)

    def inner(self, struct: julia.Struct) -> dict[str, Any]:
        """Return the fields by name of another layer of Flux."""
        kind = find_kind(struct)
        if kind not in GENERATIONS:
            raise FileFormatError(
                f"{self.path or 'the model'}: {julia.name_type(struct)} is no layer of Flux that luxport knows"
            )
        return read_fields(struct, kind)

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def at(self, name: str) -> str:
        """Return the path of a field in the model."""
        return f"{self.path}.{name}" if self.path else name

    def array(self, name: str, axes: int | None = None, *, least: int = 0) -> Any:
        """Return the array in a field, which has so many axes."""
        found = unwrap_array(self.fields[name], self.at(name))
        if found.ndim != (found.ndim if axes is None else axes) or found.ndim < least:
            wanted = f"at least {least}" if axes is None else axes
            raise FileFormatError(f"{self.at(name)}: an array with {wanted} axes expected, got {found.ndim}")
        return found

    def numbers(self, name: str, axes: int, default: Any = None) -> tuple[int, ...]:
        """Return a number for each axis, in our order; the default if there is no such field."""
        if name not in self.fields and default is not None:
            return (default,) * axes
        found = read_numbers(self.fields[name], self.at(name))
        return found * axes if len(found) == 1 else found

    def bias(self) -> dict[str, Any]:
        """Return the bias, if there is one: Flux writes ``false`` or ``Zeros`` where there is none."""
        value = self.fields.get("bias")
        if value is None or isinstance(value, bool) or find_kind(value) == "Zeros":
            return {}
        return {"bias": self.array("bias")}

    def activation(self) -> Callable[..., Any]:
        """Return the function in the field ``σ`` or ``λ``, or one that raises where the file has only its name."""
        value = self.fields.get("σ", self.fields.get("λ"))
        if value is None or (isinstance(value, julia.Function) and value.name == "identity"):
            return luxport.identity
        unread = isinstance(value, julia.Unavailable)
        name = value.path if isinstance(value, julia.Function) else self.at("activation") if unread else str(value)
        given = self.functions.get(self.at("activation"), self.functions.get(name))
        known = given or find_named_function(value)
        if known is not None:
            return known
        return find_function(value if isinstance(value, julia.Function) else None, name, self.at("activation"))


@dataclass(frozen=True)
class Missing:
    """An activation that the file has only by name."""

    path: str
    name: str

    def __call__(self, x: Any) -> Any:
        """Say what is missing."""
        raise LayerError(
            f"has an activation that the file has only by the name {self.name!r}: "
            f"hand it over as load_model(..., functions={{{self.name!r}: f}})"
        )


def find_kind(value: Any) -> str:
    """Return the name of a struct of Flux, nothing for anything else: others have layers of the same names."""
    if isinstance(value, julia.Struct) and isinstance(value.type, julia.TypeName) and "Flux" in value.type.module:
        return value.type.name
    return ""


class Repeats:
    """Counts what is built again: a file of a few kilobytes can put one layer into another twice, again and again."""

    def __init__(self) -> None:
        self._left, self._seen = _MOST_REPEATED, set[int]()

    def see(self, value: Any, counts: bool) -> None:
        """Note a value that is built.

        Raises: FileFormatError if too many that count were built already
        """
        self._left -= counts and id(value) in self._seen
        self._seen.add(id(value))
        if self._left < 0:
            raise FileFormatError(f"more than {_MOST_REPEATED} layers of the model stand in it again and again")


_MOST_REPEATED = 500


def find_function(value: julia.Function | None, name: str, place: str) -> Callable[..., Any]:
    """Return a function of one array; where the file has only its name, one that says so when it is called."""
    layer = make_function_layer(value) if value is not None else Hole(name)
    return layer.function if isinstance(layer, luxport.WrappedFunction) else Missing(place, name)


def read_padding(pad: tuple[int, ...], axes: int) -> Any:
    """Return a pad in our order, which is one number an axis, one for all, or pairs that are turned round with it."""
    if len(pad) == 2 * axes:
        return tuple([(low, high) for high, low in zip(pad[::2], pad[1::2], strict=True)])
    return pad * axes if len(pad) == 1 else pad


def expect_projection(layer: Layer, place: str) -> None:
    """Expect a part of an attention's.

    Raises: FileFormatError
    """
    if not isinstance(layer, luxport.Dense) or layer.activation != luxport.identity:
        raise FileFormatError(f"{place}: a Dense without activation expected, got {layer}")


def make_remembering(cell: Ported) -> Ported:
    """Return a cell that takes one step a call and remembers."""
    layer = luxport.StatefulRecurrentCell(cell.layer)  # type: ignore[arg-type]
    return Ported(layer, cell.ps, make_states(layer, 0))


def make_bare(layer: Layer) -> Ported:
    """Return a layer of which the file has no arrays."""
    _expect_small(layer, describe_values(initial_parameters, layer), 0)
    return Ported(layer, initial_parameters(0, layer), make_states(layer, 0))


def check_parameters(layer: Layer, ps: dict[str, Any], st: dict[str, Any] | None = None) -> Ported:
    """Check the parameters against those that the layer has, and put them in its order."""
    wanted = describe_values(initial_parameters, layer)  # shapes alone: sizes from a file may be any
    if set(wanted) != set(ps):
        raise FileFormatError(f"{layer} has {', '.join(wanted) or 'no parameters'}, the file {', '.join(ps) or 'none'}")
    for name, value in wanted.items():
        if value.shape != ps[name].shape:
            raise FileFormatError(f"{name} of {layer}: shape {value.shape} expected, got {ps[name].shape}")
    given = sum(array.size for array in (*ps.values(), *(st or {}).values()))
    return Ported(layer, {name: ps[name] for name in wanted}, {**make_states(layer, given), **(st or {})})


def make_states(layer: Layer, given: int) -> dict[str, Any]:
    """Return the initial states of a layer that has so many numbers in the file.

    Raises: FileFormatError if they are out of all proportion to these
    """
    _expect_small(layer, describe_values(initial_states, layer), given)
    return initial_states(0, layer)


_MOST_MADE = 1 << 20


def _expect_small(layer: Layer, values: Any, given: int) -> None:
    made = sum(math.prod(leaf.shape) for leaf in tree.leaves(values) if isinstance(leaf, AbstractArray))
    if made > _MOST_MADE + 4 * given:
        raise FileFormatError(f"{layer} begins with {made} numbers and has {given} in the file")
