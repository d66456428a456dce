"""Which arrays a layer has of its own: found when it is built, and checked in each of its calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, NamedTuple, TypeAlias

from luxport.backend import dtype_name, find_owner, is_array
from luxport.backend.dtypes import is_floating
from luxport.core.abstract_arrays import AbstractArray, AbstractRng
from luxport.core.anatomy import LayerBase, by_name
from luxport.errors import LayerError, LayerTypeError
from luxport.text import kind_of, safe_to_show, shown

__all__ = ["Entries", "Own", "check_entries", "check_groups", "find_wrong_entry", "fits", "learn_entries"]

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
        object.__setattr__(layer, "_places", 1 + _places_of(layer.children()))
    except Exception:  # a layer of the user's own that is incomplete: its call raises the error
        return


def _places_of(layers: Any) -> int:
    return sum([one._places if isinstance(one, LayerBase) else _places_of(one) for one in by_name(layers).values()])


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
    handed_on = _hands_entries_on(layer, inside)

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
        parameters=_shapes(own_ps),
        states=_shapes(own_st),
        parameter_groups=_groups(own_ps),
        state_groups=_groups(own_st),
        nested=(_dicts(ps), _dicts(st)),
        exact=0 < len(ps) == len(_shapes(own_ps)),
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
                elif array.dtype is not dtype and not _may_meet(array, first):
                    return False
        if exact and len(ps) != len(parameters):
            return False
        for name, wanted, numbers in states:
            array = st[name]
            shape = array.shape
            if shape != wanted if isinstance(shape, tuple) else tuple(shape) != wanted:
                return False
            # Statistics may be wider than the parameters: those of half types stay in float32.
            if numbers == "float" and array.dtype is not dtype and not _may_stand_beside(array, first):
                return False
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return False
    return True


def _may_meet(array: Any, other: Any) -> bool:
    """Tell whether a layer computes with both as its parameters: both real or both complex, in any precision."""
    return array.dtype == other.dtype or _numbers(array) == _numbers(other) in ("float", "complex")


def _may_stand_beside(array: Any, parameter: Any) -> bool:
    """Tell whether a state may be beside a parameter, if there is any: real numbers may, and what is like it."""
    return is_floating(array) or (parameter is not None and _may_meet(array, parameter))


def check_entries(layer: Any, ps: Any, st: Any) -> None:
    """Refuse parameters and states that are not the layer's.

    Raises: LayerError; LayerTypeError for arrays of two backends
    """
    wrong = find_wrong_entry(layer, ps, st)
    if wrong is not None:
        raise LayerError(wrong)
    entries = layer._entries
    found: dict[str, str] = {}
    for given, shapes in ((ps, entries.parameters), (st, entries.states)):
        for name, *_ in shapes:
            owner = find_owner(type(given[name]))
            if owner is not None:
                found.setdefault(owner.name, name)
    if len(found) > 1:
        (first, one), (second, other) = list(found.items())[:2]
        raise LayerTypeError(
            f"expects parameters and states of one backend, got {one} of {first} and {other} of {second}: "
            f"move them with luxport.to(..., backend={shown(first)})"
        )


def check_groups(layer: Any, ps: Any, st: Any) -> None:
    """Refuse arrays one level down that are not the layer's: no operation would, as they might broadcast.

    Raises: LayerError
    """
    for given, groups in ((ps, layer._entries.parameter_groups), (st, layer._entries.state_groups)):
        for group, shapes in groups:
            if not fits((shapes, (), False), given[group], None):
                check_entries(layer, ps, st)


def find_wrong_entry(layer: Any, ps: Any, st: Any, *, absent: bool = True) -> str | None:
    """Say which entry of ps or st the layer wants and was not given, if any; draw nothing, and never raise.

    With `absent` false an entry that is missing is no error: a layer of the user's own need not use all entries.
    """
    try:
        if absent or not isinstance(ps, Mapping) or not isinstance(st, Mapping):
            wrong = _wrong_name(layer, ps, st)
            if wrong is not None:
                return wrong
        return _wrong_array(layer._entries, ps, st)
    except Exception:  # the error that is being explained counts, not what went wrong with its explanation
        return None


_REMEDY = "make them with luxport.setup"
_CONVERT = "convert it with luxport.asarray(..., dtype=)"


def _wrong_name(layer: Any, ps: Any, st: Any) -> str | None:
    entries = layer._entries
    inside = tuple(layer.children())
    wanted_ps = inside if entries is None else entries.parameter_names or inside
    wanted_st = inside if entries is None else entries.state_names or inside
    if wanted_ps and not _has_all(ps, wanted_ps) and _has_all(st, wanted_ps) and _has_all(ps, wanted_st):
        return f"expects parameters {_names(wanted_ps)}, got {_names(ps)}: call model(x, ps, st), parameters first"
    for what, given, wanted in (("parameters", ps, wanted_ps), ("states", st, wanted_st)):
        if wanted and not isinstance(given, Mapping):
            return f"expects {what} as a mapping with {_names(wanted)}, got {kind_of(given)}: {_REMEDY}"
        if not _has_all(given, wanted):
            return f"expects {what} {_names(wanted)}, got {_names(given)}: {_REMEDY}"
    for what, given, nested in zip(
        ("parameters", "states"), (ps, st), entries.nested if entries else ((), ()), strict=True
    ):
        for name in nested:
            if not isinstance(given[name], Mapping):
                return f"expects {what} in {name} as a mapping, got {kind_of(given[name])}: {_REMEDY}"
        wrong = _wrong_inside(layer.children(), given, what)
        if wrong is not None:
            return wrong
    # An entry that is None stands for no array, and does no harm.
    if entries is not None and entries.exact and any(ps[name] is not None for name in ps if name not in wanted_ps):
        return f"expects no parameters but {_names(wanted_ps)}, got {_names(ps)}: leave the others out"
    return None


def _wrong_inside(layers: Mapping[str, Any], given: Any, what: str) -> str | None:
    """Check the entries of tuples and dicts of layers; each layer checks its own entries itself."""
    for name, child in layers.items():
        inner = given[name]
        if isinstance(child, LayerBase):
            if not isinstance(inner, Mapping) and (child._entries is not None or child.children()):
                return f"expects {what} in {name} as a mapping, got {kind_of(inner)}: {_REMEDY}"
            continue
        named = by_name(child)
        if not isinstance(inner, Mapping) or not _has_all(inner, named):
            got = _names(inner) if isinstance(inner, Mapping) else kind_of(inner)
            return f"expects {what} {_names(named)} in {name}, got {got}: {_REMEDY}"
        wrong = _wrong_inside(named, inner, what)
        if wrong is not None:
            return wrong
    return None


def _wrong_array(entries: Entries | None, ps: Any, st: Any) -> str | None:
    if entries is None:
        return None
    found = (
        _wrong_shape(entries.parameters, ps, "parameters")
        or _wrong_shape(entries.states, st, "states")
        or _wrong_numbers(entries.parameters, ps)
        or _wrong_numbers_of_states(entries, ps, st)
    )
    for what, given, groups in (("parameters", ps, entries.parameter_groups), ("states", st, entries.state_groups)):
        for group, shapes in groups:
            inner = given[group]
            if found is None and not _has_all(inner, [name for name, *_ in shapes]):
                got = _names(inner) if isinstance(inner, Mapping) else kind_of(inner)
                found = f"expects {what} {_names(name for name, *_ in shapes)} in {group}, got {got}: {_REMEDY}"
            found = found or _wrong_shape(shapes, inner, what) or _wrong_numbers(shapes, inner)
    return found


def _wrong_shape(shapes: Shapes, given: Any, what: str) -> str | None:
    for name, wanted, _ in shapes:
        value = given[name]
        shape = getattr(value, "shape", None)
        if shape is None:
            if wanted == () and isinstance(value, (bool, int, float)):
                continue
            got = "None" if value is None else type(value).__name__
            return f"expects an array as {name}, got {got}: make one with luxport.setup"
        if not _agree(shape, wanted):
            got = "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"
            return f"expects {name} {wanted}, got {got}: {what} of another layer? {_REMEDY}"
    return None


def _wrong_numbers(shapes: Shapes, given: Any) -> str | None:
    """Say which of several arrays has numbers of another kind than those beside it; integers are no weights."""
    arrays = {name: given[name] for name, _, numbers in shapes if numbers == "float" and is_array(given[name])}
    if not all(_may_meet(array, other) for array in arrays.values() for other in arrays.values()):
        for name, array in arrays.items():
            if _numbers(array) not in ("float", "complex"):
                return f"expects floating numbers as {name}, got {dtype_name(array)}: {_CONVERT}"
        real, other = (
            next(name for name, array in arrays.items() if _numbers(array) == kind) for kind in ("float", "complex")
        )
        kinds = f"{dtype_name(arrays[real])} and {dtype_name(arrays[other])}"
        return f"expects {real} and {other} both real or both complex, got {kinds}: {_CONVERT}"
    for name, _, numbers in shapes:
        kind = _numbers(given[name]) if is_array(given[name]) else numbers
        if numbers == "int" and kind != "int":
            return f"expects integers as {name}, got {dtype_name(given[name])}: {_REMEDY}"
    return None


def _wrong_numbers_of_states(entries: Entries, ps: Any, st: Any) -> str | None:
    first = next((ps[name] for name, _, numbers in entries.parameters if numbers == "float"), None)
    for name, _, numbers in entries.states:
        if numbers == "float" and is_array(st[name]) and not _may_stand_beside(st[name], first):
            wanted = "real floating" if first is None or _numbers(first) == "float" else "floating or complex"
            return f"expects {wanted} numbers as {name}, got {dtype_name(st[name])}: {_CONVERT}"
    return None


def _agree(shape: Any, wanted: tuple[int, ...]) -> bool:
    """Compare shapes, of which a compiled program may not know every size yet, or not even the rank."""
    try:
        sizes = tuple(shape)
    except ValueError:
        return True
    return len(sizes) == len(wanted) and all(
        n == m or not isinstance(n, int) for n, m in zip(sizes, wanted, strict=True)
    )


def _has_all(given: Any, wanted: Iterable[str]) -> bool:
    return all(name in given for name in wanted) if isinstance(given, Mapping) else not tuple(wanted)


def _names(entries: Iterable[str]) -> str:
    names = [safe_to_show(str(name), 60) for name in entries]
    return "{" + ", ".join(names if len(names) <= _MOST_NAMES else [*names[:_MOST_NAMES], "…"]) + "}"


_MOST_NAMES = 30


def _is_handed_on(layer: Any, initial: str) -> bool:
    """Tell whether a layer makes its initial values as its base class does: of nothing, or of the layers inside."""
    method = getattr(type(layer), initial)
    return method.__module__ in ("luxport.core.anatomy", "luxport.core.containers")


def _hands_entries_on(layer: Any, inside: Mapping[str, Any]) -> bool:
    """Tell whether a layer's entries are those of one layer that it holds, which looks at them itself."""
    held = [value for f in fields(layer) if isinstance(value := getattr(layer, f.name, None), LayerBase)]
    return any(all(child is not one for child in inside.values()) for one in held)


def _describe_values(layer: Any, initial: str) -> Mapping[str, Any]:
    """Return the initial values as shapes; nothing if they cannot be known without drawing."""
    try:
        values = getattr(_without_initializers(layer), initial)(AbstractRng())
    except Exception:  # a user's own method that raises here raises again in `setup`, where the error is shown
        return {}
    return values if isinstance(values, Mapping) else {}


def _without_initializers(layer: Any) -> Any:
    """Copy a layer whose initializers, the fields ``init_…``, tell a shape and draw nothing."""
    copy = object.__new__(type(layer))
    for name, value in vars(layer).items():
        object.__setattr__(copy, name, _shape_alone(value) if name.startswith("init_") else value)
    return copy


def _shape_alone(initializer: Any) -> Any:
    if isinstance(initializer, (tuple, list)):
        return tuple(map(_shape_alone, initializer))
    return _describe if callable(initializer) else initializer


_describe: Callable[..., AbstractArray] = lambda rng, shape: AbstractArray(shape)  # noqa: E731


def _dicts(values: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple([name for name, value in values.items() if isinstance(value, Mapping)])


def _numbers(value: Any) -> str:
    """Name the kind of an array's numbers."""
    name = dtype_name(value)
    return next((kind for kind in ("float", "complex", "int", "bool") if kind in name), "")


def _groups(values: Mapping[str, Any]) -> Groups:
    groups = [(name, _shapes(value)) for name, value in values.items() if isinstance(value, Mapping)]
    return tuple([group for group in groups if group[1]])


def _shapes(values: Mapping[str, Any]) -> Shapes:
    """List the arrays at the top, by name and shape; what a tuple holds, as a carry, may change its size."""
    found = []
    for name, value in values.items():
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple) and not isinstance(value, Mapping):
            found.append((name, tuple(map(int, shape)), _numbers(value)))
    return tuple(found)
