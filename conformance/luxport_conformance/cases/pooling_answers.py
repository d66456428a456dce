"""Cases of NNlib's gradients of pooling, for the operations and their definitions, and of means of complex numbers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import luxport
from luxport import ops
from luxport_conformance.case import Case
from luxport_conformance.cases.answers import read_pooling_answers
from luxport_conformance.cases.declare import check_program, cite, draw
from luxport_conformance.compare import Tolerance

FILE = "nnlib:pooling.jl"
MAX = ops.definition_of(ops.max_pool_nd)
MEAN = partial(ops.definition_of(ops.mean_pool_nd), count_include_pad=True)
SIX_DIGITS = Tolerance(reduction=8, rounding=5e-7, reason="the numbers are written with six digits")


def _check_pinned(rank: int) -> Case:
    answers = read_pooling_answers(rank)
    options = {
        name: _make_options(rank, entry["window"], entry["stride"], entry["padding"]) for name, entry in answers.items()
    }

    def compute_gradients(pool: Callable[..., Any], x: Any, options: Any) -> Any:
        xp = luxport.namespace(x)
        return luxport.grad(lambda x: xp.sum(pool(x, **options)))(x)

    def program(xs: Any) -> Any:
        return {
            name: {
                "max": compute_gradients(ops.max_pool, x, options[name]),
                "mean": compute_gradients(ops.mean_pool, x, options[name]),
                "defined max": compute_gradients(MAX, x, options[name]),
                "defined mean": compute_gradients(MEAN, x, options[name]),
                "apart": ops.max_pool(x, **options[name]) - MAX(x, **options[name]),
            }
            for name, x in xs.items()
        }

    def expected(xs: Any) -> Any:
        return {
            name: {
                "max": entry["dx_max"],
                "mean": entry["dx_mean"],
                "defined max": entry["dx_max"],
                "defined mean": entry["dx_mean"],
                "apart": np.zeros_like(ops.max_pool(xs[name], **options[name])),
            }
            for name, entry in answers.items()
        }

    return check_program(
        f"pooling.pinned_gradients_{rank}d",
        cite(FILE, 864, 865, 869, 870, 871),
        program,
        {"xs": {name: entry["x"] for name, entry in answers.items()}},
        subject="MaxPool",
        expected=expected,
        differentiates=True,
        tolerance=SIX_DIGITS,
        dtypes=("float32",),
        compiles=False,  # twenty programs compile slowly, and the laws compile the layer
    )


def _check_complex(rank: int) -> Case:
    """Check pullbacks of complex numbers, and gradients by real and imaginary parts, which need no convention."""
    ways = [*itertools.product((0, 1), (True, False))]

    def program(re: Any, im: Any, dys: Any) -> Any:
        xp = luxport.namespace(re)
        results = []
        for (padding, counted), dy in zip(ways, dys, strict=True):
            pooled = partial(ops.mean_pool, **_make_options(rank, (2,) * rank, 2, padding), count_include_pad=counted)

            def sum_squares(re: Any, im: Any, pooled: Any = pooled) -> Any:
                total = xp.sum(pooled(_join(re, im)))
                return xp.real(total * xp.conj(total))

            dx = luxport.vjp(pooled, _join(re, im))[1](dy)[0]
            results.append(
                {"real": xp.real(dx), "imag": xp.imag(dx), "slopes": luxport.grad(sum_squares, (0, 1))(re, im)}
            )
        return results

    def expected(re: Any, im: Any, dys: Any) -> Any:
        results = []
        for (padding, counted), dy in zip(ways, dys, strict=True):
            weights = _expect_weights(re.shape, padding, counted)
            slope = weights.sum(0)
            total = [slope @ part.reshape(-1, slope.size).T for part in (re, im)]
            # |sum|² is the sum of the squares of the real and of the imaginary sum.
            slopes = tuple(
                [2 * np.sum(part) * np.tile(slope, re.size // slope.size).reshape(re.shape) for part in total]
            )
            real, imag = [(part.reshape(-1, len(weights)) @ weights).reshape(re.shape) for part in (dy.real, dy.imag)]
            results.append({"real": real, "imag": imag, "slopes": slopes})
        return tuple(results)

    shape = (1, 2, *[5] * rank)
    places = [2 + padding for padding, _ in ways]
    dys = [draw(1, 2, *[n] * rank, seed=i) + 1j * draw(1, 2, *[n] * rank, seed=i + 9) for i, n in enumerate(places)]
    return check_program(
        f"mean_pool.complex_gradients_{rank}d",
        cite(FILE, 1010, 1011, 1012, 1022, 1023),
        program,
        {"re": draw(*shape, seed=3), "im": draw(*shape, seed=4), "dys": dys},
        expected=expected,
        differentiates=True,
        tolerance=Tolerance(reduction=4**rank),
        dtypes=("float32",),
        compiles=False,
    )


def _make_options(rank: int, window: Any, stride: int, padding: int) -> dict[str, Any]:
    sides = ((padding, padding),) * rank
    return {"window": window, "stride": (stride,) * rank, "padding": sides, "dilation": (1,) * rank}


def _join(re: Any, im: Any) -> Any:
    xp = luxport.namespace(re)
    dtype = xp.result_type(re.dtype, xp.complex64)
    return xp.astype(re, dtype) + xp.astype(im, dtype) * 1j


def _expect_weights(shape: tuple[int, ...], padding: int, counted: bool) -> Any:
    """Return the matrix of mean pooling in one channel, from elements to means, for windows and strides of 2."""
    sizes = shape[2:]
    places = [(n + 2 * padding) // 2 for n in sizes]
    weights = np.zeros((*places, *sizes))
    for place in np.ndindex(*places):
        starts = [2 * i - padding for i in place]
        inside = tuple([slice(max(start, 0), min(start + 2, n)) for start, n in zip(starts, sizes, strict=True)])
        seen = weights[place][inside]
        seen += 1 / (2 ** len(sizes) if counted else seen.size)
    return weights.reshape(int(np.prod(places)), -1)


CASES: list[Case] = [*map(_check_pinned, (1, 2, 3)), *map(_check_complex, (1, 2, 3))]
