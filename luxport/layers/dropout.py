"""Layers that drop entries at random: `Dropout`."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport import ops
from luxport.backend import Array
from luxport.errors import LayerError
from luxport.layer import Layer, Parameters, States
from luxport.layers.checks import shape_of, shape_text
from luxport.layers.wrapped import NoOpLayer
from luxport.random import Rng
from luxport.static import Static

__all__ = ["Dropout"]


class Dropout(Layer):
    """Zero each entry with probability p and scale the others by ``1 / (1 - p)``, in training.

    The mask varies along `axes` (all if None) and is shared along the others. The same state draws the same
    mask, bit for bit, on every backend; each call in training returns the state with its counter one higher.
    ``Dropout(0)`` is a `NoOpLayer`.

    Shapes: x (...) -> like x
    Params: none
    State:  rng {key int32 (2,), counter int32 ()}; training
    Raises: ValueError when built unless 0 <= p <= 1; LayerError if x has not all the axes
    Source: Lux.jl ``Dropout``
    """

    p: float
    axes: tuple[int, ...] | None = None

    def __new__(cls, p: float, axes: Any = None) -> Any:
        """Return a `NoOpLayer` if nothing is ever dropped."""
        return NoOpLayer() if p == 0 else super().__new__(cls)

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.p, self.axes

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"Dropout expects a probability in [0, 1], got {self.p}")
        if isinstance(self.axes, int):
            object.__setattr__(self, "axes", (self.axes,))
        elif self.axes is not None:
            object.__setattr__(self, "axes", tuple(self.axes))

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Draw a key; training is on."""
        return {"rng": {"key": rng.key(), "counter": np.zeros((), np.int32)}, "training": Static(True)}

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Draw a mask and apply it, or pass x on."""
        key, counter, training = st["rng"]["key"], st["rng"]["counter"], st["training"]
        if not training:
            return x, st
        ndim = len(shape_of(x))
        if self.axes is not None and not all(-ndim <= axis < ndim for axis in self.axes):
            raise LayerError(f"expects an input with axes {self.axes}, got {shape_text(x)}")
        y = ops.dropout(x, key, counter, p=float(self.p), axes=self.axes)
        return y, {"rng": {"key": key, "counter": counter + 1}, "training": training}
