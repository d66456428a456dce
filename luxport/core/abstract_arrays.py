"""Arrays without values: a shape and a dtype that flow through a model, so that shapes are known before any work."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from luxport import tree
from luxport.backend import adopt_type
from luxport.core.abstract_namespace import abstract_namespace
from luxport.core.array_without_values import AbstractArray as AbstractArray
from luxport.core.array_without_values import Shape
from luxport.core.array_without_values import ValuesNeededError as ValuesNeededError
from luxport.random import Rng

__all__ = ["AbstractArray", "AbstractRng", "ValuesNeededError"]


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


class _AbstractBackend:
    """The backend of arrays without values: it traces shapes and computes nothing."""

    name = "abstract"
    capabilities = frozenset({"scan"})
    xp = abstract_namespace
    ops = SimpleNamespace(may_look=lambda x: False)

    def asarray(self, values: AbstractArray, *, dtype: str | None = None, device: str | None = None) -> AbstractArray:
        """Change the dtype; NumPy has no bfloat16, and for shapes it does not matter."""
        return AbstractArray(values.shape, values.dtype if dtype is None else dtype.replace("bfloat16", "float32"))

    def scan(self, f: Callable[..., Any], init: Any, xs: Any, length: int, reverse: bool) -> tuple[Any, Any]:
        """Take one step, which has the shapes of them all."""
        carry, y = f(init, tree.map(lambda leaf: AbstractArray(leaf.shape[1:], leaf.dtype), xs))
        return carry, tree.map(lambda leaf: AbstractArray((length, *leaf.shape), leaf.dtype), y)


adopt_type(AbstractArray, _AbstractBackend())  # type: ignore[arg-type]
