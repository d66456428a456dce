"""`operation`: a function on arrays with a definition for all backends, which each may override by a faster one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, overload

import numpy as np

from luxport.backend import backend_of
from luxport.backend._registry import KNOWN
from luxport.backend.arguments import Arguments, Check, convert_options, name_positional_arguments
from luxport.backend.host_bfloat16 import call_in_single, find_host_bfloat16
from luxport.backend.option_rules import Rule

__all__ = ["definition_of", "operation"]

_owners = KNOWN.by_type  # most calls need only this lookup

P = ParamSpec("P")
R = TypeVar("R")


@overload
def operation(definition: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def operation(
    *,
    takes: str | Sequence[str] = (),
    rules: Mapping[str, Rule] | None = None,
    check: Check | None = None,
    early: bool = True,
    guard: Check | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def operation(
    definition: Any = None,
    /,
    *,
    takes: str | Sequence[str] = (),
    rules: Mapping[str, Rule] | None = None,
    check: Check | None = None,
    early: bool = True,
    guard: Check | None = None,
) -> Any:
    """Make an operation of a definition: a function that dispatches on the type of its first array.

    Arrays are positional (None for an absent one), options are keywords. The definition uses nothing but the Array API.
    A backend overrides it by a function of the same name and signature in its ``ops``; the conformance suite compares
    that with the definition, which `definition_of` returns. Options have no shorthand here: a public function that
    offers one completes the options and calls the operation.

    A wrong call raises an error of one line, the same on every backend.

    Args:
        takes: which arrays the operation takes, see `luxport.backend.array_patterns`
        rules: what its options may be, by name; options that are given are checked in every call
        check: a function called like the operation, for errors that neither of the two describes
        early: whether arrays are checked before each call; False if wrong arrays always fail, to explain the failure
        guard: a function called like the operation, before each call, even if not `early`

    Raises: LayerTypeError for arrays of two backends, for arguments that are missing, unknown or no arrays, and for
            dtypes that it does not take; LayerError for other shapes and options
    """

    def decorate(definition: Callable[..., Any]) -> Callable[..., Any]:
        arguments = Arguments(definition, takes, rules or {}, guard if check is None else check)
        return _make_dispatch(definition, arguments, arguments.find_early_test() if early else guard)

    return decorate if definition is None else decorate(definition)


def definition_of(op: Callable[P, R]) -> Callable[P, R]:
    """Return the definition of an operation, or of the one that a public function calls, without overrides.

    >>> from luxport import ops
    >>> definition_of(ops.relu) is ops.relu
    False
    >>> definition_of(ops.conv) is definition_of(ops.conv_nd)
    True
    """
    return op.definition  # type: ignore[attr-defined]


def _make_dispatch(definition: Callable[..., Any], arguments: Arguments, expect: Check | None) -> Callable[..., Any]:
    name = definition.__name__
    names, least = name_positional_arguments(definition)
    expect_options = arguments.expect_options if arguments.rules else None

    @functools.wraps(definition)
    def dispatch(*arrays: Any, **options: Any) -> Any:
        # No cache here: torch.compile would recompile a program when a table that it has read grows.
        try:
            if options and len(arrays) < len(names):
                arrays = _take_by_position(arrays, options, names, least)
            kind = type(arrays[0])
            native = getattr((_owners.get(kind) or backend_of(arrays[0])).ops, name, definition)
            for array in arrays[1:]:
                if type(array) is not kind and array is not None:
                    backend_of(*arrays)
                    break
            if expect is not None:
                expect(*arrays, **options)
            if options and expect_options is not None:
                convert_options(options)
                expect_options(options, arrays[0])
            if kind is np.ndarray and (half := find_host_bfloat16(arrays)) is not None:
                return call_in_single(native, arrays, options, half)
            return native(*arrays, **options)
        except Exception as error:
            problem = arguments.explain(error, arrays, options)
            if problem is error:
                raise
            raise problem from error

    dispatch.definition = definition  # type: ignore[attr-defined]
    dispatch.autograph_info__ = True  # type: ignore[attr-defined]  # keeps TensorFlow's AutoGraph from rewriting it
    return dispatch


def _take_by_position(
    arrays: tuple[Any, ...], options: dict[str, Any], names: Sequence[str], least: int
) -> tuple[Any, ...]:
    """Move arrays that are given by keyword from the options to their positions; None for those that are absent."""
    for i in range(len(arrays), len(names)):
        if names[i] not in options and i < least:
            break  # a required array is missing
        arrays = (*arrays, options.pop(names[i], None))
    return arrays
