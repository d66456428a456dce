"""Cases of `Upsample`, `PixelShuffle` and their operations."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import PixelShuffle, Upsample, ops
from luxport_conformance.case import Case
from luxport_conformance.cases.answers import count_up
from luxport_conformance.cases.declare import (
    check_error,
    check_fact,
    check_function,
    check_output,
    check_program,
    cite,
    draw,
)
from luxport_conformance.compare import Tolerance

LAYER = "flux:layers/upsample.jl"
OP = "nnlib:testsuite/upsample.jl"

TWO, THREE, ONE = (3, 2, 4, 3), (4, 3, 2, 4, 3), (3, 2, 3)
LAYERS: tuple[tuple[tuple[int, ...], Any, tuple[int, ...], tuple[int, ...]], ...] = (
    ((5, 6), Upsample((3, 2), "bilinear"), TWO, (12, 6)),
    ((11, 12), Upsample(3, "bilinear"), TWO, (12, 9)),
    ((17, 18), Upsample(mode="bilinear", size=(6, 4)), TWO, (6, 4)),
    ((25, 26), Upsample((2, 3, 2), "trilinear"), THREE, (4, 12, 6)),
    ((31, 32), Upsample(3, "trilinear"), THREE, (6, 12, 9)),
    ((37, 38), Upsample(mode="trilinear", size=(4, 6, 4)), THREE, (4, 6, 4)),
    ((45, 46), Upsample((2,)), ONE, (6,)),
    ((52, 53), Upsample((3, 2)), TWO, (12, 6)),
    ((57, 58), Upsample((2,)), TWO, (4, 6)),
    ((62, 63), Upsample(2), TWO, (8, 6)),
    ((71, 72), Upsample(size=(8, 6)), TWO, (8, 6)),
    ((79, 80), PixelShuffle(2), (3, 18, 3), (3, 9, 6)),
    ((85, 86), PixelShuffle(3), (3, 18, 4, 3), (3, 2, 12, 9)),
)


def _describe_output(layer: Any, shape: tuple[int, ...]) -> Any:
    y, _ = layer(np.ones(shape, np.float32), {}, {})
    return y.dtype.name, y.shape, luxport.output_shape(layer, shape)


def _interpolate(x: Any, *sizes: int, align_corners: bool = True) -> Any:
    """Interpolate one axis after the other by `numpy.interp`, which extends the ends as constants."""
    for axis, new in enumerate(sizes, start=2):
        n = x.shape[axis]
        places = np.linspace(0, n - 1, new) if align_corners else (np.arange(new) + 0.5) * n / new - 0.5
        x = np.apply_along_axis(lambda line, places=places, n=n: np.interp(places, np.arange(n), line), axis, x)
    return x


def _repeat(x: Any, *times: int) -> Any:
    for axis, n in enumerate(times, start=2):
        x = np.repeat(x, n, axis=axis)
    return x


def _upsample_parts(x: Any) -> Any:
    """Upsample a complex image by each method, to a scale and to a size."""
    return {
        "linear": ops.upsample_linear(x, scale=2),
        "linear_size": ops.upsample_linear(x, size=(16, 5)),
        "nearest": ops.upsample_nearest(x, scale=(2, 2)),
        "nearest_size": ops.upsample_nearest(x, size=(24, 8)),
    }


def _expect_parts(x: Any) -> Any:
    return {
        "linear": _interpolate(x.real, 16, 8) + 1j * _interpolate(x.imag, 16, 8),
        "linear_size": _interpolate(x.real, 16, 5) + 1j * _interpolate(x.imag, 16, 5),
        "nearest": _repeat(x, 2, 2),
        "nearest_size": _repeat(x, 3, 2),
    }


def _compute_slopes(x: Any, ones: Any, cells: Any) -> Any:
    """Return gradients of sums of upsampled arrays: the weight of each element in the sum."""
    xp = luxport.namespace(x)
    return {
        "nearest": luxport.grad(lambda x: xp.sum(ops.upsample_nearest(x, scale=(3, 2)) * _make_weights(xp, x)))(x),
        "bilinear": luxport.grad(lambda x: xp.sum(ops.upsample_bilinear(x, size=(4, 6))))(ones),
        "trilinear": luxport.grad(lambda x: xp.sum(ops.upsample_trilinear(x, scale=2, align_corners=False)))(cells),
    }


def _pull_from_another_size(x: Any, dy: Any) -> Any:
    return luxport.vjp(lambda x: ops.upsample_nearest(x, scale=(3, 2)), x)[1](dy)


def _make_weights(xp: Any, x: Any) -> Any:
    return ops.upsample_nearest(luxport.stop_gradient(x), scale=(3, 2))


# 1 2 / 3 4 upsampled to six columns and four rows in NNlib's order of axes, which is six rows and four columns here
BILINEAR = np.array(
    [
        [1, 4 / 3, 5 / 3, 2],
        [7 / 5, 26 / 15, 31 / 15, 12 / 5],
        [9 / 5, 32 / 15, 37 / 15, 14 / 5],
        [11 / 5, 38 / 15, 43 / 15, 16 / 5],
        [13 / 5, 44 / 15, 49 / 15, 18 / 5],
        [3, 10 / 3, 11 / 3, 4],
    ]
).T
SHUFFLED = np.array([[1, 9, 3, 11], [5, 13, 7, 15], [2, 10, 4, 12], [6, 14, 8, 16]]).T
DEPTH = np.broadcast_to(np.array([1.0, 2.0, 3.0])[:, None, None], (1, 1, 3, 3, 3))
INTEGERS = np.array([[[[1, 3], [3, 5]]]], np.uint8)


def _shuffle(x: Any) -> Any:
    """Compute the pixel shuffle of NNlib's array of size 4 x 3 x 27 x 2, element by element."""
    y = np.zeros((2, 3, 9, 12))
    for n, c, i, j, h, w in np.ndindex(2, 3, 3, 3, 3, 4):
        y[n, c, 3 * h + i, 3 * w + j] = x[n, 9 * c + 3 * i + j, h, w]
    return y


CASES: list[Case] = [
    *(
        check_fact(
            f"upsample.line_{lines[0]}",
            cite(LAYER, *lines),
            lambda layer=layer, shape=shape: _describe_output(layer, shape),
            ("float32", (*wanted,), (*wanted,)),
            subject=type(layer).__name__,
        )
        for lines, layer, shape, places in LAYERS
        for wanted in [places if isinstance(layer, PixelShuffle) else (*shape[:2], *places)]
    ),
    check_output(
        "upsample.nearest",
        (*cite(LAYER, 67), "numpy.repeat"),
        Upsample(2),
        draw(*TWO),
        y=lambda x, ps, st: _repeat(x, 2, 2),
    ),
    check_output(
        "upsample.nearest_uneven",
        ("element i of m is the one at i n // m",),
        Upsample(size=(7, 3)),
        draw(2, 3, 4, 5),
        y=lambda x, ps, st: x[:, :, [0, 0, 1, 1, 2, 2, 3]][..., [0, 1, 3]],
    ),
    *(
        check_output(
            f"upsample.bilinear_{'corners' if align_corners else 'cells'}",
            ("numpy.interp",),
            Upsample(mode="bilinear", size=(7, 5), align_corners=align_corners),
            draw(2, 2, 4, 3),
            y=lambda x, ps, st, align_corners=align_corners: _interpolate(x, 7, 5, align_corners=align_corners),
            tolerance=Tolerance(reduction=4),
        )
        for align_corners in (True, False)
    ),
    check_function(
        "upsample_nearest.blocks",
        (*cite(OP, 9, 12, 14), "numpy.repeat"),
        lambda x: [ops.upsample_nearest(x, **to) for to in ({"scale": 3}, {"scale": (3, 2)}, {"size": (6, 4)})],
        np.array([[[[1.0, 3.0], [2.0, 4.0]]]]),
        expected=lambda x0: (_repeat(x0, 3, 3), _repeat(x0, 3, 2), _repeat(x0, 3, 2)),
    ),
    check_program(
        "upsample.slopes",
        cite(OP, 16, 70, 127),
        _compute_slopes,
        {"x": np.array([[[[1.0, 3.0], [2.0, 4.0]]]]), "ones": np.ones((1, 2, 2, 2)), "cells": np.ones((1, 1, 4, 4, 4))},
        subject="upsample_linear",
        expected={
            "nearest": np.array([[[[6.0, 18.0], [12.0, 24.0]]]]),
            "bilinear": np.full((1, 2, 2, 2), 6.0),
            "trilinear": np.full((1, 1, 4, 4, 4), 8.0),
        },
        differentiates=True,
        tolerance=Tolerance(reduction=24),
    ),
    Case(
        id="upsample_nearest.gradient_of_another_size",
        subject="upsample_nearest",
        source=cite(OP, 24),
        program=_pull_from_another_size,
        inputs={"x": np.ones((1, 1, 2, 2)), "dy": np.ones((1, 1, 8, 4))},
        raises=ValueError,
        message=r"a cotangent expects float\d\d \(1, 1, 6, 4\), got float\d\d \(1, 1, 8, 4\)",
        differentiates=True,
    ),
    *(
        check_error(
            f"upsample_nearest.line_{line}",
            cite(OP, line),
            lambda to=to: ops.upsample_nearest(np.ones((1, 1, 2, 2)), **to),
            message=message,
        )
        for line, to, message in (
            (25, {"scale": (1, 2, 3, 4, 5)}, "scale or size for 2 spatial axes"),
            (26, {"size": (4, 3)}, r"multiples of the sizes \(2, 2\)"),
        )
    ),
    check_function(
        "upsample_linear.thirds",
        cite(OP, 37, 38),
        lambda x: [ops.upsample_linear(x, scale=2.5), ops.upsample_linear(x, size=10)],
        np.broadcast_to(np.arange(1.0, 5.0), (1, 3, 4)),
        expected=(np.broadcast_to(np.linspace(1, 4, 10), (1, 3, 10)),) * 2,
        tolerance=Tolerance(reduction=2),
    ),
    check_function(
        "upsample_bilinear.as_pytorch",
        cite(OP, 61, 62, 63),
        lambda x: ops.upsample_bilinear(x, scale=(2, 3)),
        np.broadcast_to(np.array([[1.0, 3.0], [2.0, 4.0]]), (2, 2, 2, 2)),
        expected=np.broadcast_to(BILINEAR, (2, 2, 4, 6)),
        tolerance=Tolerance(reduction=4),
    ),
    check_function(
        "upsample_bilinear.quarters",
        cite(OP, 85),
        lambda x: ops.upsample_bilinear(x, scale=2.5),
        np.array([[[[1.0, 3.0], [2.0, 4.0]]]]),
        expected=(1 + np.arange(5) / 4 + np.arange(5)[:, None] / 2).T[None, None],
        tolerance=Tolerance(reduction=4),
    ),
    check_fact(
        "upsample_bilinear.integers",
        cite(OP, 93, 94),
        lambda: (lambda y: (y.dtype.name, y[0, 0].tolist()))(ops.upsample_bilinear(INTEGERS, scale=1.5)),
        ("uint8", [[1, 2, 3], [2, 3, 4], [3, 4, 5]]),
    ),
    check_function(
        "upsample_trilinear.depth",
        cite(OP, 116, 117, 118),
        lambda x: ops.upsample_trilinear(x, size=5),
        DEPTH,
        expected=np.broadcast_to(np.linspace(1, 3, 5)[:, None, None], (1, 1, 5, 5, 5)),
        tolerance=Tolerance(reduction=8),
    ),
    check_function(
        "pixel_shuffle.elements",
        cite(OP, 151, 152, 167, 168, 172, 179),
        lambda four, eight, many: {
            "four": ops.pixel_shuffle(four, factor=2),
            "eight": ops.pixel_shuffle(eight, factor=2),
            "many": ops.pixel_shuffle(many, factor=3),
            "first": ops.pixel_shuffle(many[:1, ...], factor=3),
        },
        *(count_up(1, 4, 2, 2), count_up(1, 8, 2, 2), count_up(2, 27, 3, 4)),
        subject="pixel_shuffle",
        expected=lambda x0, x1, x2: {
            "four": SHUFFLED[None, None],
            "eight": np.stack([SHUFFLED, SHUFFLED + 16])[None],
            "many": _shuffle(x2),
            "first": _shuffle(x2)[:1],
        },
    ),
    check_fact(
        "pixel_shuffle.sizes",
        cite(OP, 190),
        lambda: tuple([ops.pixel_shuffle(np.ones((2, 2 * 3**d, 2, 4, 1)[: d + 2]), factor=3).shape for d in (1, 2, 3)]),
        ((2, 2, 6), (2, 2, 6, 12), (2, 2, 6, 12, 3)),
        subject="pixel_shuffle",
    ),
    check_program(
        "upsample.complex",
        cite(OP, 202, 203, 204, 208, 209, 210),
        _upsample_parts,
        {"x": draw(1, 1, 8, 4) + 1j * draw(1, 1, 8, 4, seed=1)},
        subject="upsample_linear",
        expected=_expect_parts,
        tolerance=Tolerance(reduction=4),
    ),
]
