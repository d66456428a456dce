"""Layers that drop entries at random: `Dropout`."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, cast

import numpy as np

from luxport import ops
from luxport.backend import Array, dtype_name
from luxport.errors import LayerTypeError
from luxport.layer import Layer, Parameters, States
from luxport.layers.checks import shape_of
from luxport.layers.wrapped import NoOpLayer
from luxport.random import Rng
from luxport.static import Static

__all__ = ["Dropout"]


class Dropout(Layer):
    """Zero each entry with probability p and scale the others by ``1 / (1 - p)``, in training.

    The mask varies along `axes` (all if None) and is shared along the others. The same state draws the same
    mask, bit for bit, on every backend; each call in training returns the state with its counter one higher.
    ``Dropout(0)`` is a `NoOpLayer`.

    Shapes: x (...) floating or complex -> like x
    Params: none
    State:  rng {key int32 (2,), counter int32 ()}; training
    Raises: when built, ValueError unless 0 <= p <= 1, TypeError if p is no number or an axis no int, ValueError if
            an axis is there twice; when called in training, LayerError if x has not all the axes, LayerTypeError
            if it holds integers
    Source: Lux.jl ``Dropout``

    >>> import numpy as np, luxport
    >>> model = Dropout(0.5, axes=(0, 1))  # whole channels of images (N, C, H, W)
    >>> ps, st = luxport.setup(0, model)
    >>> y, st = model(np.ones((1, 2, 2, 2), np.float32), ps, st)
    >>> y.shape, int(st["rng"]["counter"])
    ((1, 2, 2, 2), 1)
    """

    p: float
    axes: int | tuple[int, ...] | None = None

    def __new__(cls, p: float, axes: Any = None) -> Any:
        """Return a `NoOpLayer` if nothing is ever dropped."""
        return NoOpLayer() if isinstance(p, Real) and p == 0 else super().__new__(cls)

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.p, self.axes

    def __post_init__(self) -> None:
        if isinstance(self.p, bool) or not isinstance(self.p, Real):
            raise TypeError(f"Dropout expects a probability in [0, 1], got {self.p!r}")
        if not 0 <= self.p <= 1:
            raise ValueError(f"Dropout expects a probability in [0, 1], got {self.p}")
        object.__setattr__(self, "p", float(self.p))
        if self.axes is not None:
            object.__setattr__(self, "axes", _distinct_axes(self.axes))

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Draw a key; training is on."""
        return {"rng": {"key": rng.key(), "counter": np.zeros((), np.int32)}, "training": Static(True)}

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Draw a mask and apply it, or pass x on."""
        key, counter, training = st["rng"]["key"], st["rng"]["counter"], st["training"]
        if not training:
            return x, st
        shape_of(x)
        if "float" not in (dtype := dtype_name(x)) and "complex" not in dtype:
            raise LayerTypeError(f"expects a floating or complex input, got {dtype}")
        y = ops.dropout(x, key, counter, p=self.p, axes=cast("tuple[int, ...] | None", self.axes))
        return y, {"rng": {"key": key, "counter": counter + 1}, "training": training}


def _distinct_axes(axes: Any) -> tuple[int, ...]:
    found = axes if isinstance(axes, (tuple, list)) else (axes,)
    if any(isinstance(axis, bool) or not isinstance(axis, Integral) for axis in found):
        raise TypeError(f"Dropout expects an int or a tuple of ints as axes, got {axes!r}")
    if len(set(found)) != len(found):
        raise ValueError(f"Dropout expects axes that differ, got {axes!r}")
    return tuple(int(axis) for axis in found)
