"""Cases of `LPPool`, of global and adaptive pools, and of pools of complex numbers."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import luxport
from luxport import (
    AdaptiveLPPool,
    AdaptiveMaxPool,
    AdaptiveMeanPool,
    GlobalLPPool,
    GlobalMaxPool,
    GlobalMeanPool,
    LPPool,
    MaxPool,
    MeanPool,
)
from luxport_conformance.case import Case
from luxport_conformance.cases.answers import count_up
from luxport_conformance.cases.declare import check_error, check_function, check_output, check_program, cite, draw
from luxport_conformance.compare import Tolerance

LAYER = "flux:layers/conv.jl"
OP = "nnlib:pooling.jl"

# NNlib's values of the pools of 1 to 5 with windows of two, and of their pullbacks to x.
POWERS: dict[str, tuple[LPPool, list[float], list[float]]] = {
    "plain": (
        LPPool((2,), p=4.5),
        [2.019312856150994, 4.221163518110637],
        [0.17258020254042603, 1.9525221042381296, 1.2774501198988355, 3.496467771732918, 0.0],
    ),
    "stride": (
        LPPool((2,), stride=1, p=3.0),
        [2.080083823051904, 3.2710663101885897, 4.497941445275415, 5.738793548317167],
        [0.48074985676913606, 3.1458422620080637, 4.752311710531486, 6.345225258061685, 4.356316321455918],
    ),
    "padded": (LPPool((2,), padding=1, p=2.0), [1.0, 3.605551275463989, 6.4031242374328485], [1.0, 2.0, 3.0, 4.0, 5.0]),
}
ALONE, PAIRS = LPPool((1,), p=4.5), LPPool((2,))


def _compute_slopes(x: Any) -> Any:
    xp = luxport.namespace(x)

    def pull_back(layer: LPPool) -> Any:
        def sum_up(x: Any) -> Any:
            y, _ = layer(x, {}, {})
            return xp.sum(y * luxport.stop_gradient(y))

        return luxport.grad(sum_up)(x)

    return {name: pull_back(layer) for name, (layer, _, _) in POWERS.items()}


def _make_block_pool(reduce: Any, places: tuple[int, int]) -> Any:
    """Return a pool over equal blocks, for sizes that the number of outputs divides."""
    height, width = places
    return lambda x, ps, st: reduce(
        x.reshape(*x.shape[:2], height, x.shape[2] // height, width, x.shape[3] // width), axis=(3, 5)
    )


def _make_variable_pool(reduce: Any, places: Any) -> Any:
    """Return a pool over the windows of PyTorch's adaptive pooling, computed one by one."""

    def pool(x: Any, ps: Any, st: Any) -> Any:
        cuts = [
            [slice(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]
            for n, m in zip(x.shape[2:], places, strict=True)
        ]
        y = [reduce(x[:, :, rows, columns], axis=(2, 3)) for rows, columns in itertools.product(*cuts)]
        return np.stack(y, axis=2).reshape(*x.shape[:2], *places)

    return pool


def _make_fixed_pool(reduce: Any, sizes: Any) -> Any:
    """Return a pool in one dimension over the windows of Flux's adaptive pooling, computed one by one."""

    def pool(x: Any, ps: Any, st: Any) -> Any:
        (places,) = sizes
        step = x.shape[2] // places
        size = x.shape[2] - (places - 1) * step
        return np.stack([reduce(x[:, :, i * step : i * step + size], axis=2) for i in range(places)], axis=2)

    return pool


def _take_cubic_norm(x: Any, axis: Any) -> Any:
    return np.cbrt(np.sum(x**3, axis=axis))


def _compute_gradients_of_ties(x: Any) -> Any:
    xp = luxport.namespace(x)
    layers = (GlobalMaxPool(), AdaptiveMaxPool((1, 2)), AdaptiveMaxPool((1, 2), variable_windows=True))
    return [luxport.grad(lambda x, layer=layer: xp.sum(layer(x, {}, {})[0]))(x) for layer in layers]


FIRST, FIRST_TWO = np.zeros((1, 1, 2, 4)), np.zeros((1, 1, 2, 4))
FIRST[..., 0, 0] = FIRST_TWO[..., 0, 0] = FIRST_TWO[..., 0, 2] = 1.0


def _check_complex_means(rank: int) -> Case:
    layers = [
        MeanPool((2,) * rank, **options, count_include_pad=counted)
        for options in ({}, {"padding": 1, "stride": 2})
        for counted in (True, False)
    ]

    def program(x: Any) -> Any:
        return [layer(x, {}, {})[0] for layer in layers]

    def pool_by_parts(x: Any) -> Any:
        return tuple([layer(x.real, {}, {})[0] + 1j * layer(x.imag, {}, {})[0] for layer in layers])

    return check_program(
        f"mean_pool.complex_{rank}d",
        cite(OP, 1002, 1004, 1005),
        program,
        {"x": draw(1, 2, *[7] * rank) + 1j * draw(1, 2, *[7] * rank, seed=1)},
        expected=pool_by_parts,
        tolerance=Tolerance(reduction=2**rank),
    )


CASES: list[Case] = [
    *(
        check_output(
            f"{layer.__name__}.blocks_{line}",
            cite(LAYER, line),
            layer(places),
            draw(2, 3, *shape),
            y=_make_block_pool(reduce, places),
            tolerance=Tolerance(reduction=8),
        )
        for line, layer, reduce, places, shape in (
            (5, AdaptiveMaxPool, np.max, (5, 5), (10, 10)),
            (7, AdaptiveMeanPool, np.mean, (5, 5), (10, 10)),
            (9, AdaptiveMaxPool, np.max, (5, 10), (20, 20)),
            (11, AdaptiveMeanPool, np.mean, (5, 10), (20, 20)),
        )
    ),
    *(
        check_output(
            f"{layer.__name__}.{id}",
            (source,),
            layer(sizes, **options, **more),
            np.abs(draw(*shape)),
            y=make_pool(reduce, sizes),
            tolerance=Tolerance(reduction=terms),
        )
        for layer, options, reduce in (
            (AdaptiveMaxPool, {}, np.max),
            (AdaptiveMeanPool, {}, np.mean),
            (AdaptiveLPPool, {"p": 3}, _take_cubic_norm),
        )
        for id, source, sizes, more, shape, make_pool, terms in (
            (
                "uneven",
                "flux: one window and one stride (src/layers/conv.jl, AdaptiveMaxPool)",
                *((3,), {}, (2, 2, 7), _make_fixed_pool, 8),
            ),
            (
                "variable",
                "PyTorch's windows, one by one",
                *((3, 4), {"variable_windows": True}, (2, 2, 7, 3), _make_variable_pool, 12),
            ),
        )
    ),
    *(
        check_output(
            f"{type(layer).__name__}.all",
            (*cite(LAYER, *lines), "NumPy"),
            layer,
            np.abs(draw(2, 3, 10, 10)),
            y=_make_block_pool(reduce, (1, 1)),
            tolerance=Tolerance(reduction=100),
        )
        for lines, layer, reduce in (
            ((13,), GlobalMaxPool(), np.max),
            ((15,), GlobalMeanPool(), np.mean),
            ((), GlobalLPPool(p=3), _take_cubic_norm),
        )
    ),
    check_program(
        "max_pools.first_of_equals",
        ("nnlib: the gradient goes to the first of equal ones (src/impl/pooling_direct.jl)",),
        _compute_gradients_of_ties,
        {"x": np.ones((1, 1, 2, 4))},
        subject="GlobalMaxPool",
        expected=(FIRST, FIRST_TWO, FIRST_TWO),
        differentiates=True,
    ),
    check_function(
        "lp_pool.counting",
        cite(OP, 383, 388, 394, 400),
        lambda x: {name: layer(x, {}, {})[0] for name, (layer, _, _) in POWERS.items()} | {"one": ALONE(x, {}, {})[0]},
        count_up(1, 1, 5),
        expected={name: np.array(y).reshape(1, 1, -1) for name, (_, y, _) in POWERS.items()}
        | {"one": count_up(1, 1, 5)},
        tolerance=Tolerance(reduction=8),
    ),
    check_program(
        "lp_pool.counting_gradients",
        cite(OP, 389, 395, 401),
        _compute_slopes,
        {"x": count_up(1, 1, 5)},
        expected={name: np.array(dx).reshape(1, 1, -1) for name, (_, _, dx) in POWERS.items()},
        differentiates=True,
        tolerance=Tolerance(reduction=16),
    ),
    check_program(
        "lp_pool.flat_at_zero",
        ("a sum of squares has no slope at 0: NNlib divides 0 by 0",),
        luxport.grad(lambda x: luxport.namespace(x).sum(PAIRS(x, {}, {})[0])),
        {"x": np.zeros((1, 1, 4))},
        expected=np.zeros((1, 1, 4)),
        differentiates=True,
    ),
    *map(_check_complex_means, (1, 2, 3)),
    check_error(
        "max_pool.no_complex",
        cite(OP, 1028),
        MaxPool((2,)),
        draw(1, 2, 7) + 1j * draw(1, 2, 7, seed=1),
        message="MaxPool expects real numbers, got complex64",
    ),
    check_error(
        "adaptive_pool.fewer_than_places",
        ("one stride of at least 1",),
        AdaptiveMaxPool((3, 3)),
        np.ones((1, 1, 4, 2)),
        message=r"AdaptiveMaxPool expects at least \(3, 3\) along its spatial axes, got \(1, 1, 4, 2\)",
    ),
    check_error(
        "lp_pool.no_norm",
        ("nnlib: p is a positive finite number (src/pooling.jl, lpnormpool)",),
        lambda: LPPool((2, 2), p=0),
        raises=ValueError,
        message="p as a positive finite number",
    ),
]
