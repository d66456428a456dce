"""Unsigned indices beyond signed types are refused as out of range, and never wrap to other indices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import luxport
from luxport import losses, ops, training

ROWS = np.ones((2, 3), np.float32)


def _embed_bags(indices: Any) -> Any:
    layer = luxport.EmbeddingBag(5, 2)
    backend = luxport.backend_of(indices)
    numbers = backend.to_numpy(indices)
    offsets = backend.asarray(np.asarray([0, numbers[0]], numbers.dtype))
    return layer((backend.asarray(np.asarray([0, 1, 2])), offsets), *luxport.setup(0, layer, backend=backend))


def _run_lengths(indices: Any) -> Any:
    layer = luxport.LSTM(3, 2, masked=True)
    backend = luxport.backend_of(indices)
    x = backend.asarray(np.ones((2, 4, 3)), dtype="float32")
    return layer((x, indices), *luxport.setup(0, layer, backend=backend))


TAKERS: dict[str, Callable[[Any, Any], Any]] = {
    "gather": lambda rows, indices: ops.gather(rows, indices),
    "scatter": lambda rows, indices: ops.scatter(rows, indices, op="+", size=4),
    "segment_reduce": lambda rows, indices: ops.segment_reduce(rows, indices, op="sum", size=4),
    "embedding": lambda rows, indices: ops.embedding(rows, indices),
    "accuracy": lambda rows, indices: training.accuracy(rows, indices),
    "a sparse loss": lambda rows, indices: losses.sparse_logitcrossentropy(rows, indices, ignore_index=-1),
    "a smooth loss": lambda rows, indices: losses.sparse_logitcrossentropy(rows, indices, label_smoothing=0.1),
    "a label": lambda rows, indices: training.onehotbatch(indices, range(3)),
    "CTC": lambda rows, indices: losses.ctc_loss(rows[:, None, :], indices[:, None]),
    "lengths": lambda rows, indices: _run_lengths(indices),
    "offsets": lambda rows, indices: _embed_bags(indices),
}


@pytest.mark.parametrize("backend", ("numpy", "torch", "tf", "jax"))
@pytest.mark.parametrize("kind", ("uint32", "uint64"))
def test_an_index_beyond_signed_types_is_out_of_range(backend: str, kind: str) -> None:
    if (backend, kind) == ("jax", "uint64"):
        pytest.skip("JAX has no uint64 without its mode of 64 bits: jnp.asarray itself cuts what is larger")
    # 2**64 - 1 and 2**32 - 1 are -1 in signed types of the same width, and 2**32 is 0 in 32 bits.
    large = (2**32 - 1,) if kind == "uint32" else (2**64 - 1, 2**32)
    rows = luxport.asarray(ROWS, backend=backend)
    for number in large:
        indices = luxport.asarray(np.asarray([number, 1], kind), backend=backend)
        for name, taker in TAKERS.items():
            with pytest.raises((ValueError, IndexError)) as caught:
                taker(rows, indices)
            told = str(caught.value)
            assert "-" not in told.partition(", got ")[2], f"{name} of {number}: {told}"
