"""`LayerBase`, the attributes of every layer, and functions that find the layers inside a layer.

Printing, checking and locating errors build on it without importing `luxport.core.layer`.
"""

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
    "expect_layer",
    "expect_no_layer",
    "has_layers",
    "is_layers",
]


Parameters: TypeAlias = Mapping[str, Any]
"""The parameters of a layer: arrays by name, or dicts of them by the names of the layers inside."""

States: TypeAlias = Mapping[str, Any]
"""The state of a layer, nested as `Parameters`; each call returns a new one."""


class LayerBase(ExactlyEqual):
    """The attributes and methods of every layer. `luxport.Layer` adds construction, calls and printing."""

    # What `luxport.core.entries` has found out about its parameters and states.
    _entries: ClassVar[Any] = None
    _own: ClassVar[Any] = None
    # The number of layers it consists of, itself included; a layer that occurs several times counts each time.
    _places: ClassVar[int] = 1
    # The name of a field whose layer's methods are called instead of this layer: the entries of that one are checked.
    _entries_of: ClassVar[str | None] = None
    # The entries that a layer reads itself, if it passes all others on to a layer that it holds.
    _own_names: ClassVar[Any] = ()
    # Whether it is a recurrent cell: networks call a cell's methods, so it counts as one layer whatever it holds.
    _is_cell: ClassVar[bool] = False
    # Whether an error of an inner layer without a path names this layer: it made the inner one, which no user knows.
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
    """An immutable, hashable, ordered mapping of names to layers, in which containers store their layers."""

    __slots__ = ("_layers", "pairs")

    def __init__(self, layers: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        self._layers = dict(layers)
        self.pairs = tuple(self._layers.items())  # stored because every call of a container iterates over it

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


def expect_layer(caller: str, model: Any) -> None:
    """Expect a layer.

    Raises: TypeError
    """
    if not isinstance(model, LayerBase):
        cure = f": call it, {model.__name__}(...)" if isinstance(model, type) else ""
        raise TypeError(f"{caller} expects a layer, got {name_kind(model)}{cure}")


def expect_no_layer(function: str, ps: Any) -> None:
    """Expect parameters and not a layer, which in other libraries holds its parameters.

    Raises: TypeError
    """
    if isinstance(ps, LayerBase):
        raise TypeError(
            f"{function} expects a tree of arrays, got {name_kind(ps)}, which holds none: "
            "ps, st = luxport.setup(rng, layer)"
        )


def is_layers(value: Any) -> bool:
    """Return whether a value is a layer, or a non-empty tuple, list or mapping of only such values."""
    if isinstance(value, LayerBase):
        return True
    if isinstance(value, Mapping):
        value = tuple(value.values())
    return isinstance(value, (tuple, list)) and len(value) > 0 and all(is_layers(entry) for entry in value)


def has_layers(value: Any) -> bool:
    """Return whether a value is a layer or holds one at any depth."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    return isinstance(value, LayerBase) or (
        isinstance(value, (tuple, list)) and any(has_layers(entry) for entry in value)
    )


def name_layers(layers: Any) -> Mapping[str, Any]:
    """Return layers by the keys of their parameters: ``layer_1``, ``layer_2``, … for a sequence."""
    if isinstance(layers, Mapping):
        return layers
    return {f"layer_{i}": layer for i, layer in enumerate(layers, start=1)}
