"""What layers that draw in training share: their state, and that with a strength of 0 they are a `NoOpLayer`."""

from __future__ import annotations

from dataclasses import fields
from numbers import Real
from typing import Any

import numpy as np

from luxport.core.layer import Layer
from luxport.layers._function_layers import NoOpLayer
from luxport.random import Rng
from luxport.text import show
from luxport.tree.static import Static

__all__ = ["RandomLayer", "check_strength", "make_generator"]


class RandomLayer(Layer):
    """A layer that draws in training. Its first option says how much it changes: with 0 a `NoOpLayer` is built."""

    def __new__(cls, /, *args: Any, **options: Any) -> Any:
        """Return a `NoOpLayer` if nothing is ever changed; wrong options are refused all the same."""
        layer: Any = super().__new__(cls)
        strength = args[0] if args else options.get(fields(cls)[0].name)
        if not isinstance(strength, Real) or strength != 0:
            return layer
        layer.__init__(*args, **options)  # Python calls it itself only where an instance of this class is returned
        return NoOpLayer()

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple([getattr(self, option.name) for option in fields(self)])

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Draw a key; training is on."""
        return {"rng": make_generator(rng), "training": Static(True)}


def make_generator(rng: Rng) -> dict[str, Any]:
    """Make the part of a state from which a layer draws: a key of its own, and how often it has drawn."""
    return {"key": rng.key(), "counter": np.zeros((), np.int32)}


def check_strength(layer: Any, wanted: str, bound: float, *, bound_too: bool = False) -> None:
    """Check the number that a layer is built with, its first option, and make it a float.

    Raises: TypeError if it is no number; ValueError unless it is from 0 to below `bound`, or `bound` itself
    """
    name = fields(layer)[0].name
    value = getattr(layer, name)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{type(layer).__name__} expects {wanted}, got {show(value)}")
    number = float(value)
    if not (0 <= number < bound or (bound_too and number == bound)):
        raise ValueError(f"{type(layer).__name__} expects {wanted}, got {show(value)}")
    object.__setattr__(layer, name, number)
