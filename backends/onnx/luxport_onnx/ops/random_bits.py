"""Random numbers: drawn on the host where a graph is run from Python, refused in a graph for export."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport.errors import LayerTypeError
from luxport.ops import threefry_on_host
from luxport_onnx.graph import Array, is_exporting, make_fed
from luxport_onnx.run_graphs import read_numbers

__all__ = ["random_bits", "threefry_2x32"]


def random_bits(key: Array, counter: Array, *, shape: tuple[int, ...]) -> Array:
    """Draw on the host."""
    return _compute_on_host(threefry_on_host.random_bits, key, counter, shape=shape)


def threefry_2x32(key: Array, counters: Array) -> Array:
    """Draw on the host."""
    return _compute_on_host(threefry_on_host.threefry_2x32, key, counters)


def _compute_on_host(function: Any, *arrays: Array, **options: Any) -> Array:
    if is_exporting():
        raise LayerTypeError(
            "draws random numbers, which a model for ONNX does not: export it in test mode, as is the default"
        )
    return make_fed(np.asarray(function(*[read_numbers(array) for array in arrays], **options)))
