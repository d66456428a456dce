"""A dropout mask of a million entries: ours, the same on every backend, against the framework's own generator.

``python -m benchmarks.dropout_mask jax`` measures one framework in this process. Ours is `keep_mask`, 32 bits an
entry; theirs is the call that the framework offers for random booleans. Dropout itself is measured beside it
where the framework has a function for it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["HEADER", "measure_rows"]

HEADER = ("mask of 10^6", "against", "ours µs", "theirs µs", "ratio")
SIZE = 1_000_000


def measure_rows(backend: str, seconds: float = 4.0) -> list[tuple[Any, ...]]:
    """Measure one backend, eager and compiled."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import numpy as np

    import luxport
    from benchmarks.timing import compare
    from luxport import ops

    key = luxport.asarray(np.array([1, 2], np.int32), backend=backend)
    counter = luxport.asarray(np.array(0, np.int32), backend=backend)
    x = luxport.asarray(np.ones(SIZE, np.float32), backend=backend)

    def mask(key: Any, counter: Any) -> Any:
        return ops.keep_mask(key, counter, shape=(SIZE,), p=0.5)

    def dropout(x: Any, key: Any, counter: Any) -> Any:
        return ops.dropout(x, key, counter, p=0.5)

    calls = CALLS[backend](x)
    ours: dict[str, Callable[[], Any]] = {"eager": lambda: mask(key, counter)}
    whole: dict[str, Callable[[], Any]] = {"eager": lambda: dropout(x, key, counter)}
    if backend != "numpy":
        jitted, jitted_whole = luxport.jit(mask), luxport.jit(dropout)
        ours["compiled"] = lambda: jitted(key, counter)
        whole["compiled"] = lambda: jitted_whole(x, key, counter)
    found = []
    for what, mode, name, theirs in calls:
        f = (ours if what == "mask" else whole)[mode]
        found.append(
            (
                f"{what}, {mode}",
                f"{backend}: {name}",
                *compare(_wait_for(f, backend), _wait_for(theirs, backend), seconds),
            )
        )
    return found


def _wait_for(f: Callable[[], Any], backend: str) -> Callable[[], Any]:
    """Wait for the result: JAX's calls return before it is there."""
    return (lambda: f().block_until_ready()) if backend == "jax" else f


def _prepare_numpy(x: Any) -> list[tuple[Any, ...]]:
    import numpy as np

    generator = np.random.default_rng(0)
    return [("mask", "eager", "Generator.random(float32) > 0.5", lambda: generator.random(SIZE, np.float32) > 0.5)]


def _prepare_jax(x: Any) -> list[tuple[Any, ...]]:
    import jax

    key = jax.random.key(0)

    def bernoulli() -> Any:
        return jax.random.bernoulli(key, 0.5, (SIZE,))

    compiled = jax.jit(lambda key: jax.random.bernoulli(key, 0.5, (SIZE,)))
    return [
        ("mask", "eager", "random.bernoulli", bernoulli),
        ("mask", "compiled", "random.bernoulli", lambda: compiled(key)),
    ]


def _prepare_torch(x: Any) -> list[tuple[Any, ...]]:
    import torch
    from torch.nn.functional import dropout

    bernoulli = torch.compile(lambda: torch.rand(SIZE) > 0.5)
    compiled = torch.compile(lambda x: dropout(x, 0.5))
    return [
        ("mask", "eager", "rand > 0.5", lambda: torch.rand(SIZE) > 0.5),
        ("mask", "compiled", "rand > 0.5", bernoulli),
        ("dropout", "eager", "functional.dropout", lambda: dropout(x, 0.5)),
        ("dropout", "compiled", "functional.dropout", lambda: compiled(x)),
    ]


def _prepare_tf(x: Any) -> list[tuple[Any, ...]]:
    import tensorflow as tf

    mask = tf.function(lambda: tf.random.uniform((SIZE,)) > 0.5)
    compiled = tf.function(lambda x: tf.nn.dropout(x, 0.5))
    return [
        ("mask", "eager", "random.uniform > 0.5", lambda: tf.random.uniform((SIZE,)) > 0.5),
        ("mask", "compiled", "random.uniform > 0.5", mask),
        ("dropout", "eager", "nn.dropout", lambda: tf.nn.dropout(x, 0.5)),
        ("dropout", "compiled", "nn.dropout", lambda: compiled(x)),
    ]


CALLS: dict[str, Callable[[Any], list[tuple[Any, ...]]]] = {
    "numpy": _prepare_numpy,
    "jax": _prepare_jax,
    "torch": _prepare_torch,
    "tf": _prepare_tf,
}

if __name__ == "__main__":
    print(json.dumps(measure_rows(sys.argv[1], *map(float, sys.argv[2:]))))
