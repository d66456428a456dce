"""Hints for errors: names, attributes and options of other libraries, and what to write here instead."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from luxport.hints.names import NAMES, WINDOWED
from luxport.hints.options import ADVICE, ATTRIBUTES, CALL_OPTIONS, NO_ARRAYS, OF_STATES
from luxport.text import show

__all__ = [
    "advise_on_option",
    "advise_on_type",
    "hint_at_attribute",
    "hint_at_name",
    "hint_at_option",
    "make_attribute_error",
]

_PACKAGES = (
    "optimizers",
    "losses",
    "training",
    "initializers",
    "schedules",
    "devices",
    "ops",
    "porting",
    "tree",
    "layers",
)


def hint_at_name(package: str, name: str, known: Iterable[str]) -> str:
    """Return a colon and what to use instead of a name that a package lacks; "" if nothing is known."""
    if name.startswith("_"):
        return ""
    at_the_top = package in ("luxport", "luxport.layers")
    for here in (f"{package.rpartition('.')[2]}.{name}", name):
        if here in NAMES:
            return f": luxport.{NAMES[here]}"
    axes = _hint_at_axes(name)
    if axes:
        return axes
    same = {_simplify(one): one for one in known}.get(_simplify(name))
    if same is None or at_the_top:
        for inner in _PACKAGES if at_the_top else ("", *_PACKAGES):
            place = f"luxport.{inner}".rstrip(".")
            if name in getattr(import_module(place), "__all__", ()):
                return f": {place}.{name}"
        meant = {_simplify(one): ours for one, ours in NAMES.items()}.get(_simplify(name))
        if meant is not None:
            return f": luxport.{meant}"
    close = [same] if same is not None else _find_nearest(name, known)
    return f": did you mean {'luxport.' if at_the_top else ''}{close[0]}?" if close else ""


def _hint_at_axes(name: str) -> str:
    """Return a colon and what to use instead of a name that ends in a number of axes, as conv2d; "" if not known."""
    plain = name[:-2]
    if name[-2:].lower() not in ("1d", "2d", "3d"):
        return ""
    if plain in WINDOWED:
        return f": luxport.{WINDOWED[plain]} has as many axes as its window, or as its input"
    if plain in NAMES:
        return f": luxport.{NAMES[plain]}"
    operations = import_module("luxport.ops").__all__
    return f": luxport.ops.{plain} has as many axes as its window, or as its input" if plain in operations else ""


def _simplify(name: str) -> str:
    """Return a name in lower case without underscores: libraries differ in both."""
    return name.lower().replace("_", "")


def _find_nearest(name: str, known: Iterable[str]) -> list[str]:
    from difflib import get_close_matches  # imported only when a name is wrong

    return get_close_matches(name, list(known), 1, 0.85)


def make_attribute_error(value: Any, name: str) -> AttributeError:
    """Return the error for a missing attribute, with what to use instead."""
    kind = type(value).__name__
    return AttributeError(f"{kind} has no attribute {show(name)}{hint_at_attribute(name, kind)}")


def hint_at_attribute(name: str, kind: str = "") -> str:
    """Return a colon and what to use instead of an attribute of other libraries' models or training states, or ""."""
    found = OF_STATES.get(name) if kind == "TrainState" else None
    found = found or ATTRIBUTES.get(name, "")
    return f": {found}" if found else ""


def advise_on_type(kind: type) -> str:
    """Return how to get an array from a value of this type."""
    if issubclass(kind, import_module("luxport.core.layer_base").LayerBase):
        return NO_ARRAYS
    if kind.__name__ in ("DataFrame", "Series"):
        return 'its to_numpy("float32") is one'
    return "make one with luxport.asarray"


def advise_on_option(option: str) -> str:
    """Return how to get the effect of another library's option, as a sentence; "" if not known.

    Args:
        option: its name, or ``caller.name`` for what holds in one function or layer alone
    """
    return ADVICE.get(option, "")


def hint_at_option(name: str) -> str:
    """Return a semicolon and what replaces an option that calls of other libraries' models take, or ""."""
    return f"; {CALL_OPTIONS[name]}" if name in CALL_OPTIONS else ""
