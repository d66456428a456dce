"""Explain parameters and states that do not belong to a layer: missing names, wrong shapes or dtypes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from luxport.backend import dtype_name, find_owner, is_array
from luxport.core.entries import Entries, Shapes, can_accompany, can_combine, find_number_kind, has_own_arrays
from luxport.core.layer_base import LayerBase, name_layers
from luxport.errors import LayerError, LayerTypeError
from luxport.text import make_safe, name_kind, show

__all__ = ["check_entries", "check_groups", "find_wrong_entry"]


def check_entries(layer: Any, ps: Any, st: Any) -> None:
    """Expect parameters and states with the layer's own arrays, all of one backend.

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
            f"move them with luxport.to(..., backend={show(first)})"
        )


def check_groups(layer: Any, ps: Any, st: Any) -> None:
    """Expect the layer's arrays one level down, where a wrong one might broadcast without an error.

    Raises: LayerError
    """
    for given, groups in ((ps, layer._entries.parameter_groups), (st, layer._entries.state_groups)):
        for group, shapes in groups:
            if not has_own_arrays((shapes, (), False), given[group], None):
                check_entries(layer, ps, st)


def find_wrong_entry(layer: Any, ps: Any, st: Any, *, absent: bool = True) -> str | None:
    """Return a message about the first entry of ps or st that is missing or wrong, or None. It never raises.

    With `absent` false, missing entries are not reported: a layer of the user's need not use all of them.
    """
    try:
        if absent or not isinstance(ps, Mapping) or not isinstance(st, Mapping):
            wrong = _find_wrong_name(layer, ps, st)
            if wrong is not None:
                return wrong
        return _find_wrong_array(layer._entries, ps, st)
    except Exception:  # an error here must not hide the one that is being explained
        return None


_REMEDY = "make them with luxport.setup"


_CONVERT = "convert it with luxport.asarray(..., dtype=)"


def _find_wrong_name(layer: Any, ps: Any, st: Any) -> str | None:
    entries = layer._entries
    inside = tuple(layer.children())
    wanted_ps = inside if entries is None else entries.parameter_names or inside
    wanted_st = inside if entries is None else entries.state_names or inside
    if wanted_ps and not _has_all(ps, wanted_ps) and _has_all(st, wanted_ps) and _has_all(ps, wanted_st):
        got = _show_names(ps)
        return f"expects parameters {_show_names(wanted_ps)}, got {got}: call model(x, ps, st), parameters first"
    if (wanted_ps or wanted_st) and isinstance(ps, Mapping) and is_array(st):
        return f"expects states as a mapping, got {name_kind(st)}: call model(x, ps, st), the input first"
    for what, given, wanted in (("parameters", ps, wanted_ps), ("states", st, wanted_st)):
        if wanted and not isinstance(given, Mapping):
            return f"expects {what} as a mapping with {_show_names(wanted)}, got {name_kind(given)}: {_REMEDY}"
        if not _has_all(given, wanted):
            return f"expects {what} {_show_names(wanted)}, got {_show_names(given)}: {_REMEDY}"
    for what, given, nested in zip(
        ("parameters", "states"), (ps, st), entries.nested if entries else ((), ()), strict=True
    ):
        for name in nested:
            if not isinstance(given[name], Mapping):
                return f"expects {what} in {name} as a mapping, got {name_kind(given[name])}: {_REMEDY}"
        wrong = _find_wrong_inside(layer.children(), given, what)
        if wrong is not None:
            return wrong
    # An additional entry that is None holds no array and is ignored.
    if entries is not None and entries.exact and any(ps[name] is not None for name in ps if name not in wanted_ps):
        return f"expects no parameters but {_show_names(wanted_ps)}, got {_show_names(ps)}: leave the others out"
    return None


def _find_wrong_inside(layers: Mapping[str, Any], given: Any, what: str) -> str | None:
    """Return a message about the entries of tuples and dicts of layers; each layer checks its own when it is called."""
    for name, child in layers.items():
        inner = given[name]
        if isinstance(child, LayerBase):
            if not isinstance(inner, Mapping) and (child._entries is not None or child.children()):
                return f"expects {what} in {name} as a mapping, got {name_kind(inner)}: {_REMEDY}"
            continue
        named = name_layers(child)
        if not isinstance(inner, Mapping) or not _has_all(inner, named):
            got = _show_names(inner) if isinstance(inner, Mapping) else name_kind(inner)
            return f"expects {what} {_show_names(named)} in {name}, got {got}: {_REMEDY}"
        wrong = _find_wrong_inside(named, inner, what)
        if wrong is not None:
            return wrong
    return None


def _find_wrong_array(entries: Entries | None, ps: Any, st: Any) -> str | None:
    if entries is None:
        return None
    found = (
        _find_wrong_shape(entries.parameters, ps, "parameters")
        or _find_wrong_shape(entries.states, st, "states")
        or _find_wrong_numbers(entries.parameters, ps)
        or _find_wrong_states(entries, ps, st)
    )
    for what, given, groups in (("parameters", ps, entries.parameter_groups), ("states", st, entries.state_groups)):
        for group, shapes in groups:
            inner = given[group]
            if found is None and not _has_all(inner, [name for name, *_ in shapes]):
                got = _show_names(inner) if isinstance(inner, Mapping) else name_kind(inner)
                found = f"expects {what} {_show_names(name for name, *_ in shapes)} in {group}, got {got}: {_REMEDY}"
            found = found or _find_wrong_shape(shapes, inner, what) or _find_wrong_numbers(shapes, inner)
    return found


def _find_wrong_shape(shapes: Shapes, given: Any, what: str) -> str | None:
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


def _find_wrong_numbers(shapes: Shapes, given: Any) -> str | None:
    """Return a message about arrays whose dtypes cannot be combined: real and complex ones, or integers as weights."""
    arrays = {name: given[name] for name, _, numbers in shapes if numbers == "float" and is_array(given[name])}
    if not all(can_combine(array, other) for array in arrays.values() for other in arrays.values()):
        for name, array in arrays.items():
            if find_number_kind(array) not in ("float", "complex"):
                return f"expects floating numbers as {name}, got {dtype_name(array)}: {_CONVERT}"
        real, other = (
            next(name for name, array in arrays.items() if find_number_kind(array) == kind)
            for kind in ("float", "complex")
        )
        kinds = f"{dtype_name(arrays[real])} and {dtype_name(arrays[other])}"
        return f"expects {real} and {other} both real or both complex, got {kinds}: {_CONVERT}"
    for name, _, numbers in shapes:
        kind = find_number_kind(given[name]) if is_array(given[name]) else numbers
        if numbers == "int" and kind != "int":
            return f"expects integers as {name}, got {dtype_name(given[name])}: {_REMEDY}"
    return None


def _find_wrong_states(entries: Entries, ps: Any, st: Any) -> str | None:
    first = next((ps[name] for name, _, numbers in entries.parameters if numbers == "float"), None)
    for name, _, numbers in entries.states:
        if numbers == "float" and is_array(st[name]) and not can_accompany(st[name], first):
            wanted = "real floating" if first is None or find_number_kind(first) == "float" else "floating or complex"
            return f"expects {wanted} numbers as {name}, got {dtype_name(st[name])}: {_CONVERT}"
    return None


def _agree(shape: Any, wanted: tuple[int, ...]) -> bool:
    """Return whether a shape can be the wanted one; during compilation sizes or even the rank may be unknown."""
    try:
        sizes = tuple(shape)
    except ValueError:
        return True
    return len(sizes) == len(wanted) and all(
        n == m or not isinstance(n, int) for n, m in zip(sizes, wanted, strict=True)
    )


def _has_all(given: Any, wanted: Iterable[str]) -> bool:
    return all(name in given for name in wanted) if isinstance(given, Mapping) else not tuple(wanted)


def _show_names(entries: Iterable[str]) -> str:
    names = [make_safe(str(name), 60) for name in entries]
    return "{" + ", ".join(names if len(names) <= _MOST_NAMES else [*names[:_MOST_NAMES], "…"]) + "}"


_MOST_NAMES = 30
