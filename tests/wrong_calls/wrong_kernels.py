"""Operations that a backend has a kernel of its own for, called with several things wrong at once, at random.

What is looked for is a process that ends: a kernel that is handed sizes, strides, dtypes or indices that nobody looked
at. The numbers make the same calls again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from judging import BACKENDS, Call
from right_calls import RightCall, right_calls

import luxport

__all__ = ["calls"]

DTYPES = ("bool", "int8", "uint8", "int32", "float16", "float32", "complex64")
NUMBERS = (0, -1, 1, 7, 2**31 - 1, -(2**31), 1e30, float("nan"), float("inf"), float("-inf"))
OPTIONS = (0, -1, 1, 2, 3, 64, 2**31 - 1, 2**31, 2**62, -(2**31), 2**70, 0.0, -0.5, 1e30, float("nan"), True, None)
ACTIVATIONS = set(vars(import_module("luxport_torch.ops.activations")))
"""Of one array, element by element: nothing to go wrong with."""
ROUNDS = {"numpy": 200, "torch": 800, "tf": 300, "jax": 40}
"""Some 100,000 calls together."""


def calls(backend: str) -> Iterator[Call]:
    """Yield the calls, in rounds over all the operations."""
    native = _native()
    rights = [
        right for right in right_calls() if right.name in native and right.arrays and right.name not in ACTIVATIONS
    ]
    for turn in range(ROUNDS[backend]):
        for place, right in enumerate(rights):
            yield (
                f"{right.name} ({place}): at random, {turn}",
                partial(_run, right, backend, random.Random(f"{place}/{turn}")),
            )


def _native() -> set[str]:
    """Return the names of what some backend has in a version of its own, and of what is made of such things."""
    found = {"bilinear", "ctc_loss", "gather", "scatter", "normalize", "grid_sample", "unfold", "fold", "stft", "istft"}
    for backend in BACKENDS:
        found |= set(vars(import_module(f"luxport_{backend}.ops")))
    return found


def _run(right: RightCall, backend: str, rng: random.Random) -> None:
    arrays = [_placed(array, backend, rng) for array in right.arrays]
    options = dict(right.options)
    if options and rng.random() < 0.6:
        name = rng.choice(list(options))
        options[name] = _option(options[name], rng)
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


def _option(value: Any, rng: random.Random) -> Any:
    if isinstance(value, tuple) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return (*value[:at], _option(value[at], rng), *value[at + 1 :])
    chosen = rng.choice(OPTIONS)
    return (chosen,) * rng.randrange(4) if rng.random() < 0.2 else chosen


def _placed(host: Any, backend: str, rng: random.Random) -> Any:
    """Return an array on a backend, or what stood there, changed more often than not."""
    if not isinstance(host, np.ndarray):
        return _option(host, rng) if rng.random() < 0.2 else host
    single = {"float64": "float32", "complex128": "complex64", "int64": "int32"}
    host = host.astype(single.get(host.dtype.name, host.dtype.name))
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        host = rng.choice(CHANGES)(host, rng)
    array = luxport.asarray(host, backend=backend)
    if backend == "torch" and rng.random() < 0.2:
        return _strided(array, rng)
    return array


def _strided(array: Any, rng: random.Random) -> Any:
    """Return a view of a tensor whose memory is laid out otherwise."""
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


def _resized(host: Any, rng: random.Random) -> Any:
    if not host.ndim:
        return np.resize(host, (rng.randrange(4),))
    axis = rng.randrange(host.ndim)
    n = host.shape[axis]
    size = rng.choice((0, 1, max(n - 1, 0), n + 1, 2 * n, 2 * n + 1, 33))
    shape = (*host.shape[:axis], size, *host.shape[axis + 1 :])
    return np.resize(host, shape) if host.size and size else np.zeros(shape, host.dtype)


def _of_another_dtype(host: Any, rng: random.Random) -> Any:
    with np.errstate(all="ignore"):
        return host.astype(rng.choice(DTYPES))


def _with_a_number(host: Any, rng: random.Random) -> Any:
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
    _resized,
    _resized,
    _of_another_dtype,
    _with_a_number,
    _with_a_number,
    lambda host, _: host[None],
    lambda host, _: host[..., None],
    lambda host, rng: host.reshape(-1) if rng.random() < 0.5 else host.sum(0) if host.ndim else host,
    lambda host, _: host.T,
)
