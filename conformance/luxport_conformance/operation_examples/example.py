"""`OverrideExample`: what an operation is called with."""

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
    """Arrays (None for one that is absent) and options of an operation.

    One that `looks` at values, or `tells` something about arrays, runs as it is and has no gradients.
    """

    arrays: tuple[Any, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    tolerance: Tolerance = Tolerance()
    looks: bool = False
    tells: bool = False


def draw(*shape: int, seed: int = 3) -> Any:
    """Draw normal numbers."""
    return np.random.Generator(np.random.Philox(seed)).normal(size=shape)
