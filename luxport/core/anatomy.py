"""What every layer is, and how layers inside layers are found: what printing, checking and locating errors build on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, TypeAlias

from luxport.call_arguments import explain_construction
from luxport.random import Rng
from luxport.text import name_kind
from luxport.tree.static import ExactlyEqual

__all__ = [
    "LayerBase",
    "NamedLayers",
    "Parameters",
    "States",
    "name_layers",
    "expect_no_layer",
    "has_layers",
    "is_layers",
]


Parameters: TypeAlias = Mapping[str, Any]
"""The parameters of a layer: arrays by name, or dicts of them by the names of the layers inside."""

States: TypeAlias = Mapping[str, Any]
"""The state of a layer, which each call returns anew: like `Parameters`."""


class LayerBase(ExactlyEqual):
    """What every layer tells of itself. `luxport.Layer` adds how layers are built, called and written out."""

    _entries: ClassVar[Any] = None
    _own: ClassVar[Any] = None
    # How many layers it is with all inside, each counted in every place.
    _places: ClassVar[int] = 1
    # The field with a layer whose methods are called instead of itself: its entries are checked in place of this one's.
    _entries_of: ClassVar[str | None] = None
    # Entries that a layer uses itself, where all others are handed on to a layer that it holds.
    _own_names: ClassVar[Any] = ()
    # Whether it is a recurrent cell: networks call its methods, so that it counts as one layer, whatever it holds.
    _is_cell: ClassVar[bool] = False
    # Whether errors of a layer inside that has no path are told as its own: it made that layer, and no user did.
    _tells_as_own: ClassVar[bool] = False

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the initial parameters on the host, in field order."""
        return {}

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Make the initial states on the host."""
        return {}

    def children(self) -> Mapping[str, Any]:
        """Return the layers inside this one by the keys of their parameters."""
        return {}


@explain_construction
class NamedLayers(ExactlyEqual, Mapping[str, Any]):
    """An immutable, hashable, ordered mapping of names to layers: the field of a container that has many."""

    __slots__ = ("_layers", "pairs")

    def __init__(self, layers: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        self._layers = dict(layers)
        self.pairs = tuple(self._layers.items())  # what a mapping's `items` makes one by one in every call

    def __getitem__(self, name: str) -> Any:
        if name not in self._layers:
            raise KeyError(f"no layer {name!r}: by position model[0], by name one of {', '.join(self._layers)}")
        return self._layers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self.pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NamedLayers) and self.pairs == other.pairs

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return f"NamedLayers({self._layers!r})"


def expect_no_layer(function: str, ps: Any) -> None:
    """Refuse a model where parameters are expected: in other libraries a model holds its parameters.

    Raises: TypeError
    """
    if isinstance(ps, LayerBase):
        raise TypeError(
            f"{function} expects a tree of arrays, got {name_kind(ps)}, which holds none: "
            "ps, st = luxport.setup(rng, layer)"
        )


def is_layers(value: Any) -> bool:
    """Tell a layer, or a tuple, list or mapping of nothing but layers, which may be nested."""
    if isinstance(value, LayerBase):
        return True
    if isinstance(value, Mapping):
        value = tuple(value.values())
    return isinstance(value, (tuple, list)) and len(value) > 0 and all(is_layers(entry) for entry in value)


def has_layers(value: Any) -> bool:
    """Tell whether there is a layer anywhere inside."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    return isinstance(value, LayerBase) or (
        isinstance(value, (tuple, list)) and any(has_layers(entry) for entry in value)
    )


def name_layers(layers: Any) -> Mapping[str, Any]:
    """Name layers as their parameters are named: ``layer_1``, ``layer_2``, … in a sequence."""
    if isinstance(layers, Mapping):
        return layers
    return {f"layer_{i}": layer for i, layer in enumerate(layers, start=1)}
