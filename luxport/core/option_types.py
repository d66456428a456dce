"""What a layer's options may be, by the types that its fields are annotated with: one table for all layers."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from numbers import Real
from typing import Any

import numpy as np

from luxport import initializers
from luxport.backend.option_rules import is_int
from luxport.core.anatomy import LayerBase
from luxport.ops import activations
from luxport.text import shown

__all__ = ["wrong_option"]


def wrong_option(kind: type, options: Mapping[str, Any]) -> str | None:
    """Say which of these fields of a layer's class is not what its annotation asks for; None if all are."""
    for f in fields(kind):  # type: ignore[arg-type]
        if f.name not in options or not f.init or f.name == "name":
            continue
        value = options[f.name]
        parts = [part.strip() for part in _split(str(f.type))]
        known = [_KINDS.get(part) for part in parts]
        if None in known:
            continue
        if not any(fits(value) for fits, _ in known):  # type: ignore[misc]
            wanted = " or ".join(text for _, text in known)  # type: ignore[misc]
            return f"{kind.__name__} expects {f.name} as {wanted}, got {shown(value)}{_remedy(parts, f.name, value)}"
        if f.name in _RANGES and _is_number(value):
            low, high = _RANGES[f.name]
            if not low <= value <= high:
                wanted = f"of at least {low:g}" if math.isinf(high) else f"in [{low:g}, {high:g}]"
                return f"{kind.__name__} expects {f.name} as a number {wanted}, got {shown(value)}"
    return None


_RANGES = {"epsilon": (0.0, math.inf), "momentum": (0.0, 1.0)}


def _split(annotation: str) -> list[str]:
    """Split a union at its top level: ``int | tuple[int | None, ...]`` into two."""
    parts, depth = [""], 0
    for character in annotation:
        depth += (character == "[") - (character == "]")
        if character == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _is_number(value: Any) -> bool:
    return isinstance(value, Real)


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_)) and math.isfinite(value)


def _is_layer(value: Any) -> bool:
    return isinstance(value, LayerBase)


def _is_function(*arguments: Any) -> Callable[[Any], bool]:
    """Make a test for functions that take this number of arguments; one without a signature passes."""

    def fits(value: Any) -> bool:
        if not callable(value) or _is_layer(value):
            return False
        if str(getattr(value, "__module__", "")).startswith("luxport."):
            return True
        try:
            inspect.signature(value).bind(*arguments)
        except TypeError:
            return False
        except ValueError:  # some built-in functions have no signature
            return True
        return True

    return fits


def _all(fits: Callable[[Any], bool], count: int | None = None) -> Callable[[Any], bool]:
    def all_fit(value: Any) -> bool:
        return isinstance(value, (tuple, list)) and (count is None or count == len(value)) and all(map(fits, value))

    return all_fit


_is_activation = _is_function(None)
_is_initializer = _is_function(None, ())
_AN_INITIALIZER = "a function of a generator and a shape"

_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "bool": (lambda value: isinstance(value, (bool, np.bool_)), "True or False"),
    "int": (is_int, "an int"),
    "float": (_is_real, "a finite number"),
    "str": (lambda value: isinstance(value, str), "a string"),
    "Mode": (lambda value: isinstance(value, str), "a string"),
    "PaddingMode": (lambda value: isinstance(value, str), "a string"),
    "Check": (lambda value: isinstance(value, str), "a string"),
    "Callable[..., Array]": (callable, "a function"),
    "None": (lambda value: value is None, "None"),
    "Activation": (_is_activation, "a function of an array"),
    "Initializer": (_is_initializer, _AN_INITIALIZER),
    "GateInitializer": (
        lambda value: value is None or _is_initializer(value) or _all(_is_initializer)(value),
        f"{_AN_INITIALIZER}, a tuple of one for each gate, or None",
    ),
    "Layer": (_is_layer, "a layer"),
    "PerAxis": (lambda value: is_int(value) or _all(is_int)(value), "an int or a tuple of ints"),
    "tuple[int, ...]": (_all(is_int), "a tuple of ints"),
    "tuple[int | None, ...]": (_all(lambda value: value is None or is_int(value)), "a tuple of ints and None"),
    "tuple[float, float]": (_all(_is_real, 2), "a pair of numbers"),
    "tuple[int, int]": (_all(is_int, 2), "a pair of ints"),
    "tuple[int, int, int]": (_all(is_int, 3), "three ints"),
    "tuple[float, ...]": (_all(_is_real), "a tuple of numbers"),
    "tuple[str, ...]": (_all(lambda value: isinstance(value, str)), "a tuple of strings"),
    "tuple[Path, ...]": (
        _all(lambda value: isinstance(value, str) or _all(lambda step: isinstance(step, str))(value)),
        "a tuple of paths, such as ('layer_1.weight',)",
    ),
    "tuple[tuple[tuple[str, ...], ...], ...]": (
        _all(_all(lambda value: isinstance(value, str) or _all(lambda step: isinstance(step, str))(value))),
        "lists of paths, such as [('layer_1.weight', 'layer_2.weight')]",
    ),
}


def _remedy(parts: list[str], name: str, value: Any) -> str:
    """Return a hint for the error message: what to do instead, where that is known."""
    if "Activation" in parts or "Initializer" in parts or "GateInitializer" in parts:
        place, known = ("luxport", activations) if "Activation" in parts else ("luxport.initializers", initializers)
        if isinstance(value, str) and value in known.__all__:
            return f": pass {place}.{value}"
        if "Activation" in parts:
            if isinstance(value, bool):
                return f": a bias is by name, use_bias={value}"
            if _is_layer(value):
                return ": luxport.Chain puts layers one after the other"
            return ": pass luxport.identity" if value is None else ": pass luxport.relu, for example"
        return ": pass luxport.initializers.glorot_uniform, for example"
    return ""
