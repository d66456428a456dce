"""`Example`: a layer and the inputs with which the laws are checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

import luxport
from luxport import tree
from luxport.core.layer import Layer
from luxport_conformance.compare import Tolerance

__all__ = ["Example", "Flags", "Indices", "double", "tolerate_sum"]


@dataclass(frozen=True)
class Indices:
    """An int32 input of this shape, with values from 0 up to, but not including, `below`."""

    shape: tuple[int, ...]
    below: int


@dataclass(frozen=True)
class Flags:
    """A boolean input of this shape."""

    shape: tuple[int, ...]


Input: TypeAlias = "tuple[int, ...] | Indices | Flags | tuple[Input, ...]"


@dataclass(frozen=True, kw_only=True)
class Example:
    """A layer, the input for it, and its counts of parameters and states.

    `x` is a shape (for normal random numbers), `Indices`, `Flags`, or a tuple of these for a layer that takes a tuple.
    `per_sample`: the first axes of inputs and outputs are the batch, and in test mode samples do not affect each other.
    `dtypes`: the dtypes in which the layer's error is only that of rounding.
    `remembers`: a call changes the state in test mode too.
    """

    layer: Layer
    x: Input
    parameters: int = 0
    states: int = 0
    tolerance: Tolerance = Tolerance()
    per_sample: bool = True
    dtypes: tuple[str, ...] = ("float16", "bfloat16", "float32", "float64")
    remembers: bool = False

    def __str__(self) -> str:
        return repr(self.layer)

    def draw_values(self) -> tuple[Any, Any, Any]:
        """Draw x, the parameters and the states, as host arrays.

        Random numbers are added to floating parameters and states: a bias of 0 or a variance of 1 could hide a mistake.
        """
        draw = np.random.Generator(np.random.Philox(7))
        ps, st = luxport.setup(1, self.layer, backend="numpy")

        def move(leaf: Any) -> Any:
            return leaf + draw.uniform(0.05, 0.45, leaf.shape) if leaf.dtype.kind == "f" else leaf

        return _draw_flags(self.x, draw), tree.map(move, ps), tree.map(move, st)


def tolerate_sum(n: int) -> Tolerance:
    """Return the tolerance of a sum of n products."""
    return Tolerance(reduction=n)


def double(x: Any) -> Any:
    """Return 2 x: an example of a user's function."""
    return 2.0 * x


def _draw_flags(what: Any, draw: np.random.Generator) -> Any:
    if isinstance(what, Indices):
        return draw.integers(0, what.below, what.shape, dtype=np.int32)
    if isinstance(what, Flags):
        return draw.uniform(size=what.shape) < 0.6
    if all(isinstance(size, int) for size in what):
        return draw.normal(size=what)
    return tuple([_draw_flags(part, draw) for part in what])
