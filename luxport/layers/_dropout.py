"""Layers that drop entries at random: `Dropout`, `AlphaDropout`, `VariationalHiddenDropout`."""

from __future__ import annotations

from numbers import Integral
from typing import Any, cast

import numpy as np

from luxport import ops
from luxport.backend import Array, dtype_name, namespace
from luxport.backend.dtypes import find_bool_dtype
from luxport.core.input_checks import check_floating, shape_of
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerTypeError
from luxport.layers._random_layer import RandomLayer, check_strength, make_generator
from luxport.random import Rng
from luxport.text import show
from luxport.tree.static import Static

__all__ = ["AlphaDropout", "Dropout", "VariationalHiddenDropout"]


class _AxesDropout(RandomLayer):
    """A layer that drops entries by a mask, which varies along some axes: `Dropout`, `VariationalHiddenDropout`."""

    p: float
    axes: int | tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check_strength(self, "a probability in [0, 1]", 1.0, bound_too=True)
        _check_axes(self)

    def _change(self, x: Array, key: Array, counter: Array) -> Array:
        shape_of(x)
        if "float" not in (dtype := dtype_name(x)) and "complex" not in dtype:
            raise LayerTypeError(f"expects a floating or complex input, got {dtype}")
        return ops.dropout(x, key, counter, p=self.p, axes=cast("tuple[int, ...] | None", self.axes))


class Dropout(_AxesDropout):
    """Zero each entry with probability p and scale the others by ``1 / (1 - p)``, in training.

    The same state gives the same mask, bit for bit, on every backend; each call in training increases the counter in
    the state by 1. ``Dropout(0)`` is a `NoOpLayer`.

    Args:
        p: the probability, from 0 to 1
        axes: the axes along which the mask varies, an int or a tuple; None for all. Along the others it is the same

    Shapes: x (...) floating or complex -> like x
    Params: none
    State:  rng {key int32 (2,), counter int32 ()}; training
    Raises: when built, ValueError unless 0 <= p <= 1, TypeError if p is no number or an axis no int, ValueError if
            an axis occurs twice; when called in training, LayerError if x does not have all the axes, LayerTypeError
            if it holds integers
    Source: Lux.jl ``Dropout``

    >>> import numpy as np, luxport
    >>> model = Dropout(0.5, axes=(0, 1))  # whole channels of images (N, C, H, W)
    >>> ps, st = luxport.setup(0, model)
    >>> y, st = model(np.ones((1, 2, 2, 2), np.float32), ps, st)
    >>> y.shape, int(st["rng"]["counter"])
    ((1, 2, 2, 2), 1)
    """


class AlphaDropout(RandomLayer):
    """Dropout that preserves mean 0 and variance 1, for networks with `selu`, in training.

    Each entry is set to the limit of `selu` with probability p; then all are scaled and shifted, see
    `luxport.ops.alpha_dropout`. ``AlphaDropout(0)`` is a `NoOpLayer`; with p = 1 all entries are 0.

    Args:
        p: the probability, from 0 to 1

    Shapes: x (...) floating -> like x
    Params: none
    State:  rng {key int32 (2,), counter int32 ()}; training
    Raises: when built, ValueError unless 0 <= p <= 1, TypeError if p is no number; when called in training,
            LayerTypeError if x is not floating
    Source: Lux.jl ``AlphaDropout``; G. Klambauer et al. (2017)

    >>> import numpy as np, luxport
    >>> ps, st = luxport.setup(0, AlphaDropout(0.3))
    >>> y, st = AlphaDropout(0.3)(np.ones((2, 3), np.float32), ps, st)
    >>> y.shape, int(st["rng"]["counter"])
    ((2, 3), 1)
    """

    p: float

    def __post_init__(self) -> None:
        check_strength(self, "a probability in [0, 1]", 1.0, bound_too=True)

    def _change(self, x: Array, key: Array, counter: Array) -> Array:
        check_floating(x)
        return ops.alpha_dropout(x, key, counter, p=self.p)


class VariationalHiddenDropout(_AxesDropout):
    """`Dropout` whose mask stays the same from call to call, until a new one is requested.

    The mask is not stored: key and counter determine it, and calls do not change the counter. Only if `update_mask` in
    the state is true, as it is at first, the next call in training increases the counter, and sets `update_mask` to
    false. For a new mask, for instance for the next sequence: ``st = luxport.update_state(st, "update_mask", True)``.

    Args:
        p: the probability, from 0 to 1
        axes: the axes along which the mask varies, an int or a tuple; None for all. Along the others it is the same

    Shapes: x (...) floating or complex -> like x
    Params: none
    State:  rng {key int32 (2,), counter int32 ()}; training; update_mask bool ()
    Raises: as `Dropout`
    Source: Lux.jl ``VariationalHiddenDropout``; Y. Gal, Z. Ghahramani (2016)

    >>> import numpy as np, luxport
    >>> model = VariationalHiddenDropout(0.5)
    >>> ps, st = luxport.setup(0, model)
    >>> x = np.ones((2, 8), np.float32)
    >>> first, st = model(x, ps, st)
    >>> second, st = model(x, ps, st)
    >>> third, st = model(x, ps, luxport.update_state(st, "update_mask", True))
    >>> bool((first == second).all()), bool((first == third).all())
    (True, False)
    """

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Draw a key; training is on, and the first call draws a mask."""
        return {"rng": make_generator(rng), "training": Static(True), "update_mask": np.ones((), np.bool_)}

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Apply the mask that belongs to the counter, which is increased first if requested; in test mode return x."""
        key, counter, training = st["rng"]["key"], st["rng"]["counter"], st["training"]
        if not training:
            return x, st
        update = st["update_mask"]
        xp = namespace(counter, None if isinstance(update, bool) else update)
        counter = counter + (int(update) if isinstance(update, bool) else xp.astype(update, counter.dtype))
        y = self._change(x, key, counter)
        kept = {"rng": {"key": key, "counter": counter}, "training": training}
        return y, kept | {"update_mask": xp.zeros_like(counter, dtype=find_bool_dtype(xp))}


def _check_axes(layer: Any) -> None:
    """Check the axes that a layer is built with, and convert them to a tuple if there are any."""
    name, axes = type(layer).__name__, layer.axes
    if axes is None:
        return
    found = axes if isinstance(axes, (tuple, list)) else (axes,)
    if any(isinstance(axis, bool) or not isinstance(axis, Integral) for axis in found):
        raise TypeError(f"{name} expects an int or a tuple of ints as axes, got {show(axes)}")
    if len(set(found)) != len(found):
        raise ValueError(f"{name} expects axes that differ, got {show(axes)}")
    object.__setattr__(layer, "axes", tuple(int(axis) for axis in found))
