"""The names, shapes and kinds of a layer's own arrays: recorded when it is built, compared at each call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple, TypeAlias

from luxport.backend import dtype_name
from luxport.backend.dtypes import is_floating
from luxport.core.layer_base import LayerBase, name_layers

__all__ = [
    "Entries",
    "Own",
    "Shapes",
    "has_own_arrays",
    "record_entries",
    "can_combine",
    "can_accompany",
    "find_number_kind",
]


Shapes: TypeAlias = tuple[tuple[str, tuple[int, ...], str], ...]
"""Name, shape and kind of numbers ("float", "int", "complex", "bool") of each array."""


Groups: TypeAlias = tuple[tuple[str, Shapes], ...]
"""Dicts of arrays by their names."""


Own: TypeAlias = tuple[Shapes, Shapes, bool]
"""A layer's own arrays among its parameters and its states, and whether the parameters hold nothing else."""


class Entries(NamedTuple):
    """The entries of a layer's parameters and states: all names, and the shapes of arrays that no inner layer owns."""

    parameter_names: tuple[str, ...]
    state_names: tuple[str, ...]
    parameters: Shapes
    states: Shapes
    parameter_groups: Groups
    state_groups: Groups
    """Arrays one level down, such as key and counter of a generator: checked after a failure or by `check_groups`."""
    nested: tuple[tuple[str, ...], tuple[str, ...]]
    """The names of dicts among the parameters, and among the states."""
    exact: bool
    """Whether the parameters consist of the layer's own arrays only, as it holds no layers."""

    @property
    def own(self) -> Own | None:
        """The part that every call compares."""
        return (self.parameters, self.states, self.exact) if self.parameters or self.states else None


def record_entries(layer: Any) -> None:
    """Record a new layer's entries in it, found from its initial values without drawing them."""
    entries = _find_entries(layer)
    object.__setattr__(layer, "_entries", entries)
    object.__setattr__(layer, "_own", None if entries is None else entries.own)
    try:
        object.__setattr__(layer, "_places", 1 + _count_places(layer.children()))
    except Exception:  # an incomplete layer of the user's: the error is raised again when it is called
        return


def _count_places(layers: Any) -> int:
    return sum([v._places if isinstance(v, LayerBase) else _count_places(v) for v in name_layers(layers).values()])


def _find_entries(layer: Any) -> Entries | None:
    if layer._entries_of is not None:
        return getattr(layer, layer._entries_of)._entries
    ps, st = [
        {} if _is_inherited(layer, name) else _describe_values(layer, name)
        for name in ("initial_parameters", "initial_states")
    ]
    if not ps and not st:
        return None
    try:
        inside = layer.children()
    except Exception:  # an incomplete layer of the user's: the error is raised again when it is called
        return None
    passes_on = _passes_entries_on(layer, inside)

    def select_own(values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value
            for name, value in values.items()
            if (name in layer._own_names if passes_on else name not in inside)
        }

    own_ps, own_st = select_own(ps), select_own(st)
    return Entries(
        parameter_names=tuple(ps),
        state_names=tuple(st),
        parameters=_list_shapes(own_ps),
        states=_list_shapes(own_st),
        parameter_groups=_list_groups(own_ps),
        state_groups=_list_groups(own_st),
        nested=(_name_dicts(ps), _name_dicts(st)),
        exact=0 < len(ps) == len(_list_shapes(own_ps)),
    )


def has_own_arrays(own: Own, ps: Any, st: Any) -> bool:
    """Return whether these certainly hold the layer's arrays. If False, `check_entries` decides, which is slower."""
    parameters, states, exact = own
    kind = dtype = first = None
    try:
        for name, wanted, numbers in parameters:
            array = ps[name]
            shape = array.shape
            # TensorFlow's shapes are not tuples, and comparing one with a tuple is slow.
            if shape != wanted if isinstance(shape, tuple) else tuple(shape) != wanted:
                return False
            if type(array) is not kind:
                if kind is not None:
                    return False
                kind = type(array)
            # A framework usually has one object for each dtype: comparing by identity avoids looking up its name.
            if numbers == "float":
                if first is None:
                    first, dtype = array, array.dtype
                elif array.dtype is not dtype and not can_combine(array, first):
                    return False
        if exact and len(ps) != len(parameters):
            return False
        for name, wanted, numbers in states:
            array = st[name]
            shape = array.shape
            if shape != wanted if isinstance(shape, tuple) else tuple(shape) != wanted:
                return False
            # Statistics may have a wider dtype than the parameters: beside half types they are float32.
            if numbers == "float" and array.dtype is not dtype and not can_accompany(array, first):
                return False
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return False
    return True


def can_combine(array: Any, other: Any) -> bool:
    """Return whether a layer can have both as parameters: both real or both complex, in any precision."""
    return array.dtype == other.dtype or find_number_kind(array) == find_number_kind(other) in ("float", "complex")


def can_accompany(state: Any, parameter: Any) -> bool:
    """Return whether a state is real, or can be combined with the layer's first floating parameter (None: no such)."""
    return is_floating(state) or (parameter is not None and can_combine(state, parameter))


def _is_inherited(layer: Any, initial: str) -> bool:
    """Return whether a layer inherits a method from luxport's base classes, by which it has no arrays of its own."""
    method = getattr(type(layer), initial)
    return method.__module__ in ("luxport.core.layer_base", "luxport.core.containers")


def _passes_entries_on(layer: Any, inside: Mapping[str, Any]) -> bool:
    """Return whether a layer passes its entries on to one that it holds without a key, which checks them itself."""
    held = [value for f in fields(layer) if isinstance(value := getattr(layer, f.name, None), LayerBase)]
    return any(all(child is not inner for child in inside.values()) for inner in held)


def _describe_values(layer: Any, initial: str) -> Mapping[str, Any]:
    """Return a layer's initial values as abstract arrays; {} if their shapes cannot be found without drawing."""
    from luxport.core.abstract_arrays import AbstractRng  # ``import luxport`` builds no layer and need not load this

    try:
        values = getattr(_replace_initializers(layer), initial)(AbstractRng())
    except Exception:  # a user's method that raises here raises again in `setup`, where the error is shown
        return {}
    return values if isinstance(values, Mapping) else {}


def _replace_initializers(layer: Any) -> Any:
    """Copy a layer, with initializers (the fields ``init_…``) that return abstract arrays."""
    copy = object.__new__(type(layer))
    for name, value in vars(layer).items():
        object.__setattr__(copy, name, _replace_initializer(value) if name.startswith("init_") else value)
    return copy


def _replace_initializer(initializer: Any) -> Any:
    if isinstance(initializer, (tuple, list)):
        return tuple(map(_replace_initializer, initializer))
    return _describe if callable(initializer) else initializer


def _describe(rng: Any, shape: tuple[int, ...]) -> Any:
    from luxport.core.array_without_values import AbstractArray

    return AbstractArray(shape)


def _name_dicts(values: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple([name for name, value in values.items() if isinstance(value, Mapping)])


def find_number_kind(array: Any) -> str:
    """Return the kind of an array's numbers: "float", "complex", "int", "bool", or "" for any other."""
    name = dtype_name(array)
    return next((kind for kind in ("float", "complex", "int", "bool") if kind in name), "")


def _list_groups(values: Mapping[str, Any]) -> Groups:
    groups = [(name, _list_shapes(value)) for name, value in values.items() if isinstance(value, Mapping)]
    return tuple([group for group in groups if group[1]])


def _list_shapes(values: Mapping[str, Any]) -> Shapes:
    """List the arrays of a dict; those inside a tuple, such as a carry, are left out, as their sizes may change."""
    found = []
    for name, value in values.items():
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple) and not isinstance(value, Mapping):
            found.append((name, tuple(map(int, shape)), find_number_kind(value)))
    return tuple(found)
