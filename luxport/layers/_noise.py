"""Layers of Gaussian noise: `GaussianNoise` and `GaussianDropout`."""

from __future__ import annotations

import math

from luxport import ops
from luxport.backend import Array, namespace
from luxport.core.input_checks import check_floating
from luxport.layers._random_layer import RandomLayer, check_strength
from luxport.ops.shapes import read_sizes

__all__ = ["GaussianDropout", "GaussianNoise"]


class GaussianNoise(RandomLayer):
    """``x + std noise`` with noise from the standard normal distribution, in training.

    The noise is the same on all backends, except for the last bits. ``GaussianNoise(0)`` is a `NoOpLayer`.

    Args:
        std: the standard deviation of the noise

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

    def __post_init__(self) -> None:
        check_strength(self, "a standard deviation of at least 0", math.inf)

    def _change(self, x: Array, key: Array, counter: Array) -> Array:
        return x + _draw_noise(x, self.std, key, counter)


class GaussianDropout(RandomLayer):
    """``x (1 + s noise)`` with noise from the standard normal distribution and s = ``sqrt(p / (1 - p))``, in training.

    The result has the mean and the variance of `Dropout` with this p. ``GaussianDropout(0)`` is a `NoOpLayer`.

    Args:
        p: the probability of the equivalent `Dropout`, at least 0 and below 1

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

    def __post_init__(self) -> None:
        check_strength(self, "a probability in [0, 1)", 1.0)

    def _change(self, x: Array, key: Array, counter: Array) -> Array:
        return x * (_draw_noise(x, math.sqrt(self.p / (1.0 - self.p)), key, counter) + 1)


def _draw_noise(x: Array, std: float, key: Array, counter: Array) -> Array:
    """Draw normal numbers of mean 0 in the shape and dtype of x."""
    check_floating(x)
    noise = ops.normal(key, counter, shape=read_sizes(x)) * std
    return namespace(x, noise).astype(noise, x.dtype)
