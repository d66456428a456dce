"""Layers that encode positions: `SinusoidalPositionalEmbedding` and `RotaryPositionalEmbedding`."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY
from typing import Any

import numpy as np

from luxport import ops
from luxport.backend import Array, namespace
from luxport.backend.dtypes import choose_wider_dtype, is_floating
from luxport.core.input_checks import check_floating, check_sizes, shape_of, shape_text
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerError
from luxport.random import Rng
from luxport.text import name_kind

__all__ = ["RotaryPositionalEmbedding", "SinusoidalPositionalEmbedding"]


class SinusoidalPositionalEmbedding(Layer):
    """``scale * [sin(sigmas * x), cos(sigmas * x)]``: sines and cosines of each number, at several frequencies.

    The frequencies, sigmas, fall from `max_freq` to `min_freq` in a geometric sequence.

    Args:
        dims: how many features there are for each number, an even number
        min_freq: the lowest frequency
        max_freq: the highest frequency
        scale: a factor of the result; None for ``sqrt(2 / dims)``
        full_turns: whether frequencies count full turns, so that sigmas are multiplied by 2 pi

    Shapes: x (...), numbers such as positions -> y (..., dims), in the dtype of x, or of the sigmas if x holds
            integers
    Params: none
    State:  sigmas (dims / 2,)
    Raises: ValueError when built with dims that is no even int of at least 0, or frequencies of 0 or less
    Source: Lux.jl ``SinusoidalPositionalEmbedding``; A. Vaswani et al. (2017)

    >>> import numpy as np, luxport
    >>> model = SinusoidalPositionalEmbedding(4)
    >>> ps, st = luxport.setup(0, model)
    >>> y, st = model(np.arange(6, dtype=np.int32), ps, st)
    >>> y.shape
    (6, 4)
    """

    dims: int
    _: KW_ONLY
    min_freq: float = 1e-4
    max_freq: float = 1.0
    scale: float | None = None
    full_turns: bool = False

    def __post_init__(self) -> None:
        check_sizes("SinusoidalPositionalEmbedding", dims=self.dims)
        if self.dims % 2:
            raise ValueError(f"SinusoidalPositionalEmbedding expects an even number of features, got {self.dims}")
        if not (self.min_freq > 0 and self.max_freq > 0):
            raise ValueError(
                "SinusoidalPositionalEmbedding expects frequencies above 0, "
                f"got min_freq={self.min_freq} and max_freq={self.max_freq}"
            )

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Compute the frequencies, the highest first."""
        sigmas = np.geomspace(self.max_freq, self.min_freq, self.dims // 2)
        return {"sigmas": (sigmas * (2 * math.pi if self.full_turns else 1.0)).astype(np.float32)}

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Multiply by each frequency; return the sines, then the cosines."""
        shape_of(x)
        sigmas = st["sigmas"]
        xp = namespace(x, sigmas)
        like = x if is_floating(x) else sigmas
        # Half types are too coarse for large angles.
        wide = choose_wider_dtype(xp, like)
        angles = xp.expand_dims(xp.astype(x, wide), axis=-1) * xp.astype(sigmas, wide)
        scale = math.sqrt(2.0 / max(self.dims, 1)) if self.scale is None else self.scale
        return xp.astype(xp.concat([xp.sin(angles), xp.cos(angles)], axis=-1) * scale, like.dtype), st


class RotaryPositionalEmbedding(Layer):
    """Rotate pairs of features of each head by angles proportional to the position.

    Features i and ``i + dims / 2`` are rotated by ``position * base ** (-2 i / dims)``; features beyond `dims` do not
    change. The input is x, whose positions count from 0, or ``(x, positions)``.

    Args:
        dims: how many features are rotated, an even number: the first of each head
        max_sequence_length: how many positions there are angles for
        base: the base of the power in the formula
        low_memory_variant: whether the state holds each angle once, instead of for both features of its pair

    Shapes: x (N, sequence, heads, features), floating; positions (sequence,) or (N, sequence), int -> like x
    Params: none
    State:  cos_cache and sin_cache (max_sequence_length, dims / 2), or (max_sequence_length, dims) without
            ``low_memory_variant``
    Raises: ValueError when built with dims that is no even int of at least 0; LayerError if x does not have four axes,
            has too few features or too long a sequence; LayerTypeError if it is not floating
    Source: Lux.jl ``RotaryPositionalEmbedding``, with the partial rotation that it documents; J. Su et al. (2021)

    >>> import numpy as np, luxport
    >>> model = RotaryPositionalEmbedding(8, max_sequence_length=16)
    >>> ps, st = luxport.setup(0, model)
    >>> y, st = model(np.ones((2, 5, 4, 8), np.float32), ps, st)
    >>> y.shape
    (2, 5, 4, 8)
    """

    dims: int
    _: KW_ONLY
    max_sequence_length: int = 4096
    base: float = 10000.0
    low_memory_variant: bool = True

    def __post_init__(self) -> None:
        check_sizes("RotaryPositionalEmbedding", dims=self.dims, max_sequence_length=self.max_sequence_length)
        if self.dims % 2:
            raise ValueError(f"RotaryPositionalEmbedding expects an even number of features, got {self.dims}")

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Compute the tables of cosines and sines."""
        return ops.compute_rotary_embedding_params(
            *(self.dims, self.max_sequence_length), base=self.base, low_memory_variant=self.low_memory_variant
        )

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Array, States]:
        """Rotate x, or the x of a pair."""
        if isinstance(x, (tuple, list)) and len(x) != 2:
            raise LayerError(f"expects x or (x, positions), got a {name_kind(x)} of {len(x)}")
        x, positions = x if isinstance(x, (tuple, list)) else (x, None)
        if len(shape_of(x)) != 4:
            raise LayerError(f"expects (N, sequence, heads, features), got {shape_text(x)}")
        check_floating(x)
        y = ops.apply_rotary_embedding(x, st["cos_cache"], st["sin_cache"], positions, dims=self.dims)
        return y, st
