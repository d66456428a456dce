"""Cases of gradients of pooling in one and two dimensions, compared with loops over the windows."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import MaxPool, MeanPool
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_program, cite, draw
from luxport_conformance.compare import Tolerance

FILE = "nnlib:pooling.jl"


def _draw_distinct(rank: int) -> Any:
    """Return a permutation of 0, 1, 2, …, so that every window has a unique largest element."""
    shape = (2, 3, *(10,) * rank)
    return np.random.Generator(np.random.Philox(rank)).permutation(np.arange(float(np.prod(shape)))).reshape(shape)


def _pull_back(c: Any, x: Any, windows: Callable[[], Any], *, largest: bool) -> Any:
    """Pull c back by loops: to the largest element of each window, or in equal parts to its elements inside x."""
    dx = np.zeros(x.shape)
    for place, window in windows():
        for n, channel in np.ndindex(*x.shape[:2]):
            seen, given = x[(n, channel, *window)], c[(n, channel, *place)]
            share = (seen == seen.max()) if largest else np.full(seen.shape, 1 / seen.size)
            dx[(n, channel, *window)] += share * given
    return dx


def _list_windows(sizes: tuple[int, ...], places: tuple[int, ...], low: int) -> Callable[[], Any]:
    """Return a function that iterates over windows of 2 with stride 2, each cut to its part inside the array."""

    def iterate() -> Any:
        for place in itertools.product(*map(range, places)):
            starts = [2 * i - low for i in place]
            yield place, [slice(max(start, 0), min(start + 2, n)) for start, n in zip(starts, sizes, strict=True)]

    return iterate


def _make_gradients(layers: dict[str, Any]) -> Callable[..., Any]:
    def program(x: Any, c: Any) -> Any:
        xp = luxport.namespace(x)
        return {
            name: (
                luxport.grad(lambda x, layer=layer: xp.sum(layer(x, {}, {})[0] * c))(x),
                luxport.grad(lambda x, layer=layer: xp.sum(layer(x, {}, {})[0]))(x),
            )
            for name, layer in layers.items()
        }

    return program


def _check_plain(rank: int) -> Case:
    places = (5,) * rank

    def expected(x: Any, c: Any) -> Any:
        windows, ones = _list_windows(x.shape[2:], places, 0), np.ones(c.shape)
        return {
            name: tuple([_pull_back(given, x, windows, largest=name == "max") for given in (c, ones)])
            for name in ("max", "mean")
        }

    return check_program(
        f"pooling.gradients_{rank}d",
        cite(FILE, *range(1040, 1044), *range(1046, 1050)),
        _make_gradients({"max": MaxPool((2,) * rank), "mean": MeanPool((2,) * rank)}),
        {"x": _draw_distinct(rank), "c": draw(2, 3, *places, seed=1)},
        subject="MaxPool",
        expected=expected,
        differentiates=True,
    )


def _check_padding_left_out(rank: int) -> Case:
    places = (4,) * rank

    def expected(x: Any, c: Any) -> Any:
        windows = _list_windows(x.shape[2:], places, 1)
        return {"mean": tuple([_pull_back(given, x, windows, largest=False) for given in (c, np.ones(c.shape))])}

    return check_program(
        f"mean_pool.gradients_without_padding_{rank}d",
        cite(FILE, 1055, 1056),
        _make_gradients({"mean": MeanPool((2,) * rank, stride=2, padding=1, count_include_pad=False)}),
        {"x": draw(2, 3, *(7,) * rank), "c": draw(2, 3, *places, seed=1)},
        expected=expected,
        differentiates=True,
        tolerance=Tolerance(reduction=4),
    )


def _check_first_of_infinities() -> Case:
    """Check that a window of only -inf gives its gradient to its first element, as any window of equal numbers does."""
    x, slope = np.full((1, 2, 4, 6), -np.inf), np.zeros((1, 2, 4, 6))
    slope[..., ::2, ::3] = 1.0
    x[0, 0, 1, 2], slope[0, 0, 0, 0], slope[0, 0, 1, 2] = 3.0, 0.0, 1.0
    x[0, 1, 2:, :3] = 5.0

    def program(x: Any) -> Any:
        xp = luxport.namespace(x)

        def make_total(layer: Any) -> Callable[[Any], Any]:
            def sum_up(x: Any) -> Any:
                y, _ = layer(x, {}, {})
                return xp.sum(xp.where(xp.isinf(y), y * 0.5, y))

            return sum_up

        return [luxport.grad(make_total(MaxPool((2, 3))))(x), luxport.grad(make_total(MaxPool((3,))))(x[0, ...])]

    halves = slope * np.where(np.isinf(x), 0.5, 1.0)
    rows = np.where(np.isinf(x[0]), 0.5, 1.0) * (np.arange(6) % 3 == 0)
    rows[0, 1, :3] = 0.0, 0.0, 1.0
    return check_program(
        "pooling_gradients.infinities",
        ("by definition: the first of equal maxima",),
        program,
        {"x": x},
        subject="MaxPool",
        expected=(halves, rows),
        differentiates=True,
    )


CASES: list[Case] = [*map(_check_plain, (1, 2)), *map(_check_padding_left_out, (1, 2)), _check_first_of_infinities()]
