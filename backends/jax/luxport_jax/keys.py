"""JAX's keys as seeds: their words, and random numbers drawn on the host by compiled programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.core
import jax.numpy as xp
import numpy as np

__all__ = ["draw_later", "key_words"]


def key_words(key: Any) -> Any:
    """Return the words of a key as a tuple of ints, or as an array while JAX traces.

    Raises: TypeError for an array of several keys, or one that is not a key
    """
    typed = xp.issubdtype(key.dtype, jax.dtypes.prng_key)
    words = jax.random.key_data(key) if typed else key
    if (not typed and words.dtype != np.uint32) or words.shape not in ((2,), (4,)):
        kind = "keys" if typed else words.dtype.name
        raise TypeError(f"one key expected, as jax.random.key makes it, got {kind} of shape {key.shape}")
    return words if isinstance(words, jax.core.Tracer) else tuple(map(int, np.asarray(words)))


def draw_later(draw: Callable[[Any], list[Any]], words: Any, like: list[Any]) -> list[Any]:
    """Return arrays like these, which `draw` computes from a key's words on the host when the program runs."""
    kinds = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in like]
    return jax.pure_callback(lambda words: draw(np.asarray(words)), kinds, words, vmap_method="sequential")
