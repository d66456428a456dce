"""An activation with a trainable slope: `PReLU`."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

from luxport.backend import Array, namespace
from luxport.backend.dtypes import multiply_by_parameter
from luxport.core.input_checks import check_axis, check_dtype, check_floating, check_sizes, shape_of, shape_text
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerError
from luxport.initializers import Initializer, constant
from luxport.ops.shapes import can_broadcast_to
from luxport.random import Rng

__all__ = ["PReLU"]


class PReLU(Layer):
    """x where it is above 0, ``weight * x`` elsewhere.

    Args:
        shape: 1 for a single weight; a larger int for one per channel (axis 1); a tuple for weights on the last axes
        init_weight: draws the weights

    Shapes: x (...), (N, channels, ...) or (..., *shape) -> like x
    Params: weight (shape,) or (*shape)
    State:  none
    Raises: ValueError when built with sizes that are no ints of at least 0; LayerError if the weights do not fit x,
            LayerTypeError if its dtype is not theirs
    Source: K. He et al. (2015); PyTorch and Keras ``PReLU``

    >>> import numpy as np, luxport
    >>> model = PReLU()
    >>> model(np.asarray([-4.0, 4.0], np.float32), *luxport.setup(0, model))[0]
    array([-1.,  4.], dtype=float32)
    """

    shape: int | tuple[int, ...] = 1
    _: KW_ONLY
    init_weight: Initializer = constant(value=0.25)

    def __post_init__(self) -> None:
        check_sizes("PReLU", **{f"shape[{i}]": n for i, n in enumerate(self._sizes)})

    @property
    def _sizes(self) -> tuple[int, ...]:
        return tuple(self.shape) if isinstance(self.shape, (tuple, list)) else (self.shape,)

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the weights."""
        return {"weight": self.init_weight(rng, self._sizes)}

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Multiply numbers below 0 by the weight."""
        check_floating(x)
        weight = ps["weight"]
        check_dtype(x, weight)
        xp = namespace(x)
        if isinstance(self.shape, (tuple, list)):
            if not can_broadcast_to(weight.shape, shape_of(x)):
                raise LayerError(f"expects (..., {', '.join(map(str, self.shape))}), got {shape_text(x)}")
        elif self.shape != 1:
            check_axis(x, 1, self.shape, "(N, {}, ...)")
            weight = xp.reshape(weight, (-1, *[1] * (len(x.shape) - 2)))
        # The product is taken of numbers below 0 only: an infinity above would make the weight's gradient NaN.
        below = xp.where(x > 0, xp.zeros_like(x), x)
        return xp.where(x > 0, x, multiply_by_parameter(xp, below, weight)), st
