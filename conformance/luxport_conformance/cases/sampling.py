"""Cases of `grid_sample` and `imrotate`."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

import luxport
from luxport import ops
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_function, check_program, cite, draw
from luxport_conformance.compare import Tolerance

GRID = "nnlib:sampling.jl"
ROTATION = "nnlib:testsuite/rotation.jl"


def _make_corners(rank: int) -> Any:
    """Return the grid of the coordinates of all elements of an image with two elements along each axis."""
    places = [place[::-1] for place in itertools.product((-1.0, 1.0), repeat=rank)]
    return np.array(places).reshape(1, *[2] * rank, rank)


def _compute_samples_and_slopes(x: Any, grid: Any) -> Any:
    xp = luxport.namespace(x)

    def make_total(mode: Any) -> Any:
        return lambda x, grid: xp.sum(ops.grid_sample(x, grid, padding_mode=mode))

    return {
        mode: (ops.grid_sample(x, grid, padding_mode=mode), luxport.grad(make_total(mode), (0, 1))(x, grid))
        for mode in ("zeros", "border")
    }


def _check_known_slopes(rank: int, lines: tuple[int, ...]) -> Case:
    grid, ones = _make_corners(rank), np.ones((1, 1, *[2] * rank))
    # Only a step from the last element outwards changes the sample, as zeros lie beyond it.
    slopes = np.where(grid > 0, -0.5, 0.0)
    return check_program(
        f"grid_sample.corners_{rank}d",
        cite(GRID, *lines),
        _compute_samples_and_slopes,
        {"x": ones, "grid": grid},
        expected={"zeros": (ones, (ones, slopes)), "border": (ones, (ones, np.zeros_like(grid)))},
        differentiates=True,
        compiles=False,  # `grid_sample.elements` is compiled; PyTorch would take ten seconds for this case
        tolerance=Tolerance(reduction=2**rank),
    )


def _check_outside(rank: int, lines: tuple[int, int], grid: Any, inside: Any) -> Case:
    return check_function(
        f"grid_sample.outside_{rank}d",
        cite(GRID, *lines),
        lambda x, grid: [ops.grid_sample(x, grid, padding_mode=mode) for mode in ("zeros", "border")],
        *(np.ones((1, 1, *[2] * rank)), np.array(grid)),
        expected=(np.array(inside), np.ones(np.shape(inside))),
    )


GRIDS: list[tuple[Any, bool]] = [(mode, align) for mode in ("zeros", "border", "reflection") for align in (True, False)]


def _mirror(place: float, low: float, high: float) -> float:
    """Reflect a coordinate at two bounds until it lies between them."""
    while not low <= place <= high:
        place = 2 * low - place if place < low else 2 * high - place
    return place


def _read(x: Any, grid: Any, mode: str, align_corners: bool) -> Any:
    """Compute `grid_sample` in two dimensions, element by element."""
    height, width = x.shape[2:]
    y = np.zeros((*x.shape[:2], *grid.shape[1:3]))
    for n, i, j in np.ndindex(*grid.shape[:3]):
        w, h = (grid[n, i, j] + 1) / 2 * (width - 1, height - 1)
        if not align_corners:
            w, h = (grid[n, i, j] + 1) / 2 * (width, height) - 0.5
        if mode == "reflection":
            beyond = 0.0 if align_corners else 0.5
            h, w = _mirror(h, -beyond, height - 1 + beyond), _mirror(w, -beyond, width - 1 + beyond)
        if mode != "zeros":
            h, w = np.clip(h, 0, height - 1), np.clip(w, 0, width - 1)
        for a, b in itertools.product((0, 1), repeat=2):
            row, column = math.floor(h) + a, math.floor(w) + b
            if 0 <= row < height and 0 <= column < width:
                y[n, :, i, j] += x[n, :, row, column] * (1 - abs(h - row)) * (1 - abs(w - column))
    return y


def _mend_rounding(place: float) -> float:
    """Round a coordinate within 1e-9 of an integer, so that a quarter turn puts no element outside of the image."""
    return round(place) if abs(place - round(place)) < 1e-9 else place


def _rotate_by_loops(x: Any, angle: float, center: tuple[float, float], nearest: bool) -> Any:
    """Compute `imrotate`, element by element."""
    height, width = x.shape[2:]
    y = np.zeros_like(x)
    for h, w in np.ndindex(height, width):
        turn = complex(w - center[1], h - center[0]) * complex(math.cos(angle), math.sin(angle))
        row, column = _mend_rounding(turn.imag + center[0]), _mend_rounding(turn.real + center[1])
        if nearest:
            row, column = math.floor(row + 0.5), math.floor(column + 0.5)
        if not (0 <= row <= height - 1 and 0 <= column <= width - 1):
            continue
        for i, j in np.ndindex(height, width):
            y[:, :, h, w] += x[:, :, i, j] * max(0, 1 - abs(row - i)) * max(0, 1 - abs(column - j))
    return y


ANGLES = tuple(math.radians(degrees) for degrees in (0, 0.0001, 35, -90.0123, 1234.1234))
METHODS: tuple[Any, ...] = ("bilinear", "nearest")
# a bar of two ones, rotated by 45 degrees about (3, 3): NNlib's numbers, axes reversed
EIGHTH = np.zeros((6, 6))
EIGHTH[3, 2:5] = 0.29289321881345254, 1.0, 0.08578643762690495
EIGHTH[4, 2:4] = 0.585786437626905, 0.2928932188134524
EIGHTH[2, 3] = 0.08578643762690495
BAR = np.zeros((1, 1, 6, 6))
BAR[0, 0, 3, 2:4] = 1.0
CENTER = np.zeros((3, 1, 10, 10))
CENTER[:, 0, 5, 5] = 1.0, 2.0, 3.0


def _check_rotations(sizes: tuple[int, int]) -> Case:
    center = ((sizes[0] - 1) / 2, (sizes[1] - 1) / 2)

    def program(x: Any) -> Any:
        return {
            method: [ops.imrotate(x, angle=angle, method=method, rotation_center=center) for angle in ANGLES]
            for method in METHODS
        }

    return check_function(
        f"imrotate.angles_{sizes[0]}_{sizes[1]}",
        cite(ROTATION, 36, 37, 38, 40, 41, 42),
        program,
        draw(2, 1, *sizes),
        expected=lambda x0: {
            method: tuple([_rotate_by_loops(x0, angle, center, method == "nearest") for angle in ANGLES])
            for method in METHODS
        },
        compiles=False,  # the indices are computed on the host, so that there is little to compile
        tolerance=Tolerance(reduction=8),
    )


CASES: list[Case] = [
    # Upstream also compares the gradients of the sum, at the border, with differences, which give the same numbers.
    _check_known_slopes(2, (15, 16, 19, 20, 21, 22, 30, 31, 34, 35, 36, 37, 39)),
    _check_known_slopes(3, (98, 99, 102, 103, 104, 105, 113, 114, 117, 118, 119, 120, 122)),
    _check_outside(
        2, (56, 62), [[[[-3, -1], [0, -1], [3, -1]], [[-1, 3], [0, 1], [1, 3.0]]]], [[[[0, 1, 0], [0, 1, 0.0]]]]
    ),
    _check_outside(
        3,
        (141, 147),
        [
            [
                [[[-3, -1, -1], [0, -1, -1]], [[-1, 3, -1], [0, 1, -1]]],
                [[[-1, -1, 3], [0, -1, 3]], [[-1, 1, 3], [0, 1, 3.0]]],
            ]
        ],
        [[[[[0, 1], [0, 1]], [[0, 0], [0, 0.0]]]]],
    ),
    check_function(
        "grid_sample.elements",
        ("element by element",),
        lambda x, grid: [ops.grid_sample(x, grid, padding_mode=mode, align_corners=align) for mode, align in GRIDS],
        *(draw(2, 3, 4, 5), 2 * draw(2, 3, 4, 2, seed=1)),
        expected=lambda x0, x1: tuple([_read(x0, x1, mode, align) for mode, align in GRIDS]),
        # A coordinate, and so each weight, has a rounding error of eps times the size of the image.
        tolerance=Tolerance(reduction=16),
    ),
    check_function(
        "imrotate.eighth",
        cite(ROTATION, 13),
        lambda x: ops.imrotate(x, angle=math.pi / 4),
        BAR,
        expected=EIGHTH[None, None],
        tolerance=Tolerance(reduction=4),
    ),
    *map(_check_rotations, ((5, 5), (4, 5))),
    check_function(
        "imrotate.quarters",
        cite(ROTATION, 58, 59, 60, 61, 62),
        lambda x: [
            ops.imrotate(x, angle=math.radians(degrees), method=method)
            for method in METHODS
            for degrees in (0, 90, 180, 270, 360)
        ],
        CENTER,
        expected=lambda x0: (x0,) * 10,
    ),
    check_function(
        "imrotate.quarters_of_a_whole",
        ("numpy.rot90",),
        lambda x: [ops.imrotate(x, angle=quarters * math.pi / 2, rotation_center=(2, 2)) for quarters in (1, 2, 3)],
        draw(1, 2, 5, 5),
        expected=lambda x0: tuple([np.rot90(x0, quarters, axes=(2, 3)) for quarters in (1, 2, 3)]),
    ),
]
