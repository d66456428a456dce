"""`OldLayerNorm`: LayerNorm with the formula of Flux until 0.14."""

from __future__ import annotations

from dataclasses import KW_ONLY

import luxport
from luxport.backend import Array, namespace
from luxport.core.input_checks import check_axis, check_dtype, check_floating
from luxport.core.layer_base import Parameters, States

__all__ = ["OldLayerNorm"]


class OldLayerNorm(luxport.LayerNorm):
    """`luxport.LayerNorm` that divides by ``std + epsilon`` instead of ``sqrt(var + epsilon)``.

    ``y = activation((x - mean) / (std + epsilon) * scale + bias)``; std divides by n, by ``n - 1`` if `corrected`.

    Shapes: x (..., *shape) -> like x
    Params: scale (*shape), bias (*shape); none if not ``affine``
    State:  none
    Raises: as `luxport.LayerNorm`
    Source: Flux.jl ``LayerNorm`` and ``normalise`` at v0.6.10, v0.9.0, v0.11.6 and v0.14.25

    >>> import numpy as np, luxport
    >>> model = OldLayerNorm(2, epsilon=1.0)
    >>> y, _ = model(np.array([[1.0, 3.0]], np.float32), *luxport.setup(0, model))
    >>> y
    array([[-0.5,  0.5]], dtype=float32)
    """

    _: KW_ONLY
    corrected: bool = False

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Normalize each sample."""
        xp = namespace(x)
        assert isinstance(self.shape, tuple)
        axes = tuple(range(-len(self.shape), 0))
        check_floating(x)
        for axis, size in zip(axes, self.shape, strict=True):
            sizes = ["{}" if other == axis else str(n) for other, n in zip(axes, self.shape, strict=True)]
            check_axis(x, axis, size, f"(..., {', '.join(sizes)})")
        mean = xp.mean(x, axis=axes, keepdims=True)
        deviation = xp.std(x, axis=axes, keepdims=True, correction=float(self.corrected))
        y = (x - mean) / (deviation + self.epsilon)
        if self.affine:
            check_dtype(x, ps["scale"])
            y = y * ps["scale"] + ps["bias"]
        return self.activation(y), st
