"""Explain a failed call by its annotations: which argument has a value of another type than its annotation names."""

from __future__ import annotations

import collections.abc
import inspect
import math
import os
import types
from collections.abc import Callable, Iterator, Mapping
from numbers import Integral, Real
from typing import Any, Literal, Union, get_args, get_origin

from luxport.text import show

__all__ = ["explain_wrong_argument"]


def explain_wrong_argument(
    name: str, function: Callable[..., Any], args: tuple[Any, ...], options: Mapping[str, Any]
) -> str | None:
    """Return a message about the first argument of a failed call that is not of its annotated type, or None.

    `name` is what the message calls the function.
    """
    try:
        signature = inspect.signature(function)
        given = signature.bind(*args, **options).arguments
    except (TypeError, ValueError):
        return None
    known = getattr(function, "__globals__", {})
    for argument, value in given.items():
        parameter = signature.parameters[argument]
        if parameter.kind is parameter.VAR_KEYWORD or parameter.annotation is parameter.empty:
            continue
        try:
            hint = parameter.annotation
            hint = eval(hint, known, _STRICTER) if isinstance(hint, str) else hint
        except Exception:  # a name that only type checkers have
            continue
        for each in value if parameter.kind is parameter.VAR_POSITIONAL else (value,):
            if not _is_instance(each, hint):
                return f"{name} expects {argument} as {_describe_hint(hint)}, got {show(each)}"
    return None


class _Tree:
    """Stands for the annotation ``tree.Tree``, an alias of Any that would accept every value."""


class _Array:
    """Stands for the annotation ``Array``, an alias of Any."""


class _Key:
    """Stands for the annotation ``Key``, a key of random numbers."""


# Annotations are evaluated with these names in place of the aliases of Any.
_STRICTER = {"Array": _Array, "Key": _Key, "tree": types.SimpleNamespace(Tree=_Tree)}


def _is_tree(value: Any) -> bool:
    """Return whether a value can be a tree; a bare number cannot, although numbers may be leaves of a tree of data."""
    return not isinstance(value, Real) and _is_subtree(value)


def _is_subtree(value: Any) -> bool:
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, (tuple, list)):
        return all(map(_is_subtree, value))
    # An object of another class may be registered as a tree, as an optimizer's state is.
    return not callable(value) and not isinstance(value, (str, bytes, set, frozenset, Iterator))


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and not isinstance(value, type)


def _is_instance(value: Any, hint: Any) -> bool:
    """Return whether a value may be of an annotated type; True for every annotation that is not handled here."""
    if hint is Any:
        return True
    kind = get_origin(hint) or hint
    parts = get_args(hint)
    if kind in (Union, types.UnionType):
        return any(_is_instance(value, part) for part in parts)
    if kind is Literal:
        return any(value is part or (type(value) is type(part) and value == part) for part in parts)
    if kind is None or kind is type(None):
        return value is None
    if kind in _PLAIN:
        return _PLAIN[kind][0](value)
    if kind in (tuple, list, collections.abc.Sequence):
        if not isinstance(value, (tuple, list)):
            return kind is collections.abc.Sequence and isinstance(value, range)
        if kind is tuple and parts and parts[-1] is not Ellipsis:
            return len(parts) == len(value) and all(map(_is_instance, value, parts))
        return not parts or all(_is_instance(entry, parts[0]) for entry in value)
    if kind is collections.abc.Iterable:
        if not isinstance(value, kind) or isinstance(value, (str, bytes, type)):
            return False
        if parts and _is_array(value) and not isinstance(value, Mapping):
            return _is_array_of(parts[0])
        return not parts or not isinstance(value, (tuple, list)) or all(_is_instance(v, parts[0]) for v in value)
    if not isinstance(kind, type) or getattr(kind, "_is_protocol", False):
        return True
    return isinstance(value, kind) and not (kind is collections.abc.Mapping and isinstance(value, type))


def _is_array_of(part: Any) -> bool:
    """Return whether iterating over an array can yield this type: it yields numbers or arrays, not paths or pairs."""
    return part in (Any, int, float, _Array, _Tree) or getattr(part, "_is_protocol", False)


def _describe_hint(hint: Any) -> str:
    kind = get_origin(hint) or hint
    parts = get_args(hint)
    if kind in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(_describe_hint, parts)))
    if kind is Literal:
        return " or ".join(map(repr, parts))
    if kind is None or kind is type(None):
        return "None"
    if kind in _PLAIN:
        return _PLAIN[kind][1]
    if kind in (tuple, list):
        return f"a {kind.__name__}{_join_kinds(parts)}"
    name = getattr(kind, "__name__", str(kind))
    return _DESCRIPTIONS.get(name, f"{'an' if name[:1] in 'AEIOU' else 'a'} {name}")


def _join_kinds(parts: tuple[Any, ...]) -> str:
    kinds = {_PLAIN[part][1].partition(" ")[2] for part in parts if part in _PLAIN}
    return f" of {kinds.pop()}s" if len(kinds) == 1 else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not _is_flag(value) and not math.isnan(value)


def _is_flag(value: Any) -> bool:
    return type(value).__name__ in ("bool", "bool_")


_PLAIN: dict[Any, tuple[Callable[[Any], bool], str]] = {
    int: (lambda value: isinstance(value, Integral) and not _is_flag(value), "an int"),
    float: (_is_number, "a number"),
    bool: (_is_flag, "True or False"),
    str: (lambda value: isinstance(value, str), "a string"),
    os.PathLike: (lambda value: isinstance(value, os.PathLike), "a path"),
    collections.abc.Callable: (callable, "a function"),
    _Array: (_is_array, "an array"),
    _Key: (lambda value: isinstance(value, Mapping) and {"key", "counter"} <= set(value), "a key of luxport.random"),
    _Tree: (_is_tree, "a tree of arrays"),
}
_DESCRIPTIONS = {
    "Iterable": "a sequence",
    "Layer": "a layer",
    "LayerBase": "a layer",
    "Mapping": "a dict",
    "Rule": "a rule of luxport.optimizers",
    "Sequence": "a sequence",
}
