"""`operation`: a function on arrays with a definition that always works, and a faster one where a backend has it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, overload

from luxport.backend import Array, backend_of
from luxport.backend.arguments import Arguments, Check
from luxport.backend.option_rules import Rule

__all__ = ["definition_of", "operation"]

P = ParamSpec("P")
R = TypeVar("R")


Completion = Callable[[tuple[Array, ...], dict[str, Any]], dict[str, Any]]
"""From a call's arrays and all of its options, the options as a backend's function takes them."""


@overload
def operation(definition: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def operation(
    *,
    takes: str | Sequence[str] = (),
    rules: Mapping[str, Rule] | None = None,
    check: Check | None = None,
    early: bool = True,
    complete: Completion | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def operation(
    definition: Any = None,
    /,
    *,
    takes: str | Sequence[str] = (),
    rules: Mapping[str, Rule] | None = None,
    check: Check | None = None,
    early: bool = True,
    complete: Completion | None = None,
) -> Any:
    """Dispatch a function by the type of its first array.

    Arrays come first, by position or by name (None for one that is absent), options by keyword. The definition is
    written in Array API terms alone. A backend whose ``ops`` has a function of the same name supplies its own;
    the conformance suite holds it against the definition, which stays at hand as `definition_of`. Where a call may
    leave options out or write them shortly, `complete` writes them out for a backend's function; those left out come
    with the definition's defaults.

    `takes` says which arrays the operation takes (see `luxport.backend.arguments`), `rules` what its options may be,
    `check`, called as the operation is, what neither can say. A wrong call raises one line, the same on every backend.
    Options are held against their rules in every call that gives any, and arrays too before any kernel sees them. With
    ``early=False`` arrays are only looked at where a call has failed, to say why: where nothing but an error can come
    of wrong ones.

    Raises: LayerTypeError if arrays of two backends meet, or if there is none; LayerError for what it does not take
    """

    def dispatched(definition: Callable[..., Any]) -> Callable[..., Any]:
        return _dispatched(definition, Arguments(definition, takes, rules or {}, check), early, complete)

    return dispatched if definition is None else dispatched(definition)


def definition_of(op: Callable[P, R]) -> Callable[P, R]:
    """Return an operation's definition, whatever a backend supplies.

    >>> from luxport import ops
    >>> definition_of(ops.relu) is ops.relu
    False
    """
    return op.definition  # type: ignore[attr-defined]


def _dispatched(
    definition: Callable[..., Any], arguments: Arguments, early: bool, complete: Completion | None
) -> Callable[..., Any]:
    name = definition.__name__
    names, least, required, left_out = _options(definition)
    expect = arguments.expect if early and (arguments.patterns or arguments.check) else None
    expect_options = arguments.expect_options if arguments.rules else None

    @functools.wraps(definition)
    def dispatch(*arrays: Any, **options: Any) -> Any:
        # Nothing is remembered here: torch.compile would compile a program again that had seen a table grow.
        try:
            if options and len(arrays) < len(names):
                arrays = _by_position(arrays, options, names, left_out[0])
            if len(arrays) < least:
                return definition(*arrays, **options)  # which says what is missing
            kind = type(arrays[0])
            native = getattr(backend_of(arrays[0]).ops, name, None)
            for array in arrays:
                if type(array) is not kind and array is not None:
                    backend_of(*arrays)
                    break
            if expect is not None:
                expect(arrays, options)
            if options and expect_options is not None:
                expect_options(options, arrays[0])
            if native is None:
                return definition(*arrays, **options)
            if complete is None:
                return native(*arrays, **options)
            if len(arrays) >= len(left_out) or not options.keys() >= required:
                return definition(*arrays, **options)  # which says what is too much or missing
            return native(*arrays, **complete(arrays, {**left_out[len(arrays)], **options}))
        except Exception as error:
            problem = arguments.explained(error, arrays, options)
            if problem is error:
                raise
            raise problem from error

    dispatch.definition = definition  # type: ignore[attr-defined]
    dispatch.autograph_info__ = True  # type: ignore[attr-defined]  # TensorFlow's AutoGraph rewrites nothing in here
    return dispatch


def _by_position(
    arrays: tuple[Any, ...], options: dict[str, Any], names: list[str], defaults: dict[str, Any]
) -> tuple[Any, ...]:
    """Take the arrays that are given by name out of the options."""
    named = [name for name in names[len(arrays) :] if name in options]
    if not named:
        return arrays
    for name in names[len(arrays) : names.index(named[-1]) + 1]:
        if name not in options and name not in defaults:
            break  # one that is missing
        arrays = (*arrays, options.pop(name, defaults.get(name)))
    return arrays


def _options(definition: Callable[..., Any]) -> tuple[list[str], int, set[str], list[dict[str, Any]]]:
    """Name arrays and options without a default, and list the defaults that a call with n arrays leaves out, by n.

    Also count the arrays without a default.
    """
    parameters = inspect.signature(definition).parameters
    defaults = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
    required = {name for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY and name not in defaults}
    names = [name for name, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    left_out = [{k: v for k, v in defaults.items() if k not in names[:n]} for n in range(len(names) + 1)]
    return names, len([name for name in names if name not in defaults]), required, left_out
