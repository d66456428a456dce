"""Random calls, with several faults each, of operations for which a backend has its own kernel.

The calls search for crashes: kernels that receive unchecked sizes, strides, dtypes or indices. Seeds make the calls
reproducible.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from judging import BACKENDS, Call
from right_calls import RightCall, list_right_calls

import luxport

__all__ = ["list_calls"]

DTYPES = ("bool", "int8", "uint8", "int32", "float16", "float32", "complex64")
NUMBERS = (0, -1, 1, 7, 2**31 - 1, -(2**31), 1e30, float("nan"), float("inf"), float("-inf"))
OPTIONS = (0, -1, 1, 2, 3, 64, 2**31 - 1, 2**31, 2**62, -(2**31), 2**70, 0.0, -0.5, 1e30, float("nan"), True, None)
ACTIVATIONS = set(vars(import_module("luxport_torch.ops.activations")))
"""Elementwise functions of one array, in which nothing can go wrong."""
ROUNDS = {"numpy": 200, "torch": 800, "tf": 300, "jax": 40}
"""Rounds by backend, some 100,000 calls in all."""


def list_calls(backend: str) -> Iterator[Call]:
    """Yield the calls in rounds over all operations."""
    native = _list_native_operations()
    rights = [
        right for right in list_right_calls() if right.name in native and right.arrays and right.name not in ACTIVATIONS
    ]
    for turn in range(ROUNDS[backend]):
        for place, right in enumerate(rights):
            yield (
                f"{right.name} ({place}): at random, {turn}",
                partial(_call_at_random, right, backend, random.Random(f"{place}/{turn}")),
            )


def _list_native_operations() -> set[str]:
    """Return the operations with an override in some backend, and those that use such."""
    found = {"bilinear", "ctc_loss", "gather", "scatter", "normalize", "grid_sample", "unfold", "fold", "stft", "istft"}
    for backend in BACKENDS:
        found |= set(vars(import_module(f"luxport_{backend}.ops")))
    return found


def _call_at_random(right: RightCall, backend: str, rng: random.Random) -> None:
    arrays = [_change_array(array, backend, rng) for array in right.arrays]
    options = dict(right.options)
    if options and rng.random() < 0.6:
        name = rng.choice(list(options))
        options[name] = _change_option(options[name], rng)
    if rng.random() < 0.1 and len(arrays) > 1:
        rng.shuffle(arrays)
    if backend in ("torch", "tf") and rng.random() < 0.4:
        floating = [i for i, array in enumerate(arrays) if "float" in str(getattr(array, "dtype", ""))]
        if floating:
            at = rng.choice(floating)
            luxport.value_and_grad(lambda x: _sum(right.function(*arrays[:at], x, *arrays[at + 1 :], **options)))(
                arrays[at]
            )
            return
    right.function(*arrays, **options)


def _sum(result: Any) -> Any:
    first = result[0] if isinstance(result, tuple) else result
    return luxport.namespace(first).sum(first)


def _change_option(value: Any, rng: random.Random) -> Any:
    if isinstance(value, tuple) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return (*value[:at], _change_option(value[at], rng), *value[at + 1 :])
    chosen = rng.choice(OPTIONS)
    return (chosen,) * rng.randrange(4) if rng.random() < 0.2 else chosen


def _change_array(host: Any, backend: str, rng: random.Random) -> Any:
    """Return an array on a backend, or another argument, usually changed."""
    if not isinstance(host, np.ndarray):
        return _change_option(host, rng) if rng.random() < 0.2 else host
    single = {"float64": "float32", "complex128": "complex64", "int64": "int32"}
    host = host.astype(single.get(host.dtype.name, host.dtype.name))
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        host = rng.choice(CHANGES)(host, rng)
    array = luxport.asarray(host, backend=backend)
    if backend == "torch" and rng.random() < 0.2:
        return _make_strided(array, rng)
    return array


def _make_strided(array: Any, rng: random.Random) -> Any:
    """Return a view of a tensor with another memory layout."""
    if not array.ndim:
        return array.expand(rng.randrange(4))
    axis = rng.randrange(array.ndim)
    match rng.randrange(4):
        case 0:
            return array.transpose(axis, rng.randrange(array.ndim))
        case 1:
            return array[(slice(None),) * axis + (slice(0, 1),)].expand(array.shape)
        case 2:
            return array[(slice(None),) * axis + (slice(None, None, 2),)]
    return array.narrow(axis, 0, 0)


def _resize(host: Any, rng: random.Random) -> Any:
    if not host.ndim:
        return np.resize(host, (rng.randrange(4),))
    axis = rng.randrange(host.ndim)
    n = host.shape[axis]
    size = rng.choice((0, 1, max(n - 1, 0), n + 1, 2 * n, 2 * n + 1, 33))
    shape = (*host.shape[:axis], size, *host.shape[axis + 1 :])
    return np.resize(host, shape) if host.size and size else np.zeros(shape, host.dtype)


def _change_dtype(host: Any, rng: random.Random) -> Any:
    with np.errstate(all="ignore"):
        return host.astype(rng.choice(DTYPES))


def _insert_number(host: Any, rng: random.Random) -> Any:
    if not host.size:
        return host
    host = host.copy()
    with np.errstate(all="ignore"):
        number = np.asarray(rng.choice(NUMBERS))
        host.reshape(-1)[rng.randrange(host.size)] = (
            number.astype(host.dtype) if host.dtype.kind in "fcb" or np.isfinite(number) else 0
        )
    return host


CHANGES: tuple[Callable[[Any, random.Random], Any], ...] = (
    _resize,
    _resize,
    _change_dtype,
    _insert_number,
    _insert_number,
    lambda host, _: host[None],
    lambda host, _: host[..., None],
    lambda host, rng: host.reshape(-1) if rng.random() < 0.5 else host.sum(0) if host.ndim else host,
    lambda host, _: host.T,
)
