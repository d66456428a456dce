"""Which arrays a layer has of its own: found when it is built, and checked in each of its calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple, TypeAlias

from luxport.backend import dtype_name
from luxport.backend.dtypes import is_floating
from luxport.core.anatomy import LayerBase, name_layers

__all__ = ["Entries", "Own", "Shapes", "fits", "learn_entries", "may_meet", "may_stand_beside", "tell_kind"]


Shapes: TypeAlias = tuple[tuple[str, tuple[int, ...], str], ...]
"""Arrays by name: the shape of each, and its kind of numbers ("float", "int", "complex", "bool")."""


Groups: TypeAlias = tuple[tuple[str, Shapes], ...]


Own: TypeAlias = tuple[Shapes, Shapes, bool]
"""The arrays among the parameters and among the states, and whether there are no other parameters."""


class Entries(NamedTuple):
    """What a layer expects to find: all names at the top, and the shapes of the arrays that are no layer's inside."""

    parameter_names: tuple[str, ...]
    state_names: tuple[str, ...]
    parameters: Shapes
    states: Shapes
    parameter_groups: Groups
    state_groups: Groups
    """Arrays one level down, such as key and counter of a generator: looked at when a call has failed, or asks."""
    nested: tuple[tuple[str, ...], tuple[str, ...]]
    """The names of dicts among the parameters, and among the states."""
    exact: bool
    """Whether there are no other parameters: the layer holds no layers."""

    @property
    def own(self) -> Own | None:
        """What every call looks at."""
        return (self.parameters, self.states, self.exact) if self.parameters or self.states else None


def learn_entries(layer: Any) -> None:
    """Let a layer that is built remember which entries it has, by its initial values without drawing any."""
    entries = _entries_of(layer)
    object.__setattr__(layer, "_entries", entries)
    object.__setattr__(layer, "_own", None if entries is None else entries.own)
    try:
        object.__setattr__(layer, "_places", 1 + _count_places(layer.children()))
    except Exception:  # a layer of the user's own that is incomplete: its call raises the error
        return


def _count_places(layers: Any) -> int:
    return sum(
        [one._places if isinstance(one, LayerBase) else _count_places(one) for one in name_layers(layers).values()]
    )


def _entries_of(layer: Any) -> Entries | None:
    if layer._entries_of is not None:
        return getattr(layer, layer._entries_of)._entries
    described = [
        {} if _is_handed_on(layer, name) else _describe_values(layer, name)
        for name in ("initial_parameters", "initial_states")
    ]
    ps, st = described
    if not ps and not st:
        return None
    try:
        inside = layer.children()
    except Exception:  # a layer of the user's own that is incomplete: its call raises the error
        return None
    handed_on = _passes_entries_on(layer, inside)

    def own(values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value
            for name, value in values.items()
            if (name in layer._own_names if handed_on else name not in inside)
        }

    own_ps, own_st = own(ps), own(st)
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


def fits(own: Own, ps: Any, st: Any) -> bool:
    """Tell quickly whether these are surely the layer's arrays; if not, `check_entries` decides."""
    parameters, states, exact = own
    kind = dtype = first = None
    try:
        for name, wanted, numbers in parameters:
            array = ps[name]
            shape = array.shape
            # TensorFlow's shapes are no tuples, and slow to compare with one.
            if shape != wanted if isinstance(shape, tuple) else tuple(shape) != wanted:
                return False
            if type(array) is not kind:
                if kind is not None:
                    return False
                kind = type(array)
            # The dtypes of a framework are one object each, as a rule: most calls need no names.
            if numbers == "float":
                if first is None:
                    first, dtype = array, array.dtype
                elif array.dtype is not dtype and not may_meet(array, first):
                    return False
        if exact and len(ps) != len(parameters):
            return False
        for name, wanted, numbers in states:
            array = st[name]
            shape = array.shape
            if shape != wanted if isinstance(shape, tuple) else tuple(shape) != wanted:
                return False
            # Statistics may be wider than the parameters: those of half types stay in float32.
            if numbers == "float" and array.dtype is not dtype and not may_stand_beside(array, first):
                return False
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return False
    return True


def may_meet(array: Any, other: Any) -> bool:
    """Tell whether a layer computes with both as its parameters: both real or both complex, in any precision."""
    return array.dtype == other.dtype or tell_kind(array) == tell_kind(other) in ("float", "complex")


def may_stand_beside(array: Any, parameter: Any) -> bool:
    """Tell whether a state may be beside a parameter, if there is any: real numbers may, and what is like it."""
    return is_floating(array) or (parameter is not None and may_meet(array, parameter))


def _is_handed_on(layer: Any, initial: str) -> bool:
    """Tell whether a layer makes its initial values as its base class does: of nothing, or of the layers inside."""
    method = getattr(type(layer), initial)
    return method.__module__ in ("luxport.core.anatomy", "luxport.core.containers")


def _passes_entries_on(layer: Any, inside: Mapping[str, Any]) -> bool:
    """Tell whether a layer's entries are those of one layer that it holds, which looks at them itself."""
    held = [value for f in fields(layer) if isinstance(value := getattr(layer, f.name, None), LayerBase)]
    return any(all(child is not one for child in inside.values()) for one in held)


def _describe_values(layer: Any, initial: str) -> Mapping[str, Any]:
    """Return the initial values as shapes; nothing if they cannot be known without drawing."""
    from luxport.core.abstract_arrays import AbstractRng  # no layer is built by ``import luxport``

    try:
        values = getattr(_drop_initializers(layer), initial)(AbstractRng())
    except Exception:  # a user's own method that raises here raises again in `setup`, where the error is shown
        return {}
    return values if isinstance(values, Mapping) else {}


def _drop_initializers(layer: Any) -> Any:
    """Copy a layer whose initializers, the fields ``init_…``, tell a shape and draw nothing."""
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


def tell_kind(value: Any) -> str:
    """Name the kind of an array's numbers."""
    name = dtype_name(value)
    return next((kind for kind in ("float", "complex", "int", "bool") if kind in name), "")


def _list_groups(values: Mapping[str, Any]) -> Groups:
    groups = [(name, _list_shapes(value)) for name, value in values.items() if isinstance(value, Mapping)]
    return tuple([group for group in groups if group[1]])


def _list_shapes(values: Mapping[str, Any]) -> Shapes:
    """List the arrays at the top, by name and shape; what a tuple holds, as a carry, may change its size."""
    found = []
    for name, value in values.items():
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple) and not isinstance(value, Mapping):
            found.append((name, tuple(map(int, shape)), tell_kind(value)))
    return tuple(found)
