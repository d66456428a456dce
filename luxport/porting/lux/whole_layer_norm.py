"""`WholeLayerNorm`: Lux's LayerNorm without `dims`, which has one mean and one variance for the whole batch."""

from __future__ import annotations

import luxport
from luxport.backend import Array, namespace
from luxport.core.input_checks import check_axis, check_dtype, check_floating
from luxport.core.layer_base import Parameters, States

__all__ = ["WholeLayerNorm"]


class WholeLayerNorm(luxport.LayerNorm):
    """`luxport.LayerNorm` with one mean and one variance of the whole array, including the batch.

    ``y = activation((x - mean) / sqrt(var + epsilon) * scale + bias)``

    Shapes: x (..., *shape) -> like x
    Params: scale (*shape), bias (*shape); none if not ``affine``
    State:  none
    Raises: as `luxport.LayerNorm`
    Source: Lux.jl ``LayerNorm`` with its default ``dims=Colon()``

    >>> import numpy as np, luxport
    >>> model = WholeLayerNorm(1, epsilon=1.0)
    >>> y, _ = model(np.array([[0.0], [0.0]], np.float32), *luxport.setup(0, model))
    >>> y
    array([[0.],
           [0.]], dtype=float32)
    """

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Normalize all of x at once."""
        xp = namespace(x)
        assert isinstance(self.shape, tuple)
        check_floating(x)
        for axis, size in zip(range(-len(self.shape), 0), self.shape, strict=True):
            check_axis(x, axis, size, f"(..., {', '.join(map(str, self.shape))})")
        mean, variance = xp.mean(x), xp.var(x)
        y = (x - mean) / xp.sqrt(variance + self.epsilon)
        if self.affine:
            check_dtype(x, ps["scale"])
            y = y * ps["scale"] + ps["bias"]
        return self.activation(y), st
