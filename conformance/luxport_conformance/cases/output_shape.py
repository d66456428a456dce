"""Cases of `output_shape`, which finds the shape of an output without computing it."""

from __future__ import annotations

from typing import Any

import luxport
from luxport import (
    AdaptiveMaxPool,
    AdaptiveMeanPool,
    AlphaDropout,
    BatchNorm,
    Chain,
    Conv,
    ConvTranspose,
    CrossCor,
    Dense,
    DepthwiseConv,
    Dropout,
    FlattenLayer,
    GlobalMaxPool,
    GlobalMeanPool,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    MaxPool,
    MeanPool,
    Scale,
    sigmoid,
)
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_error, check_fact, cite, draw

FILE = "flux:outputsize.jl"


def _check_shape(line: int, layer: Any, shape: tuple[int, ...], expected: tuple[int, ...]) -> Case:
    return check_fact(
        f"output_shape.line_{line}",
        cite(FILE, line),
        lambda: luxport.output_shape(layer, shape),
        expected,
        subject=type(layer).__name__,
    )


def _check_refusal(line: int, layer: Any, shape: tuple[int, ...], message: str) -> Case:
    return check_error(
        f"output_shape.line_{line}",
        cite(FILE, line),
        lambda: luxport.output_shape(layer, shape),
        subject=type(layer).__name__,
        message=message,
    )


def _check_activation(name: str) -> Case:
    return check_fact(
        f"output_shape.{name}",
        cite(FILE, 62),
        lambda: luxport.output_shape(Dense(10, 5, getattr(luxport, name)), (1, 10)),
        (1, 5),
        subject=name,
    )


ACTIVATIONS = (
    *("celu", "elu", "gelu", "hardsigmoid", "hardtanh", "leakyrelu", "lisht", "logcosh", "logsigmoid", "mish", "relu"),
    *("relu6", "selu", "sigmoid", "softplus", "softshrink", "softsign", "swish", "tanhshrink", "trelu"),
)
TWO_CONV = Chain(Conv((3, 3), 3, 16), Conv((3, 3), 16, 32))
CLASSIFIER = Chain(Conv((3, 3), 3, 16), BatchNorm(16), FlattenLayer(), Dense(1024, 10))
DILATED = Conv((3, 3), 3, 16, stride=2, padding=3, dilation=2)
# (options, size of the input, size of the output)
CONVOLUTIONS: tuple[tuple[dict[str, Any], int, int], ...] = (
    ({}, 10, 8),
    ({"stride": 2}, 5, 2),
    ({"stride": 2, "padding": 3}, 5, 5),
    ({"stride": 2, "padding": 3, "dilation": 2}, 5, 4),
)
# (options, channels, size of the input, size of the output)
POOLINGS: tuple[tuple[dict[str, Any], int, int, int], ...] = (
    ({}, 3, 10, 5),
    ({"stride": 1}, 4, 5, 4),
    ({"stride": 2, "padding": 3}, 2, 5, 5),
)
THREE = Chain(Dense(10, 8, sigmoid), Dense(8, 5), Dense(5, 2))
MISFIT = Chain(Dense(10, 8, sigmoid), Dense(8, 4), Dense(5, 2))

CASES: list[Case] = [
    _check_refusal(6, Dense(10, 5), (2, 5), r"Dense expects \(..., 10\), got \(2, 5\)"),
    _check_shape(7, Dense(10, 5), (1, 10), (1, 5)),
    _check_shape(10, THREE, (1, 10), (1, 2)),
    _check_shape(11, THREE, (30, 10), (30, 2)),
    _check_refusal(14, MISFIT, (10,), r"Dense at layer_3 expects \(..., 5\), got \(4,\)"),
    _check_shape(17, Scale(10), (1, 10), (1, 10)),
    _check_shape(23, FlattenLayer(), (10, 3, 5, 5), (10, 75)),
    _check_shape(3, TWO_CONV, (1, 3, 10, 10), (1, 32, 6, 6)),
    _check_shape(33, CLASSIFIER, (50, 3, 10, 10), (50, 10)),
    _check_shape(34, CLASSIFIER, (2, 3, 10, 10), (2, 10)),
    *map(_check_activation, ACTIVATIONS),
    *(
        _check_shape(line, convolution((3, 3), 3, 16, **options), (1, 3, size, size), (1, 16, places, places))
        for convolution, lines in ((Conv, (68, 70, 72, 74)), (CrossCor, (97, 99, 101, 103)))
        for line, (options, size, places) in zip(lines, CONVOLUTIONS, strict=True)
    ),
    _check_refusal(75, DILATED, (2, 5, 5), r"Conv expects \(N, 3, H, W\), got \(2, 5, 5\)"),
    _check_shape(76, DILATED, (100, 3, 5, 5), (100, 16, 4, 4)),
    *(
        _check_shape(line, DepthwiseConv((3, 3), 3, 6, **options), (1, 3, size, size), (1, 6, places, places))
        for line, (options, size, places) in zip((88, 90, 92, 94), CONVOLUTIONS, strict=True)
    ),
    *(
        _check_shape(line, ConvTranspose((3, 3), 3, 16, **options), (1, 3, places, places), (1, 16, size, size))
        for line, (options, size, places) in zip((79, 81, 83, 85), CONVOLUTIONS, strict=True)
    ),
    *(
        _check_shape(line, pool, (1, 3, 10, 10), (1, 3, places, places))
        for line, pool, places in (
            (106, AdaptiveMaxPool((2, 2)), 2),
            (109, AdaptiveMeanPool((2, 2)), 2),
            (112, GlobalMaxPool(), 1),
            (115, GlobalMeanPool(), 1),
        )
    ),
    *(
        _check_shape(line, pool((2, 2), **options), (1, channels, size, size), (1, channels, places, places))
        for pool, lines in ((MaxPool, (118, 120, 122)), (MeanPool, (125, 127, 129)))
        for line, (options, channels, size, places) in zip(lines, POOLINGS, strict=True)
    ),
    _check_shape(134, Dropout(0.1), (10, 10), (10, 10)),
    _check_shape(135, Dropout(0.1), (1, 10), (1, 10)),
    _check_shape(148, BatchNorm(3), (16, 3, 32, 32), (16, 3, 32, 32)),
    _check_shape(149, BatchNorm(3), (1, 3, 32, 32), (1, 3, 32, 32)),
    check_error(
        "output_shape.line_150",
        cite(FILE, 150),
        BatchNorm(3),
        draw(1, 5, 32, 32),
        message=r"BatchNorm expects \(N, 3, ...\), got \(1, 5, 32, 32\)",
    ),
    _check_refusal(151, BatchNorm(3), (1, 5, 32, 32), r"BatchNorm expects \(N, 3, ...\), got \(1, 5, 32, 32\)"),
    _check_shape(138, AlphaDropout(0.1), (10, 10), (10, 10)),
    _check_shape(139, AlphaDropout(0.1), (1, 10), (1, 10)),
    _check_shape(142, LayerNorm(32), (16, 3, 32, 32), (16, 3, 32, 32)),
    _check_shape(143, LayerNorm(32), (1, 3, 32, 32), (1, 3, 32, 32)),
    _check_shape(145, LayerNorm((2, 3)), (2, 3), (2, 3)),
    *[
        case
        for first, layer, channels in ((154, InstanceNorm(3), 3), (160, GroupNorm(16, 4), 16))
        for case in (
            _check_shape(first, layer, (16, channels, 32, 32), (16, channels, 32, 32)),
            _check_shape(first + 1, layer, (1, channels, 32, 32), (1, channels, 32, 32)),
            check_error(
                f"output_shape.line_{first + 2}",
                cite(FILE, first + 2),
                layer,
                draw(1, channels + 1, 4, 4),
                training=True,
                message=rf"expects \(N, {channels}, .*\), got \(1, {channels + 1}, 4, 4\)",
            ),
            _check_refusal(first + 3, layer, (1, channels + 1, 32, 32), rf"expects \(N, {channels}, .*\), got"),
        )
    ],
]
