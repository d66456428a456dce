"""Random numbers: a host generator for initial values, and keys for layers that draw as they run.

Both are counter-based and implemented here, so a seed gives the same numbers on every backend, machine and version of
NumPy.

A key is a small dict of arrays, ``{"key": int32 (2,), "counter": int32 ()}``, as layers that draw keep it in their
state. Functions that draw are pure: they return the values, and the key with its counter increased by 1:

>>> from luxport import random
>>> noise, k = random.normal(random.key(0), (2, 3))
>>> noise.shape, int(k["counter"])
((2, 3), 1)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from luxport import ops
from luxport.backend import Array, Backend, can, default_backend, find_owner, get_backend, namespace
from luxport.backend.memory import check_memory
from luxport.call_arguments import explain_call_errors, explain_construction
from luxport.errors import LayerMemoryError
from luxport.random._normal_quantile import standard_normal_cdf, standard_normal_quantile
from luxport.text import name_kind, show

__all__ = ["Key", "Rng", "expect_shape", "fold_in", "key", "normal", "rng", "split", "uniform"]


Key: TypeAlias = dict[str, Array]
"""``{"key": int32 (2,), "counter": int32 ()}``"""


@explain_construction
class Rng:
    """A random generator on the host: Philox-4x64-10 with the seed as its key.

    Each draw advances it. All floating values are float32.

    Raises: ValueError if the seed is not in [0, 2**128)
    Source: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011)

    >>> Rng(0).uniform((2,)).dtype.name
    'float32'
    """

    def __init__(self, seed: int | np.integer) -> None:
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= int(seed) < 2**128:
            raise ValueError(f"a seed expected, an int in [0, 2**128), got {show(seed)}")
        self.seed: int = int(seed)
        self._bits = np.random.Philox(key=self.seed)

    @classmethod
    def of(cls, rng: int | Rng | Array) -> Rng:
        """Return a generator itself, or a new one for a seed, or for a key of JAX."""
        if isinstance(rng, Rng):
            return rng
        if isinstance(rng, (int, np.integer)):
            return cls(rng)
        words = read_key_words(rng)
        if words is None:
            raise TypeError(f"a seed or a luxport.Rng expected, got {name_kind(rng)}")
        if not isinstance(words, tuple):
            raise TypeError(
                "a key with known words expected, got one that only the running program knows: luxport.setup takes "
                "such a key"
            )
        return cls.of_words(words)

    @classmethod
    def of_words(cls, words: Sequence[Any]) -> Rng:
        """Return the generator whose seed is made of 32-bit words, the highest first."""
        return cls(sum(int(word) << (32 * i) for i, word in enumerate(reversed(words))))

    def uniform(self, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> Any:
        """Draw float32 values from [low, high), with 24 random bits each; rounding may reach `high`."""
        unit = (self._draw_raw(shape) >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
        return unit if (low, high) == (0.0, 1.0) else unit * np.float32(high - low) + np.float32(low)

    def normal(self, shape: tuple[int, ...], mean: float = 0.0, std: float = 1.0) -> Any:
        """Draw float32 values from the normal distribution by its quantile function, with 52 random bits each."""
        return (standard_normal_quantile(self._open_unit(shape)) * std + mean).astype(np.float32)

    def truncated_normal(
        self, shape: tuple[int, ...], mean: float = 0.0, std: float = 1.0, low: float = -2.0, high: float = 2.0
    ) -> Any:
        """Draw float32 values from the normal distribution within [low, high], with 52 random bits each.

        Raises: ValueError unless std > 0 and low < high
        """
        if not (std > 0 and low < high):
            raise ValueError(f"a truncated normal expects std > 0 and low < high, got {std}, {low} and {high}")
        a, b = (low - mean) / std, (high - mean) / std
        # Probabilities are more exact near 0 than near 1: an interval mostly above the mean is mirrored.
        sign = -1.0 if a + b > 0 else 1.0
        a, b = (-b, -a) if sign < 0 else (a, b)
        first, last = standard_normal_cdf(a), standard_normal_cdf(b)
        values = sign * standard_normal_quantile(first + self._open_unit(shape) * (last - first))
        return np.clip(values * std + mean, low, high).astype(np.float32)

    def draw_with(self, draw: Callable[..., Any], shape: tuple[int, ...], **options: Any) -> Any:
        """Return ``draw(rng, shape, **options)``, after a check that there is memory for it."""
        # Bytes for each number: 64 random bits, the part of them that is used, the float32, and its copy on a backend.
        check_memory("an array", shape, 8 + 8 + 4 + 4)
        try:
            return draw(self, shape, **options)
        except MemoryError:
            raise LayerMemoryError(f"expects sizes that fit into memory, got an array of {shape}") from None

    def key(self) -> Any:
        """Draw a key for a layer's own generator, int32[2]."""
        return np.frombuffer(self._draw_raw((1,)).astype("<u8").tobytes(), dtype="<i4").astype(np.int32)

    def _open_unit(self, shape: tuple[int, ...]) -> Any:
        """Draw float64 values from (0, 1)."""
        return ((self._draw_raw(shape) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52

    def _draw_raw(self, shape: tuple[int, ...]) -> Any:
        expect_shape(shape)
        return self._bits.random_raw(math.prod(shape)).reshape(shape)


def expect_shape(shape: Any) -> None:
    """Expect a shape; its sizes are looked at where an array of it is made.

    Raises: TypeError
    """
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"a shape expected, a tuple of ints such as (3, 4), got {show(shape)}")


def read_key_words(key: Any) -> Any:
    """Return the words of a framework's key, such as JAX's: a tuple of ints, or an array if they are not known.

    None for anything else, and if the framework has no keys.

    Raises: TypeError for several keys, and for an array that is no key
    """
    owner: Any = find_owner(type(key))
    return owner.key_words(key) if owner is not None and can(owner, "own keys") else None


@explain_call_errors
def rng(seed: int) -> Rng:
    """Return the host generator for a seed.

    >>> rng(1).normal((3,)).shape
    (3,)
    """
    return Rng(seed)


@explain_call_errors
def key(seed: int, *, backend: str | Backend | None = None, device: str | None = None) -> Key:
    """Return the key of a seed, with a counter of 0. Its words are those of JAX's key for the same seed.

    Args:
        seed: an int from 0 to below 2^64
        backend: the backend of the key; None for the default one
        device: the device of the key; None for the backend's default

    Shapes: key (2,) and counter (), int32
    Raises: ValueError if the seed is not an int in [0, 2**64)

    >>> key(7)["key"]
    array([0, 7], dtype=int32)
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= int(seed) < 2**64:
        raise ValueError(f"a seed expected, an int in [0, 2**64), got {show(seed)}")
    owner = default_backend() if backend is None else get_backend(backend)
    words = np.array([int(seed) >> 32, int(seed) & 0xFFFFFFFF], np.uint32).view(np.int32)
    return {"key": owner.asarray(words, device=device), "counter": owner.asarray(np.zeros((), np.int32), device=device)}


@explain_call_errors
def fold_in(key: Key, data: int | Array) -> Key:
    """Return a new key, computed from a key and a number: the cipher of (counter, data).

    For a key with a counter of 0 this is JAX's ``fold_in``.

    Args:
        key: a key
        data: a 32-bit number, such as a rank: an int, or an int32 array

    Shapes: key as of `key`; data () -> a key
    Raises: ValueError if data is not one such number

    >>> fold_in(key(0), 1)["key"]
    array([ 928981903, -841280227], dtype=int32)
    """
    if isinstance(data, (int, np.integer)) and not -(2**31) <= data < 2**31 or len(getattr(data, "shape", ())):
        raise ValueError(f"fold_in expects data as one number of 32 bits, got {show(data)}")
    words, counter = key["key"], key["counter"]
    zero = namespace(words).zeros_like(counter)
    # The sum gives the number the backend, device and dtype of the key.
    at = namespace(words).stack([counter, zero + data])
    return {"key": ops.threefry_2x32(words, at), "counter": zero}


@explain_call_errors
def split(key: Key, count: int = 2) -> list[Key]:
    """Return new keys with independent streams: ``fold_in`` of 0, 1, …

    Args:
        key: a key, which should not be used afterward
        count: how many new keys, at most 100,000

    Raises: ValueError for another count

    >>> len(split(key(0), 3))
    3
    """
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or not 0 <= count <= _MOST_KEYS:
        raise ValueError(f"split expects count as an int from 0 to {_MOST_KEYS:,}, got {show(count)}")
    return [fold_in(key, i) for i in range(count)]


_MOST_KEYS = 100_000


@explain_call_errors
def uniform(key: Key, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> tuple[Array, Key]:
    """Draw float32 values from [low, high); return them and the next key.

    In [0, 1) they are the same on every backend, bit for bit; in other ranges rounding may differ, and reach `high`.

    Args:
        key: a key
        shape: the shape of the values
        low: the least value
        high: the upper bound, which only rounding can reach

    Shapes: values (*shape)

    >>> values, k = uniform(key(0), (2,))
    >>> values
    array([0.4184571 , 0.60049903], dtype=float32)
    """
    values = ops.uniform(key["key"], key["counter"], shape=tuple(shape))
    return values if (low, high) == (0.0, 1.0) else values * (high - low) + low, _advance(key)


@explain_call_errors
def normal(key: Key, shape: tuple[int, ...], mean: float = 0.0, std: float = 1.0) -> tuple[Array, Key]:
    """Draw float32 values from a normal distribution; return them and the next key.

    Backends agree to a few units in the last place.

    Args:
        key: a key
        shape: the shape of the values
        mean: the mean of the distribution
        std: its standard deviation

    Shapes: values (*shape)
    """
    values = ops.normal(key["key"], key["counter"], shape=tuple(shape))
    return values if (mean, std) == (0.0, 1.0) else values * std + mean, _advance(key)


def _advance(key: Key) -> Key:
    return {"key": key["key"], "counter": key["counter"] + 1}
