"""Checks of the options of layers, losses and optimizers by the annotations of their fields."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import lru_cache, partial
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from luxport import initializers
from luxport.backend import dtype_name, find_owner, is_compiling
from luxport.backend.option_rules import Rule, is_int, is_scalar_array
from luxport.call_arguments import find_signature_mismatch
from luxport.core.layer_base import LayerBase
from luxport.errors import LayerTypeError
from luxport.ops import activations
from luxport.text import show

__all__ = ["expect_options_of", "is_real_array", "is_scalar", "explain_wrong_option"]


def expect_options_of(value: Any, *, arrays: Callable[[Any], bool] | None = None) -> None:
    """Expect that the options of an instance agree with their annotations and rules.

    Args:
        value: an instance of a public class
        arrays: returns whether an array is accepted as a number, whose value may not be known yet; None accepts none

    Raises: LayerTypeError
    """
    if is_compiling():  # a compiler cannot follow these checks, and raises errors of its own
        return
    wrong = explain_wrong_option(type(value), vars(value), arrays=arrays)
    if wrong is not None:
        raise LayerTypeError(wrong)


def explain_wrong_option(
    kind: type, options: Mapping[str, Any], *, arrays: Callable[[Any], bool] | None = None
) -> str | None:
    """Return a message about the first option of a class that disagrees with its annotation or rule, or None."""
    for name, parts, is_valid, wanted, is_number in _list_checks(kind):
        if name not in options:
            continue
        value = options[name]
        if not is_valid(value) and not (is_number and arrays is not None and _is_accepted_array(arrays, value)):
            return f"{kind.__name__} expects {name} as {wanted}, got {show(value)}{_find_remedy(parts, name, value)}"
    return None


class _Check(NamedTuple):
    """The check of one option: the alternatives of its annotation, the test, and the message's words for it."""

    name: str
    parts: tuple[str, ...]
    is_valid: Callable[[Any], bool]
    wanted: str
    is_number: bool


@lru_cache(maxsize=512)
def _list_checks(kind: type) -> tuple[_Check, ...]:
    from luxport.core.option_limits import OPTION_RULES  # ``import luxport`` builds no layer and need not load this

    checks = []
    for f in fields(kind):  # type: ignore[arg-type]
        if not f.init or f.name == "name":
            continue
        parts = tuple([part.strip() for part in _split(str(f.type))])
        rule = OPTION_RULES.get(f"{kind.__name__}.{f.name}") or OPTION_RULES.get(f.name)
        known = [_KINDS.get(part) for part in parts]
        numeric = any(["int" in part or "float" in part for part in parts])
        if rule is not None and "None" not in parts:
            checks.append(_Check(f.name, parts, partial(_satisfies, rule), rule.wanted, numeric))
        elif None not in known:
            tests, texts = zip(*known, strict=True)  # type: ignore[arg-type]
            checks.append(_Check(f.name, parts, partial(_passes_any, tests), " or ".join(texts), numeric))
    return tuple(checks)


def _satisfies(rule: Rule, value: Any) -> bool:
    """Return whether a value satisfies a rule; an array does not, as a layer holds none."""
    return not is_scalar_array(value) and rule.holds(value, None)


def _passes_any(tests: tuple[Callable[[Any], bool], ...], value: Any) -> bool:
    return any([test(value) for test in tests])


def _is_accepted_array(arrays: Callable[[Any], bool], value: Any) -> bool:
    return any(map(arrays, value)) if isinstance(value, tuple) else arrays(value)


def is_real_array(value: Any) -> bool:
    """Return whether a value is an array of real numbers."""
    return find_owner(type(value)) is not None and dtype_name(value).startswith(("float", "bfloat", "int", "uint"))


def is_scalar(value: Any) -> bool:
    """Return whether a value is an array without axes of one real number."""
    return is_real_array(value) and len(value.shape) == 0


def _split(annotation: str) -> list[str]:
    """Split a union at its top level: ``int | tuple[int | None, ...]`` into two parts."""
    parts, depth = [""], 0
    for character in annotation:
        depth += (character == "[") - (character == "]")
        if character == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_)) and math.isfinite(value)


def _is_layer(value: Any) -> bool:
    return isinstance(value, LayerBase)


def _make_function_test(*arguments: Any) -> Callable[[Any], bool]:
    """Return a test for functions that accept these arguments; a function without a signature passes."""

    def is_function(value: Any) -> bool:
        if not callable(value) or _is_layer(value) or isinstance(value, type):
            return False
        if str(getattr(value, "__module__", "")).startswith("luxport."):
            return True
        return find_signature_mismatch(value, *arguments) is None

    return is_function


def _require_all(test: Callable[[Any], bool], count: int | None = None) -> Callable[[Any], bool]:
    """Return a test for tuples and lists all of whose entries pass a test."""

    def all_pass(value: Any) -> bool:
        return isinstance(value, (tuple, list)) and (count is None or count == len(value)) and all(map(test, value))

    return all_pass


def _is_any_function(value: Any) -> bool:
    return callable(value) and not isinstance(value, type)


_is_activation = _make_function_test(None)
_is_initializer = _make_function_test(None, ())
_AN_INITIALIZER = "a function of a generator and a shape"

_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "bool": (lambda value: isinstance(value, (bool, np.bool_)), "True or False"),
    "int": (is_int, "an int"),
    "float": (_is_real, "a finite number"),
    "str": (lambda value: isinstance(value, str), "a string"),
    "Mode": (lambda value: isinstance(value, str), "a string"),
    "PaddingMode": (lambda value: isinstance(value, str), "a string"),
    "Check": (lambda value: isinstance(value, str), "a string"),
    "Callable[..., Any]": (_is_any_function, "a function"),
    "Callable[..., Array]": (_is_any_function, "a function"),
    "Callable[[Any], Any]": (_is_any_function, "a function"),
    "Callable[[Any, tuple[Any, ...]], Any]": (_is_any_function, "a function"),
    "tuple[Callable[[Any], Any] | float, ...]": (
        _require_all(lambda value: _is_any_function(value) or _is_real(value)),
        "a tuple of functions of the step or numbers",
    ),
    "None": (lambda value: value is None, "None"),
    "Activation": (_is_activation, "a function of an array"),
    "Initializer": (_is_initializer, _AN_INITIALIZER),
    "GateInitializer": (
        lambda value: value is None or _is_initializer(value) or _require_all(_is_initializer)(value),
        f"{_AN_INITIALIZER}, a tuple of one for each gate, or None",
    ),
    "Layer": (_is_layer, "a layer"),
    "PerAxis": (lambda value: is_int(value) or _require_all(is_int)(value), "an int or a tuple of ints"),
    "tuple[int, ...]": (_require_all(is_int), "a tuple of ints"),
    "tuple[int | None, ...]": (_require_all(lambda value: value is None or is_int(value)), "a tuple of ints and None"),
    "tuple[float, float]": (_require_all(_is_real, 2), "a pair of numbers"),
    "tuple[int, int]": (_require_all(is_int, 2), "a pair of ints"),
    "tuple[int, int, int]": (_require_all(is_int, 3), "three ints"),
    "tuple[float, ...]": (_require_all(_is_real), "a tuple of numbers"),
    "tuple[str, ...]": (_require_all(lambda value: isinstance(value, str)), "a tuple of strings"),
    "tuple[Path, ...]": (
        _require_all(lambda value: isinstance(value, str) or _require_all(lambda step: isinstance(step, str))(value)),
        "a tuple of paths, such as ('layer_1.weight',)",
    ),
    "tuple[tuple[tuple[str, ...], ...], ...]": (
        _require_all(
            _require_all(
                lambda value: isinstance(value, str) or _require_all(lambda step: isinstance(step, str))(value)
            )
        ),
        "lists of paths, such as [('layer_1.weight', 'layer_2.weight')]",
    ),
}


def _find_remedy(parts: tuple[str, ...], name: str, value: Any) -> str:
    """Return a hint for the error message: what to write instead, or "" if that is not known."""
    if "Activation" in parts or "Initializer" in parts or "GateInitializer" in parts:
        place, known = ("luxport", activations) if "Activation" in parts else ("luxport.initializers", initializers)
        if isinstance(value, str) and value in known.__all__:
            return f": pass {place}.{value}"
        if "Activation" in parts:
            if isinstance(value, bool):
                return f": a bias is by name, use_bias={value}"
            if _is_layer(value) or (isinstance(value, type) and issubclass(value, LayerBase)):
                return ": luxport.Chain puts layers one after the other"
            return ": pass luxport.identity" if value is None else ": pass luxport.relu, for example"
        return ": pass luxport.initializers.glorot_uniform, for example"
    return ""
