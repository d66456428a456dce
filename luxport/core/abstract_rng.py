"""Initial values without values: `AbstractRng` draws shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from luxport.core.abstract_arrays import AbstractArray, Shape
from luxport.random import Rng

__all__ = ["AbstractRng"]


class AbstractRng(Rng):
    """Stands in for the host's generator, and draws shapes without values; a layer that occurs twice is asked once."""

    def __init__(self) -> None:
        super().__init__(0)
        self._drawn: dict[tuple[int, str], tuple[Any, Any]] = {}

    def once(self, layer: Any, method: str) -> Any:
        """Describe a layer's initial values; a layer that occurs in several places is asked once."""
        if (id(layer), method) not in self._drawn:
            self._drawn[id(layer), method] = layer, getattr(layer, method)(self)
        return self._drawn[id(layer), method][1]

    def uniform(self, shape: Shape, low: float = 0.0, high: float = 1.0) -> AbstractArray:
        """Describe float32 values."""
        return AbstractArray(shape)

    def normal(self, shape: Shape, mean: float = 0.0, std: float = 1.0) -> AbstractArray:
        """Describe float32 values."""
        return AbstractArray(shape)

    def truncated_normal(
        self, shape: Shape, mean: float = 0.0, std: float = 1.0, low: float = -2.0, high: float = 2.0
    ) -> AbstractArray:
        """Describe float32 values."""
        return AbstractArray(shape)

    def draw_with(self, draw: Callable[..., Any], shape: Shape, **options: Any) -> AbstractArray:
        """Describe float32 values, without calling the function."""
        return AbstractArray(shape)

    def key(self) -> AbstractArray:
        """Describe a key."""
        return AbstractArray((2,), np.int32)
