"""Overrides of operations by backends that are for floating numbers only: `accept_floats`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from luxport.ops._operation import definition_of

__all__ = ["accept_floats"]


def accept_floats(
    op: Callable[..., Any], is_floating: Callable[[Any], bool]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a backend's function so that arrays of other dtypes are left to the definition of the operation.

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
        # A library's function may have other names for its parameters: then the definition's signature is shown.
        @functools.wraps(native if native.__module__.startswith("luxport") else definition)
        def function(x: Any, **options: Any) -> Any:
            return native(x, **options) if is_floating(x) else definition(x, **options)

        return function

    return wrap
