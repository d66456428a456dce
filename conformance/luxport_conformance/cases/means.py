"""Cases of means in pools, losses, bags and segments of numbers so large that their sum overflows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import losses, ops
from luxport.backend import dtype_name
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_program
from luxport_conformance.cases.limits import LARGE

ROW = np.array([192.0, 224.0, 208.0, -192.0, 128.0, 192.0, 32.0, 224.0, 240.0])
IMAGE = np.outer(np.array([1.0, 1.0, 0.5, 1.0, 1.0, 1.0]), ROW)
SIZES = np.abs(ROW)


def _make_windows(n: int, *bounds: tuple[int, int]) -> Any:
    """Return the matrix whose rows average the windows [low, high) of n numbers."""
    places = np.arange(n)
    return np.stack([((places >= low) & (places < high)) / (high - low) for low, high in bounds])


PAIRS = _make_windows(9, (0, 2), (2, 4), (4, 6), (6, 8))
OVERLAPPING = _make_windows(9, (0, 5), (4, 9))
WHOLE = _make_windows(9, (0, 9))
PADDED = _make_windows(9, (0, 3), (2, 6), (5, 9))
APART = _make_windows(9, (0, 1), (3, 4), (6, 7)) + _make_windows(9, (2, 3), (5, 6), (8, 9))
DOWN = _make_windows(6, (0, 2), (2, 4), (4, 6))

# Pools of arrays (1, 1, 9) or (1, 1, 6, 9), and for each axis the matrix by which the pool multiplies.
POOLS: dict[str, tuple[Callable[[Any], Any], tuple[Any, ...]]] = {
    "mean_pool, images": (lambda x: ops.mean_pool(x, window=2), (DOWN, PAIRS)),
    "mean_pool, dilated": (lambda x: ops.mean_pool(x, window=2, dilation=2, stride=3), (APART / 2.0,)),
    "mean_pool, zeros left out": (
        lambda x: ops.mean_pool(x, window=4, padding=1, stride=3, count_include_pad=False),
        (PADDED,),
    ),
    "mean_pool, with zeros": (
        lambda x: ops.mean_pool(x, window=4, padding=1, stride=3),
        (PADDED * np.array([[0.75], [1.0], [1.0]]),),
    ),
    "global_mean_pool, images": (ops.global_mean_pool, (_make_windows(6, (0, 6)), WHOLE)),
    "adaptive_mean_pool": (lambda x: ops.adaptive_mean_pool(x, output_size=(2,)), (OVERLAPPING,)),
    "adaptive_mean_pool, variable, images": (
        lambda x: ops.adaptive_mean_pool(x, output_size=(3, 2), variable_windows=True),
        (DOWN, OVERLAPPING),
    ),
}

_bag = luxport.EmbeddingBag(9, 1)
_generic = losses.GenericLossFunction(lambda y_hat, y: y_hat)

# Functions that average nine positive numbers x; `zeros` are nine zeros of int32, and `places` are 0, 1, 2, …
MEANS: dict[str, Callable[..., Any]] = {
    "mae": lambda x, zeros, places: losses.mae(x, 0.0),
    "nll_loss, ignored": lambda x, zeros, places: losses.nll_loss(-x[:, None], zeros, ignore_index=7),
    "nll_loss, weighted": lambda x, zeros, places: losses.nll_loss(-x[:, None], zeros, class_weights=(0.5,)),
    "GenericLossFunction": lambda x, zeros, places: _generic(x, 0.0),
    "EmbeddingBag": lambda x, zeros, places: _bag(places[None, :], {"weight": x[:, None]}, {})[0],
    "EmbeddingBag, offsets": lambda x, zeros, places: _bag((places, zeros[:1]), {"weight": x[:, None]}, {})[0],
    "scatter": lambda x, zeros, places: ops.scatter(x, zeros, op="mean", size=1),
}


def _find_scale(x: Any) -> float:
    """Return a factor that brings numbers of 128 to 255 near the dtype's largest, so that the sum of two overflows."""
    return 2.0**1016 if dtype_name(x) == "float64" else 2.0**120


def _compute_pools(row: Any, image: Any) -> Any:
    def run(f: Any, x: Any) -> Any:
        scale, xp = _find_scale(x), luxport.namespace(x)

        def sum_weighted(x: Any) -> Any:
            value = f(x * scale)[0, 0, ...] / scale
            weights = xp.cumulative_sum(xp.ones(math.prod(value.shape), dtype=x.dtype))
            return xp.sum(value * xp.reshape(1.0 + weights, value.shape)), value

        (_, value), slope = luxport.value_and_grad(sum_weighted, has_aux=True)(x)
        return {"value": value, "slope": slope[0, 0, ...]}

    return {name: run(f, (row, image)[len(along) - 1]) for name, (f, along) in POOLS.items()}


def _expect_pools(row: Any, image: Any) -> Any:
    wanted = {}
    for name, (_, along) in POOLS.items():
        value = along[0] @ row[0, 0] if len(along) == 1 else along[0] @ image[0, 0] @ along[1].T
        weights = 2.0 + np.arange(value.size).reshape(value.shape)
        slope = along[0].T @ weights if len(along) == 1 else along[0].T @ weights @ along[1]
        wanted[name] = {"value": value, "slope": slope}
    return wanted


def _compute_means(x: Any, zeros: Any, places: Any) -> Any:
    xp, scale = luxport.namespace(x), _find_scale(x)

    def run(f: Any) -> Any:
        value, slope = luxport.value_and_grad(lambda x: xp.sum(f(x * scale, zeros, places)) / scale)(x)
        return {"value": value, "slope": slope}

    return {name: run(f) for name, f in MEANS.items()}


CASES: list[Case] = [
    check_program(
        "means.of_pools_beyond_sums",
        ("mathematics: means are linear",),
        _compute_pools,
        {"row": ROW[None, None], "image": IMAGE[None, None]},
        subject="mean_pool",
        expected=_expect_pools,
        **LARGE,
    ),
    check_program(
        "means.of_losses_beyond_sums",
        ("mathematics: means are linear",),
        _compute_means,
        {"x": SIZES, "zeros": np.zeros(9, np.int32), "places": np.arange(9, dtype=np.int32)},
        subject="losses",
        expected={name: {"value": np.array(SIZES.mean()), "slope": np.full(9, 1.0 / 9.0)} for name in MEANS},
        **LARGE,
    ),
]
