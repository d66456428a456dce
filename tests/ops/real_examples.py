"""Examples of operations that can be differentiated, and the scalar whose gradient the tests take."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import tree
from luxport_conformance.operation_examples import OPERATIONS
from luxport_conformance.operations import every_operation

__all__ = ["is_real", "list_real_examples", "sum_weighted"]


def is_real(array: Any) -> bool:
    return array is not None and array.dtype.kind == "f"


def list_real_examples() -> list[tuple[str, int]]:
    """List the examples with real arrays, by the names of their operations and their positions there."""
    return [
        (name, position)
        for name, examples in OPERATIONS.items()
        for position, example in enumerate(examples)
        if name in every_operation() and not example.looks and not example.tells
        if any([is_real(array) for array in example.arrays])
    ]


def sum_weighted(found: Any) -> Any:
    """Return a weighted sum of an operation's first result, with another weight for each entry."""
    y = tree.leaves(found)[0]
    xp = luxport.namespace(y)
    real = xp.real(y) + 2.0 * xp.imag(y) if "complex" in str(y.dtype) else y
    weights = np.cos(np.arange(float(np.prod(y.shape)))).reshape(y.shape)
    kind = luxport.backend.dtype_name(real)
    return xp.sum(real * luxport.asarray(weights, backend=luxport.backend_of(y), dtype=kind))
