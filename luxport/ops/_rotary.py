"""Rotary position embedding: pairs of features rotated by angles proportional to the position."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport.backend import Array, namespace
from luxport.backend.arguments import check_call
from luxport.backend.dtypes import choose_wider_dtype, expect_floating
from luxport.backend.memory import check_memory
from luxport.backend.option_rules import ANY_INT, FLAG, LONGEST_AXIS, POSITIVE, allow_count, allow_none
from luxport.errors import LayerError
from luxport.ops._operation import operation
from luxport.ops.indices import mark_missing, require_in_range
from luxport.ops.shapes import read_sizes

__all__ = ["apply_rotary_embedding", "compute_rotary_embedding_params"]


@check_call(
    rules={
        "dims": allow_count(0, LONGEST_AXIS),
        "max_sequence_length": allow_count(0, LONGEST_AXIS),
        "base": POSITIVE,
        "low_memory_variant": FLAG,
    }
)
def compute_rotary_embedding_params(
    dims: int, max_sequence_length: int = 4096, *, base: float = 10000.0, low_memory_variant: bool = True
) -> dict[str, Any]:
    """Return the cosines and sines of ``position * base ** (-2 i / dims)``, as float32 on the host.

    Args:
        dims: how many features are rotated, an even number
        max_sequence_length: how many positions there are angles for
        base: the base of the power in the formula
        low_memory_variant: whether each angle is returned once, and not for both features of its pair

    Shapes: -> cos_cache and sin_cache (max_sequence_length, dims / 2); without `low_memory_variant`
            (max_sequence_length, dims), with all angles twice, side by side
    Raises: ValueError if dims is odd
    Source: Lux.jl ``compute_rotary_embedding_params``; J. Su et al., "RoFormer" (2021)

    >>> compute_rotary_embedding_params(4, 3)["cos_cache"].shape
    (3, 2)
    """
    if dims % 2:
        raise ValueError(f"rotary embedding expects an even number of features, got {dims}")
    check_memory("a table of positions", (max_sequence_length, dims), 8)
    frequencies = float(base) ** (-np.arange(0, dims, 2) / max(dims, 1))
    angles = np.arange(max_sequence_length)[:, None] * frequencies
    if not low_memory_variant:
        angles = np.concatenate([angles, angles], axis=1)
    return {"cos_cache": np.cos(angles).astype(np.float32), "sin_cache": np.sin(angles).astype(np.float32)}


@operation(
    takes="x floating (..., features), cos_cache floating (rows, columns), sin_cache floating (rows, columns), "
    "positions int (..., sequence)?",
    rules={"dims": allow_none(allow_count(0)), "seq_axis": ANY_INT},
)
def apply_rotary_embedding(
    x: Array,
    cos_cache: Array,
    sin_cache: Array,
    positions: Array | None = None,
    *,
    dims: int | None = None,
    seq_axis: int = -3,
) -> Array:
    """Rotate features i and ``i + dims / 2`` by the angle that the caches have for the position.

    Positions count from 0 unless they are given. The rotation is computed in float32 or float64.

    Args:
        dims: how many features are rotated, the first of each head; None for all
        seq_axis: the axis of positions in x

    Shapes: x (..., sequence, heads, features), or with another `seq_axis`; caches (longest sequence, dims / 2) or
            (longest sequence, dims); positions (sequence,) or (N, sequence), int -> like x
    Raises: LayerError if the shapes do not fit
    Source: Lux.jl ``apply_rotary_embedding``, which allows no features beyond `dims`

    >>> import numpy as np
    >>> caches = compute_rotary_embedding_params(2, 4)
    >>> print(apply_rotary_embedding(np.ones((3, 1, 2), np.float32), *caches.values())[:, 0, :].round(3))
    [[ 1.     1.   ]
     [-0.301  1.382]
     [-1.325  0.493]]
    """
    xp = namespace(x, cos_cache, sin_cache, positions)
    expect_floating(x)
    ndim, features = len(x.shape), x.shape[-1]
    turning = features if dims is None else dims
    if turning is None:
        raise LayerError("expects dims= where the number of features is unknown")
    half = turning // 2
    if not -ndim <= seq_axis < ndim or seq_axis % ndim == ndim - 1:
        raise LayerError(f"expects a sequence along an axis in [-{ndim}, -1), got {seq_axis}")
    short = features is not None and turning > features
    if short or turning % 2 or (cos_cache.shape[-1] != turning and cos_cache.shape[-1] != half):
        raise LayerError(
            f"expects caches of {half} or {turning} columns for an even number of features of at least {turning}, "
            f"got {cos_cache.shape[-1]} and {features}"
        )
    seq_axis %= ndim
    wide = choose_wider_dtype(xp, x)
    # If the caches have all angles twice, both halves are the same.
    cos, sin = (
        xp.astype(_take_rows(xp, cache, positions, x, seq_axis)[..., :half], wide) for cache in (cos_cache, sin_cache)
    )
    first, second = (xp.astype(part, wide) for part in (x[..., :half], x[..., half:turning]))
    turned = xp.concat([first * cos - second * sin, second * cos + first * sin], axis=-1)
    turned = xp.astype(turned, x.dtype)
    return turned if turning == features else xp.concat([turned, x[..., turning:]], axis=-1)


def _take_rows(xp: Any, cache: Array, positions: Array | None, x: Array, seq_axis: int) -> Array:
    """Return the rows of a cache at the positions, in a shape that broadcasts with x."""
    known, length = x.shape[seq_axis], read_sizes(x)[seq_axis]
    if positions is None:
        if known is not None and known > cache.shape[0]:
            raise LayerError(f"expects a sequence of at most {cache.shape[0]}, got {known}")
        rows = cache[:length, :]
    else:
        given = positions.shape[-1] if len(positions.shape) in (1, 2) else 0
        if known is not None and given is not None and given != known:
            raise LayerError(f"expects a position for each of {known} places, got {tuple(positions.shape)}")
        safe, in_range = require_in_range(xp, positions, cache.shape[0], "positions")
        rows = xp.take(cache, xp.reshape(safe, (-1,)), axis=0)
        rows = rows if in_range is None else mark_missing(xp, rows, xp.reshape(in_range, (-1,)))
    columns = cache.shape[1]
    after = (1,) * (len(x.shape) - seq_axis - 2)
    if positions is None or len(positions.shape) == 1:
        return xp.reshape(rows, (length, *after, columns))
    return xp.reshape(rows, (-1, *(1,) * (seq_axis - 1), length, *after, columns))
