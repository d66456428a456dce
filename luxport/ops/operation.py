"""`operation`: a function on arrays with a definition that always works, and a faster one where a backend has it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, overload

from luxport.backend import Array, backend_of

__all__ = ["definition_of", "operation"]

P = ParamSpec("P")
R = TypeVar("R")


Completion = Callable[[tuple[Array, ...], dict[str, Any]], dict[str, Any]]
"""From a call's arrays and all of its options, the options as a backend's function takes them."""


@overload
def operation(definition: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def operation(*, complete: Completion) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def operation(definition: Any = None, /, *, complete: Completion | None = None) -> Any:
    """Dispatch a function by the type of its first array.

    Arrays come first and by position (None for one that is absent), options by keyword. The definition is
    written in Array API terms alone. A backend whose ``ops`` has a function of the same name supplies its own;
    the conformance suite holds it against the definition, which stays at hand as `definition_of`. Where a call may
    leave options out or write them shortly, `complete` writes them out for a backend's function; those left out come
    with the definition's defaults.

    Raises: TypeError if arrays of two backends meet, or if there is none
    """
    if definition is None:
        return lambda definition: _dispatched(definition, complete)
    return _dispatched(definition, complete)


def definition_of(op: Callable[P, R]) -> Callable[P, R]:
    """Return an operation's definition, whatever a backend supplies.

    >>> from luxport import ops
    >>> definition_of(ops.relu) is ops.relu
    False
    """
    return op.definition  # type: ignore[attr-defined]


def _dispatched(definition: Callable[..., Any], complete: Completion | None) -> Callable[..., Any]:
    name = definition.__name__
    names, required, left_out = _options(definition)

    @functools.wraps(definition)
    def dispatch(*arrays: Any, **options: Any) -> Any:
        # Nothing is remembered here: torch.compile would compile a program again that had seen a table grow.
        while len(arrays) < len(names):
            if names[len(arrays)] not in options:
                return definition(*arrays, **options)  # which says what is missing
            arrays = (*arrays, options.pop(names[len(arrays)]))
        kind = type(arrays[0])
        native = getattr(backend_of(arrays[0]).ops, name, None)
        for array in arrays:
            if type(array) is not kind and array is not None:
                backend_of(*arrays)
                break
        if native is None:
            return definition(*arrays, **options)
        if complete is None:
            return native(*arrays, **options)
        if len(arrays) >= len(left_out) or not options.keys() >= required:
            return definition(*arrays, **options)  # which says what is too much or missing
        return native(*arrays, **complete(arrays, {**left_out[len(arrays)], **options}))

    dispatch.definition = definition  # type: ignore[attr-defined]
    dispatch.autograph_info__ = True  # type: ignore[attr-defined]  # TensorFlow's AutoGraph rewrites nothing in here
    return dispatch


def _options(definition: Callable[..., Any]) -> tuple[list[str], set[str], list[dict[str, Any]]]:
    """Name arrays and options without a default, and list the defaults that a call with n arrays leaves out, by n."""
    parameters = inspect.signature(definition).parameters
    defaults = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
    required = {name for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY and name not in defaults}
    names = [name for name, p in parameters.items() if p.kind is not p.KEYWORD_ONLY]
    left_out = [{k: v for k, v in defaults.items() if k not in names[:n]} for n in range(len(names) + 1)]
    return [name for name in names if name not in defaults], required, left_out
