"""Functions that the cases of convolutions share: shapes of outputs, numbers of channels, complex images."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_fact, set_up


def find_shape(layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a layer's output if `output_shape` predicts it, else ()."""
    ps, st = set_up(layer)
    computed = layer(np.ones(shape, np.float32), ps, st)[0].shape
    return computed if luxport.output_shape(layer, shape) == computed else ()


def has_same_channels(*layers: Any) -> bool:
    """Return whether `from_weight` finds the numbers of channels of each layer from its weight."""
    weights = [set_up(layer)[0]["weight"] for layer in layers]
    built = [
        type(layer).from_weight(weight, groups=layer.groups)[0] for layer, weight in zip(layers, weights, strict=True)
    ]
    return [(b.in_channels, b.out_channels) for b in built] == [(a.in_channels, a.out_channels) for a in layers]


def check_sizes(id: str, source: tuple[str, ...], layer: Any, places: tuple[int, ...]) -> Case:
    """Check the shape of a layer's output for ten images (3, 10, 10)."""
    shape = (10, layer.out_channels, *places)
    return check_fact(id, source, lambda: luxport.output_shape(layer, (10, 3, 10, 10)), shape)


COMPLEX = tuple(
    np.arange(1.0, 5.0).reshape(1, 4, 1) + low + (np.arange(1.0, 5.0).reshape(1, 4, 1) + low + 1) * 1j for low in (0, 2)
)
POINT: dict[str, Any] = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 1, "flip": True}
