"""Examples of the operations in `luxport.ops.pooling`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

__all__ = ["OPERATIONS"]

_WINDOWS: tuple[dict[str, Any], ...] = (
    {"window": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)},
    {"window": (3, 2), "stride": (1, 2), "padding": ((1, 0), (0, 1)), "dilation": (1, 1)},
    {"window": (2, 3), "stride": (2, 1), "padding": ((1, 1), (0, 2)), "dilation": (2, 1)},
)

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "max_pool": tuple(OverrideExample((draw(2, 2, 6, 7),), options) for options in _WINDOWS),
    "mean_pool": tuple(
        OverrideExample((draw(2, 2, 6, 7),), {**options, "count_include_pad": counted}, Tolerance(reduction=6))
        for options in _WINDOWS
        for counted in (True, False)
    ),
}
