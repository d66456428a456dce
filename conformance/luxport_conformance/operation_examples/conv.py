"""Examples of the operations in `luxport.ops.conv`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

_CONVOLUTIONS: tuple[dict[str, Any], ...] = (
    {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1, "flip": True},
    {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1, "flip": False},
    {"stride": (2, 1), "padding": ((2, 0), (0, 1)), "dilation": (1, 2), "groups": 2, "flip": True},
    {"stride": (1, 3), "padding": ((0, 0), (1, 2)), "dilation": (2, 1), "groups": 4, "flip": False},
)

_TRANSPOSED: tuple[dict[str, Any], ...] = (
    {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "output_padding": (0, 0), "groups": 1},
    {"stride": (2, 2), "padding": ((1, 1), (0, 0)), "dilation": (1, 1), "output_padding": (1, 1), "groups": 1},
    {"stride": (2, 3), "padding": ((2, 0), (0, 1)), "dilation": (1, 2), "output_padding": (0, 2), "groups": 2},
    {"stride": (5, 1), "padding": ((-1, -1), (1, 2)), "dilation": (2, 1), "output_padding": (0, 0), "groups": 4},
    {"stride": (1, 1), "padding": ((0, 0), (1, 3)), "dilation": (1, 1), "output_padding": (1, 2), "groups": 1},
)
_COLUMNS: tuple[dict[str, Any], ...] = (
    {"window": (2, 2), "stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "flip": False},
    {"window": (3, 2), "stride": (2, 1), "padding": ((1, 1), (0, 2)), "dilation": (1, 2), "flip": True},
)
# The gradient of a bias is a sum of cotangents of order 1 that cancel.
_SUMS = Tolerance(reduction=4 * 6 * 12, magnitude=1.0)

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "conv_nd": tuple(
        OverrideExample(
            (draw(2, 4, 7, 6), draw(4, 4 // options["groups"], 3, 2), draw(4) if bias else None), options, _SUMS
        )
        for options in _CONVOLUTIONS
        for bias in (True, False)
    )
    + (OverrideExample((draw(0, 4, 7, 6), draw(4, 4, 3, 2), draw(4)), _CONVOLUTIONS[0]),),
    "conv_transpose_nd": tuple(
        OverrideExample(
            (draw(2, 4, 3, 4), draw(4, 4 // options["groups"], 3, 2), draw(4) if number % 2 else None),
            {**options, "flip": number > 1},
            _SUMS,
        )
        for number, options in enumerate(_TRANSPOSED)
    )
    + (OverrideExample((draw(0, 4, 3, 4), draw(4, 2, 3, 2), draw(4)), {**_TRANSPOSED[2], "flip": True}),),
    "unfold_nd": tuple(OverrideExample((draw(2, 2, 5, 4),), options) for options in _COLUMNS),
    "fold_nd": tuple(
        OverrideExample((draw(2, 2 * rows, places),), {**options, "output_size": (5, 4)}, Tolerance(reduction=6))
        for options, rows, places in zip(_COLUMNS, (4, 6), (12, 12), strict=True)
    ),
}
