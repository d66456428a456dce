"""The generator and the backend of arrays without values, by which a model's shapes are found without computing."""

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
    """A generator that returns arrays without values in place of random numbers."""

    def __init__(self) -> None:
        super().__init__(0)
        self._drawn: dict[tuple[int, str], tuple[Any, Any]] = {}

    def once(self, layer: Any, method: str) -> Any:
        """Return a layer's initial values as abstract arrays, computed once for a layer that occurs several times."""
        if (id(layer), method) not in self._drawn:
            self._drawn[id(layer), method] = layer, getattr(layer, method)(self)
        return self._drawn[id(layer), method][1]

    def uniform(self, shape: Shape, low: float = 0.0, high: float = 1.0) -> AbstractArray:
        """Return an abstract array of float32."""
        return AbstractArray(shape)

    def normal(self, shape: Shape, mean: float = 0.0, std: float = 1.0) -> AbstractArray:
        """Return an abstract array of float32."""
        return AbstractArray(shape)

    def truncated_normal(
        self, shape: Shape, mean: float = 0.0, std: float = 1.0, low: float = -2.0, high: float = 2.0
    ) -> AbstractArray:
        """Return an abstract array of float32."""
        return AbstractArray(shape)

    def draw_with(self, draw: Callable[..., Any], shape: Shape, **options: Any) -> AbstractArray:
        """Return an abstract array of float32 without calling `draw`."""
        return AbstractArray(shape)

    def key(self) -> AbstractArray:
        """Return an abstract key."""
        return AbstractArray((2,), np.int32)


class _AbstractBackend:
    """The backend of arrays without values, whose operations compute only shapes and dtypes."""

    name = "abstract"
    capabilities = frozenset({"scan"})
    xp = abstract_namespace
    ops = SimpleNamespace(may_look=lambda x: False)

    def asarray(self, values: AbstractArray, *, dtype: str | None = None, device: str | None = None) -> AbstractArray:
        """Return the array with another dtype; float32 replaces bfloat16, which NumPy lacks."""
        return AbstractArray(values.shape, values.dtype if dtype is None else dtype.replace("bfloat16", "float32"))

    def scan(self, f: Callable[..., Any], init: Any, xs: Any, length: int, reverse: bool) -> tuple[Any, Any]:
        """Run one step, since all steps have the same shapes."""
        carry, y = f(init, tree.map(lambda leaf: AbstractArray(leaf.shape[1:], leaf.dtype), xs))
        return carry, tree.map(lambda leaf: AbstractArray((length, *leaf.shape), leaf.dtype), y)


adopt_type(AbstractArray, _AbstractBackend())  # type: ignore[arg-type]
