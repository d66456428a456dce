"""The base of layers that change their input at random, in training: `RandomLayer`."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import fields
from numbers import Real
from typing import Any

import numpy as np

from luxport.backend import Array
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.layers._function_layers import NoOpLayer
from luxport.random import Rng
from luxport.text import show
from luxport.tree.static import Static

__all__ = ["RandomLayer", "check_strength", "make_generator"]


class RandomLayer(Layer):
    """A layer that draws in training. Its first option says how much it changes x: with 0 a `NoOpLayer` is built."""

    def __new__(cls, /, *args: Any, **options: Any) -> Any:
        """Return a `NoOpLayer` if x is never changed; wrong options raise an error in this case, too."""
        layer: Any = super().__new__(cls)
        strength = args[0] if args else options.get(fields(cls)[0].name)
        if not isinstance(strength, Real) or strength != 0:
            return layer
        layer.__init__(*args, **options)  # Python calls it only if an instance of this class is returned
        return NoOpLayer()

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple([getattr(self, option.name) for option in fields(self)])

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Draw a key; training is on."""
        return {"rng": make_generator(rng), "training": Static(True)}

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Change x at random and count the draw; in test mode return x."""
        key, counter, training = st["rng"]["key"], st["rng"]["counter"], st["training"]
        if not training:
            return x, st
        return self._change(x, key, counter), {"rng": {"key": key, "counter": counter + 1}, "training": training}

    @abstractmethod
    def _change(self, x: Array, key: Array, counter: Array) -> Array:
        """Return x changed at random, as it is in training."""


def make_generator(rng: Rng) -> dict[str, Any]:
    """Make the part of a layer's state that it draws from: a key of its own, and a count of its draws."""
    return {"key": rng.key(), "counter": np.zeros((), np.int32)}


def check_strength(layer: Any, wanted: str, bound: float, *, bound_too: bool = False) -> None:
    """Check the first option of a layer, and convert it to a float.

    Raises: TypeError if it is no number; ValueError unless it is at least 0 and below `bound`, or equal to it if
            `bound_too`
    """
    name = fields(layer)[0].name
    value = getattr(layer, name)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{type(layer).__name__} expects {wanted}, got {show(value)}")
    number = float(value)
    if not (0 <= number < bound or (bound_too and number == bound)):
        raise ValueError(f"{type(layer).__name__} expects {wanted}, got {show(value)}")
    object.__setattr__(layer, name, number)
