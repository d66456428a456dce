"""Layers that make noise: `GaussianNoise` and `GaussianDropout`."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from luxport import ops
from luxport.backend import Array, namespace
from luxport.core.anatomy import Parameters, States
from luxport.core.input_checks import check_floating
from luxport.core.layer import Layer
from luxport.layers._dropout import make_generator
from luxport.layers._function_layers import NoOpLayer
from luxport.ops.shapes import sizes_of
from luxport.random import Rng
from luxport.text import shown
from luxport.tree.static import Static

__all__ = ["GaussianDropout", "GaussianNoise"]


class GaussianNoise(Layer):
    """``x + std noise`` with noise from the standard normal distribution, in training.

    Backends agree on the noise to a few units in the last place. ``GaussianNoise(0)`` is a `NoOpLayer`.

    Args:
        std: the standard deviation of what is added

    Shapes: x (...) floating -> like x
    Params: none
    State:  rng {key int32 (2,), counter int32 ()}; training
    Raises: when built, ValueError unless std is at least 0 and finite, TypeError if it is no number; when called in
            training, LayerTypeError if x is not floating
    Source: Keras ``GaussianNoise``

    >>> import numpy as np, luxport
    >>> model = GaussianNoise(0.1)
    >>> ps, st = luxport.setup(0, model)
    >>> y, st = model(np.zeros(10000, np.float32), ps, st)
    >>> round(float(y.std()), 2), int(st["rng"]["counter"])
    (0.1, 1)
    """

    std: float

    def __new__(cls, /, *args: Any, **options: Any) -> Any:
        """Return a `NoOpLayer` if nothing is ever added; `__init__` refuses wrong options."""
        std = args[0] if args else options.get("std")
        return NoOpLayer() if isinstance(std, Real) and std == 0 else super().__new__(cls)

    def __getnewargs__(self) -> tuple[Any, ...]:
        return (self.std,)

    def __post_init__(self) -> None:
        _check(self, "std", "a standard deviation of at least 0", math.inf)

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Draw a key; training is on."""
        return {"rng": make_generator(rng), "training": Static(True)}

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Add noise, or pass x on."""
        if not st["training"]:
            return x, st
        noise, st = _noise(x, self.std, st)
        return x + noise, st


class GaussianDropout(Layer):
    """``x (1 + s noise)`` with noise from the standard normal distribution and s = ``sqrt(p / (1 - p))``, in training.

    Mean and variance are those of `Dropout` with this p. ``GaussianDropout(0)`` is a `NoOpLayer`.

    Args:
        p: the probability of the dropout that it stands for, at least 0 and below 1

    Shapes: x (...) floating -> like x
    Params: none
    State:  rng {key int32 (2,), counter int32 ()}; training
    Raises: when built, ValueError unless 0 <= p < 1, TypeError if p is no number; when called in training,
            LayerTypeError if x is not floating
    Source: N. Srivastava et al. (2014); Keras ``GaussianDropout``

    >>> import numpy as np, luxport
    >>> model = GaussianDropout(0.5)
    >>> ps, st = luxport.setup(0, model)
    >>> model(np.ones((1, 2), np.float32), ps, luxport.test_mode(st))[0]
    array([[1., 1.]], dtype=float32)
    """

    p: float

    def __new__(cls, /, *args: Any, **options: Any) -> Any:
        """Return a `NoOpLayer` if nothing is ever multiplied; `__init__` refuses wrong options."""
        p = args[0] if args else options.get("p")
        return NoOpLayer() if isinstance(p, Real) and p == 0 else super().__new__(cls)

    def __getnewargs__(self) -> tuple[Any, ...]:
        return (self.p,)

    def __post_init__(self) -> None:
        _check(self, "p", "a probability in [0, 1)", 1.0)

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Draw a key; training is on."""
        return {"rng": make_generator(rng), "training": Static(True)}

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Multiply by noise around 1, or pass x on."""
        if not st["training"]:
            return x, st
        noise, st = _noise(x, math.sqrt(self.p / (1.0 - self.p)), st)
        return x * (noise + 1.0), st


def _noise(x: Array, std: float, st: States) -> tuple[Array, States]:
    """Draw noise like x, and count the draw."""
    check_floating(x)
    key, counter = st["rng"]["key"], st["rng"]["counter"]
    noise = ops.normal(key, counter, shape=sizes_of(x)) * std
    return namespace(x, noise).astype(noise, x.dtype), {**st, "rng": {"key": key, "counter": counter + 1}}


def _check(layer: Any, name: str, wanted: str, bound: float) -> None:
    """Check the number that a layer is built with, and make it a float."""
    value = getattr(layer, name)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{type(layer).__name__} expects {wanted}, got {shown(value)}")
    if not 0 <= float(value) < bound:
        raise ValueError(f"{type(layer).__name__} expects {wanted}, got {shown(value)}")
    object.__setattr__(layer, name, float(value))
