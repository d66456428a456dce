"""`operation`: a function on arrays with a definition that always works, and a faster one where a backend has it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, overload

import numpy as np

from luxport.backend import backend_of
from luxport.backend._registry import KNOWN
from luxport.backend.arguments import Arguments, Check, name_positional_arguments
from luxport.backend.host_bfloat16 import call_in_single, find_host_bfloat16
from luxport.backend.option_rules import Rule

__all__ = ["definition_of", "operation"]

_owners = KNOWN.by_type  # most calls need no more than this look

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
    """Dispatch a function by the type of its first array.

    Arrays come first (None for one that is absent), options by keyword. The definition is written in Array API terms
    alone. A backend whose ``ops`` has a function of the same name and signature supplies its own; the conformance
    suite compares it with the definition, which `definition_of` returns. Every option must be given in full: where
    users may abbreviate, a public function completes what they wrote and calls this one.

    A wrong call raises one line, the same on every backend.

    Args:
        takes: which arrays the operation takes, see `luxport.backend.array_patterns`
        rules: what its options may be, by name; an option that is given is checked in every call
        check: what neither of them can say, a function called as the operation is
        early: whether arrays are checked before any kernel sees them, or, where wrong ones always fail, only then
        guard: a check that is made in every call, early or not

    Raises: LayerTypeError if arrays of two backends meet, for arguments that are missing, unknown or no arrays, and
            for numbers of a kind that it does not take; LayerError for other shapes and options
    """

    def decorate(definition: Callable[..., Any]) -> Callable[..., Any]:
        arguments = Arguments(definition, takes, rules or {}, guard if check is None else check)
        return _make_dispatch(definition, arguments, arguments.find_early_test() if early else guard)

    return decorate if definition is None else decorate(definition)


def definition_of(op: Callable[P, R]) -> Callable[P, R]:
    """Return the definition of an operation, or of the one that a public function calls, whatever a backend supplies.

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
        # Nothing is remembered here: torch.compile would compile a program again that had seen a table grow.
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
    dispatch.autograph_info__ = True  # type: ignore[attr-defined]  # TensorFlow's AutoGraph rewrites nothing in here
    return dispatch


def _take_by_position(
    arrays: tuple[Any, ...], options: dict[str, Any], names: Sequence[str], least: int
) -> tuple[Any, ...]:
    """Take the arrays that are given by name out of the options, with None for those that are absent."""
    for i in range(len(arrays), len(names)):
        if names[i] not in options and i < least:
            break  # one that is missing
        arrays = (*arrays, options.pop(names[i], None))
    return arrays
