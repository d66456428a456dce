"""Cases of `output_shape`: shapes told without computing."""

from __future__ import annotations

from typing import Any

import luxport
from luxport import BatchNorm, Chain, Dense, Dropout, FlattenLayer, Scale, sigmoid
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import at, draw, fact, fails

__all__ = ["CASES"]

FILE = "flux:outputsize.jl"


def _told(line: int, layer: Any, shape: tuple[int, ...], expected: tuple[int, ...]) -> Case:
    return fact(
        f"output_shape.line_{line}",
        at(FILE, line),
        type(layer).__name__,
        lambda: luxport.output_shape(layer, shape),
        expected,
    )


def _refused(line: int, layer: Any, shape: tuple[int, ...], message: str) -> Case:
    return fails(
        f"output_shape.line_{line}",
        at(FILE, line),
        lambda: luxport.output_shape(layer, shape),
        subject=type(layer).__name__,
        message=message,
    )


THREE = Chain(Dense(10, 8, sigmoid), Dense(8, 5), Dense(5, 2))
MISFIT = Chain(Dense(10, 8, sigmoid), Dense(8, 4), Dense(5, 2))

CASES: list[Case] = [
    _refused(6, Dense(10, 5), (2, 5), r"Dense expects \(..., 10\), got \(2, 5\)"),
    _told(7, Dense(10, 5), (1, 10), (1, 5)),
    _told(10, THREE, (1, 10), (1, 2)),
    _told(11, THREE, (30, 10), (30, 2)),
    _refused(14, MISFIT, (10,), r"Dense at layer_3 expects \(..., 5\), got \(4,\)"),
    _told(17, Scale(10), (1, 10), (1, 10)),
    _told(23, FlattenLayer(), (10, 3, 5, 5), (10, 75)),
    _told(134, Dropout(0.1), (10, 10), (10, 10)),
    _told(135, Dropout(0.1), (1, 10), (1, 10)),
    _told(148, BatchNorm(3), (16, 3, 32, 32), (16, 3, 32, 32)),
    _told(149, BatchNorm(3), (1, 3, 32, 32), (1, 3, 32, 32)),
    fails(
        "output_shape.line_150",
        at(FILE, 150),
        BatchNorm(3),
        draw(1, 5, 32, 32),
        message=r"BatchNorm expects \(N, 3, ...\), got \(1, 5, 32, 32\)",
    ),
    _refused(151, BatchNorm(3), (1, 5, 32, 32), r"BatchNorm expects \(N, 3, ...\), got \(1, 5, 32, 32\)"),
]
