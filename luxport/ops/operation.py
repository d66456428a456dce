"""`operation`: a function on arrays with a definition that always works, and a faster one where a backend has it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, overload

from luxport.backend import backend_of

__all__ = ["definition_of", "operation"]

P = ParamSpec("P")
R = TypeVar("R")


Completion = Callable[[tuple[Any, ...], dict[str, Any]], tuple[tuple[Any, ...], dict[str, Any]]]
"""From the arrays and the options of a call, all of the arrays and all of the options."""


@overload
def operation(definition: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def operation(*, complete: Completion) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def operation(definition: Any = None, /, *, complete: Completion | None = None) -> Any:
    """Dispatch a function by the type of its first array.

    Arrays come first and by position (None for one that is absent), options by keyword. The definition is
    written in Array API terms alone. A backend whose ``ops`` has a function of the same name supplies its own;
    the conformance suite holds it against the definition, which stays at hand as `definition_of`. Where a call may
    leave options out or write them shortly, `complete` writes them out for a backend's function.

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

    @functools.wraps(definition)
    def dispatch(*arrays: Any, **options: Any) -> Any:
        # Nothing is remembered here: torch.compile would compile a program again that had seen a table grow.
        kind = type(arrays[0])
        native = getattr(backend_of(arrays[0]).ops, name, None)
        for array in arrays:
            if type(array) is not kind and array is not None:
                backend_of(*arrays)
                break
        if native is None:
            return definition(*arrays, **options)
        if complete is not None:
            arrays, options = complete(arrays, options)
        return native(*arrays, **options)

    dispatch.definition = definition  # type: ignore[attr-defined]
    dispatch.autograph_info__ = True  # type: ignore[attr-defined]  # TensorFlow's AutoGraph rewrites nothing in here
    return dispatch
