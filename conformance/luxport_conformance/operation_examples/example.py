"""`OverrideExample`: the arguments of an operation in a comparison with its overrides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from luxport_conformance.compare import Tolerance

__all__ = ["COUNTER", "KEY", "OverrideExample", "draw"]

KEY, COUNTER = np.array([1, 2], np.int32), np.array(5, np.int32)


@dataclass(frozen=True)
class OverrideExample:
    """The arrays (None for an absent one) and options of a call of an operation.

    With `looks` the operation reads values of arrays, with `tells` it returns a fact about arrays instead of an array;
    such operations are not compiled or differentiated.
    """

    arrays: tuple[Any, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    tolerance: Tolerance = Tolerance()
    looks: bool = False
    tells: bool = False


def draw(*shape: int, seed: int = 3) -> Any:
    """Draw an array of normal random numbers."""
    return np.random.Generator(np.random.Philox(seed)).normal(size=shape)
