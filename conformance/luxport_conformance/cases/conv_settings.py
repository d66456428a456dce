"""Cases of the settings of `Conv` and `DepthwiseConv`: those that they accept and those that they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import Conv, DepthwiseConv
from luxport.layers._windows import Windows
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_error, check_fact, cite

OP = "nnlib:conv.jl"
SHAPE = (2, 3, 4, 5)
# The layers and their numbers of output channels: four filters, or four for each of three channels.
LAYERS: tuple[tuple[Any, int], ...] = ((Conv, 4), (DepthwiseConv, 12))

PLAIN: dict[str, Any] = {}
SCALAR: dict[str, Any] = {"stride": 2, "dilation": 2, "padding": 3}
TUPLES: dict[str, Any] = {"stride": (2, 1), "dilation": (2, 1), "padding": (1, 0)}
PAIRS: dict[str, Any] = {"padding": ((3, 4), (1, 2))}

# name: (settings, lines of upstream's test, (window, stride, dilation, padding, output size))
UNDERSTOOD: dict[str, tuple[dict[str, Any], tuple[int, ...], tuple[Any, ...]]] = {
    "plain": (PLAIN, (21, 23, 24, 25, 27), ((2, 1), (1, 1), (1, 1), ((0, 0), (0, 0)), (3, 5))),
    "scalar": (SCALAR, (39, 40, 41, 43), ((2, 1), (2, 2), (2, 2), ((3, 3), (3, 3)), (4, 6))),
    "tuples": (TUPLES, (47, 48, 49, 50), ((2, 1), (2, 1), (2, 1), ((1, 1), (0, 0)), (2, 5))),
    "pairs": (PAIRS, (54, 55), ((2, 1), (1, 1), (1, 1), ((3, 4), (1, 2)), (10, 8))),
}


def _describe_settings(layer: Any, out: int, settings: dict[str, Any]) -> tuple[Any, ...]:
    defaults: tuple[tuple[str, Any], ...] = (("stride", 1), ("padding", 0), ("dilation", 1))
    windows = Windows.of("Conv", (2, 1), *(settings.get(name, value) for name, value in defaults))
    places = luxport.output_shape(layer((2, 1), 3, out, **settings), SHAPE)[2:]
    return windows.window, windows.stride, windows.dilation, windows.padding, places


def _check_refusals(layer: Any, out: int) -> list[Case]:
    name = layer.__name__.lower()
    ones, four, five = (1, 1, 1), (1, 1, 1), (1, 1, 1, 1, 1)
    wrong: tuple[tuple[int, str, Any], ...] = (
        *((59, "stride", (1,)), (60, "stride", ones), (61, "padding", four), (62, "padding", five)),
        *((63, "dilation", (1,)), (64, "dilation", ones)),
    )
    return [
        *(
            check_error(
                f"{name}.refuses_line_{line}",
                cite(OP, line),
                lambda setting=setting, value=value: layer((2, 1), 3, out, **{setting: value}),
                subject=layer.__name__,
                raises=ValueError,
                message=setting,
            )
            for line, setting, value in wrong
        ),
        check_error(
            f"{name}.refuses_to_reach_beyond",
            cite(OP, 66),
            layer((2, 1), 3, out, dilation=(5, 1)),
            np.ones(SHAPE),
            message="expects",
        ),
        check_error(
            f"{name}.refuses_other_channels",
            cite(OP, 69 if layer is Conv else 71),
            layer((2, 1), 1, 4),
            np.ones(SHAPE),
            message="expects.*1",
        ),
    ]


CASES: list[Case] = [
    *(
        check_fact(
            f"{layer.__name__.lower()}.understands_{name}",
            cite(OP, *lines),
            lambda layer=layer, out=out, settings=settings: _describe_settings(layer, out, settings),
            understood,
            subject=layer.__name__,
        )
        for layer, out in LAYERS
        for name, (settings, lines, understood) in UNDERSTOOD.items()
    ),
    check_fact(
        "conv.channels_and_flip",
        cite(OP, 22, 26, 31, 42),
        lambda: {
            "in": Conv((2, 1), 3, 4).in_channels,
            "out": Conv((2, 1), 3, 4).out_channels,
            "plain": Conv((2, 1), 3, 4).cross_correlation,
            "told": Conv((2, 1), 3, 4, cross_correlation=True).cross_correlation,
        },
        {"in": 3, "out": 4, "plain": False, "told": True},
    ),
    check_fact(
        "depthwiseconv.channels_and_multiplier",
        cite(OP, 33, 34),
        lambda: DepthwiseConv.from_weight(np.ones((3, 4, 2, 1)))[0].out_channels,
        3 * 4,
    ),
    *(case for layer, out in LAYERS for case in _check_refusals(layer, out)),
]
