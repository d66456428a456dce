"""A faster function of a backend that serves floating numbers alone, with the definition for all others."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from luxport.ops._operation import definition_of

__all__ = ["accept_floats"]


def accept_floats(
    op: Callable[..., Any], is_floating: Callable[[Any], bool]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Leave every other dtype, conversions and refusals included, to the definition.

    Args:
        op: the operation
        is_floating: tells whether an array of the backend holds floating numbers

    >>> import numpy as np
    >>> from luxport import ops
    >>> relu = accept_floats(ops.relu, lambda x: x.dtype.kind == "f")(lambda x: np.maximum(x, 0))
    >>> relu(np.asarray([-1.0, 2.0]))
    array([0., 2.])
    """
    definition = definition_of(op)

    def wrap(native: Callable[..., Any]) -> Callable[..., Any]:
        # A function of a library's may have other names for what the definition takes.
        @functools.wraps(native if native.__module__.startswith("luxport") else definition)
        def function(x: Any, **options: Any) -> Any:
            return native(x, **options) if is_floating(x) else definition(x, **options)

        return function

    return wrap
