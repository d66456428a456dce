"""Cases of `DepthwiseConv`."""

from __future__ import annotations

from typing import Any

from luxport import DepthwiseConv
from luxport_conformance.case import Case
from luxport_conformance.cases.conv_shapes import check_sizes, find_shape
from luxport_conformance.cases.declare import check_error, check_fact, cite

LAYER = "flux:layers/conv.jl"
OP = "nnlib:conv.jl"

DEPTHWISE: tuple[tuple[int, tuple[int, int], dict[str, Any], tuple[int, int]], ...] = (
    (824, (2, 2), {}, (9, 9)),
    (825, (2, 2), {"stride": 2, "padding": 2}, (7, 7)),
    (826, (4, 3), {"stride": (2, 1), "padding": (3, 2)}, (7, 12)),
    (827, (4, 3), {"stride": (2, 1), "padding": (3, 2), "dilation": 2}, (5, 10)),
    (828, (4, 3), {"stride": (2, 1), "padding": (3, 2), "dilation": 2, "cross_correlation": True}, (5, 10)),
)
CASES: list[Case] = [
    *(
        check_fact(
            f"depthwise_conv.line_{line}",
            cite(LAYER, line),
            lambda layer=layer: find_shape(layer, (5, 3, 28, 28))[1],
            channels,
        )
        for line, layer, channels in (
            (152, DepthwiseConv((2, 2), 3, 15), 15),
            (155, DepthwiseConv((3, 2), 3, 9), 9),
            (158, DepthwiseConv((3, 2), 3, 9, use_bias=False), 9),
        )
    ),
    check_error(
        "depthwise_conv.no_whole_multiple",
        cite(LAYER, 161),
        lambda: DepthwiseConv((2, 2), 3, 10),
        raises=ValueError,
        message="channels that groups divides",
    ),
    *(
        check_sizes(f"depthwise_conv.size_line_{line}", cite(OP, line), DepthwiseConv(kernel, 3, 9, **options), places)
        for line, kernel, options, places in DEPTHWISE
    ),
]
