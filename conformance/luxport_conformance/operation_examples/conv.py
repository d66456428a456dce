"""Examples of the operations in `luxport.ops.conv`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

__all__ = ["OPERATIONS"]

_CONVOLUTIONS: tuple[dict[str, Any], ...] = (
    {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1, "flip": True},
    {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1, "flip": False},
    {"stride": (2, 1), "padding": ((2, 0), (0, 1)), "dilation": (1, 2), "groups": 2, "flip": True},
    {"stride": (1, 3), "padding": ((0, 0), (1, 2)), "dilation": (2, 1), "groups": 4, "flip": False},
)

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "conv": tuple(
        OverrideExample(
            (draw(2, 4, 7, 6), draw(4, 4 // options["groups"], 3, 2), draw(4) if bias else None),
            options,
            Tolerance(reduction=4 * 6 * 12),
        )
        for options in _CONVOLUTIONS
        for bias in (True, False)
    ),
}
