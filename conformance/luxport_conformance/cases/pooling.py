"""Cases of `MaxPool` and `MeanPool`."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import MaxPool, MeanPool, SamePad
from luxport_conformance.case import Case, Shape
from luxport_conformance.cases.answers import answer, counting
from luxport_conformance.cases.declare import at, computation, draw, fact, forward
from luxport_conformance.compare import Tolerance

LAYER = "flux:layers/conv.jl"
OP = "nnlib:pooling.jl"
SETTINGS: dict[str, dict[str, Any]] = {"": {}, "_nostride": {"stride": 1}, "_pad": {"padding": 1}}
POOLS = (("max_pool", MaxPool), ("mean_pool", MeanPool))


def _counting(name: str, pool: Any, rank: int) -> list[Case]:
    layers = {setting: pool((2,) * rank, **options) for setting, options in SETTINGS.items()}
    single = pool((1,) * rank)
    x = counting(*answer(name, rank, "dx").shape)

    def values(x: Any) -> Any:
        return {"y" + setting: layer(x, {}, {})[0] for setting, layer in layers.items()} | {"one": single(x, {}, {})[0]}

    def gradients(x: Any) -> Any:
        return {"dx" + setting: luxport.grad(_pulled_back(layer))(x) for setting, layer in layers.items()}

    common: dict[str, Any] = {"subject": pool.__name__, "inputs": {"x": x}, "tolerance": Tolerance(reduction=2**rank)}
    return [
        Case(
            id=f"{name}.counting_{rank}d",
            source=at(OP, 340, 345, 351, 357),
            program=values,
            expected={f"y{setting}": answer(name, rank, f"y{setting}") for setting in SETTINGS} | {"one": x},
            **common,
        ),
        Case(
            id=f"{name}.counting_gradients_{rank}d",
            source=at(OP, 346, 352, 358),
            program=gradients,
            expected={f"dx{setting}": answer(name, rank, f"dx{setting}") for setting in SETTINGS},
            differentiates=True,
            **common,
        ),
    ]


def _pulled_back(layer: Any) -> Callable[[Any], Any]:
    def loss(x: Any) -> Any:
        y, _ = layer(x, {}, {})
        return luxport.namespace(x).sum(y * luxport.stop_gradient(y))

    return loss


def _summed(layer: Any) -> Callable[[Any], Any]:
    return lambda x: luxport.namespace(x).sum(layer(x, {}, {})[0])


def _gradient_of_sum(id: str, line: int, layer: Any, x: Any, expected: Any) -> Case:
    return computation(
        id,
        at(OP, line),
        type(layer).__name__,
        luxport.grad(_summed(layer)),
        {"x": np.asarray(x)},
        expected=np.asarray(expected),
        differentiates=True,
    )


def _blocks(reduce: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, ps, st: reduce(x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2), axis=(3, 5))


def _mean_by_loops(x: Any, k: int, pad: int, stride: int, count_include_pad: bool) -> Any:
    """Visit every window and every element in it."""
    sizes = x.shape[2:]
    places = [(n + 2 * pad - k) // stride + 1 for n in sizes]
    y = np.zeros((*x.shape[:2], *places))
    for place in np.ndindex(*places):
        total, count = np.zeros(x.shape[:2]), 0
        for tap in itertools.product(range(k), repeat=len(sizes)):
            where = tuple(p * stride - pad + t for p, t in zip(place, tap, strict=True))
            if all(0 <= i < n for i, n in zip(where, sizes, strict=True)):
                total, count = total + x[(..., *where)], count + 1
        y[(..., *place)] = total / (k ** len(sizes) if count_include_pad else max(count, 1))
    return y


def _brute_force(rank: int) -> Case:
    settings = [(k, p, s, c) for k, p, s in ((2, 1, 2), (3, 1, 1), (3, 2, 2)) for c in (True, False)]
    layers = [MeanPool((k,) * rank, padding=p, stride=s, count_include_pad=c) for k, p, s, c in settings]
    return computation(
        f"mean_pool.loops_{rank}d",
        at(OP, 986),
        "MeanPool",
        lambda x: tuple([layer(x, {}, {})[0] for layer in layers]),
        {"x": np.abs(draw(2, 2, *(7,) * rank))},
        expected=lambda x: tuple([_mean_by_loops(x, *setting) for setting in settings]),
        tolerance=Tolerance(reduction=3**rank),
    )


def _same_pad(pool: Any, window: tuple[int, ...]) -> bool:
    sizes = tuple(k + 3 for k in window)
    layer = pool(window, padding=SamePad())
    wanted = (1, 1, *(-(-n // k) for n, k in zip(sizes, window, strict=True)))
    computed = layer(np.ones((1, 1, *sizes), np.float32), {}, {})[0].shape
    return luxport.output_shape(layer, (1, 1, *sizes)) == computed == wanted


FOUR, SIXTEEN = [[[[1.0, 3.0], [2.0, 4.0]]]], counting(1, 1, 4, 4)
PADDED: dict[str, Any] = {"padding": 1, "stride": 2}

CASES: list[Case] = [
    *(case for name, pool in POOLS for rank in (1, 2, 3) for case in _counting(name, pool, rank)),
    forward("max_pool.blocks", at(LAYER, 17), MaxPool((2, 2)), draw(2, 3, 10, 10), y=_blocks(np.max)),
    forward(
        "mean_pool.blocks",
        at(LAYER, 19),
        MeanPool((2, 2)),
        draw(2, 3, 10, 10),
        y=_blocks(np.mean),
        tolerance=Tolerance(reduction=4),
    ),
    *(
        fact(
            f"pool.same_pad_{pool.__name__}_{'_'.join(map(str, window))}",
            at(LAYER, 300),
            pool.__name__,
            lambda pool=pool, window=window: _same_pad(pool, window),
        )
        for _, pool in POOLS
        for window in ((1,), (2,), (3,), (5, 4), (8, 7, 6))
    ),
    *(
        fact(
            f"pool.size_line_{line}",
            at(OP, line),
            pool.__name__,
            lambda pool=pool, options=options: luxport.output_shape(pool((2, 2), **options), (10, 3, 10, 10)),
            (10, 3, *places),
        )
        for line, pool, options, places in (
            (408, MaxPool, {}, (5, 5)),
            (409, MaxPool, PADDED, (6, 6)),
            (410, MeanPool, {}, (5, 5)),
            (411, MeanPool, PADDED, (6, 6)),
        )
    ),
    _gradient_of_sum(
        "max_pool.odd_size_gradient",
        422,
        MaxPool((2, 2), **PADDED),
        counting(1, 1, 3, 3),
        [[[[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 1.0]]]],
    ),
    forward(
        "max_pool.padded_all_round",
        at(OP, 886),
        MaxPool((1, 2), padding=1, stride=1),
        draw(3, 1, 2, 5),
        y=Shape(3, 1, 4, 6),
    ),
    forward(
        "max_pool.padding_loses_to_negatives",
        ("definition: x is -inf outside",),
        MaxPool((2,), padding=1),
        [[[-3.0, -1.0, -2.0, -4.0]]],
        y=[[[-3.0, -1.0, -4.0]]],
    ),
    forward(
        "max_pool.padded_on_one_side",
        at(OP, 887),
        MaxPool((1, 2), padding=((0, 0), (1, 0)), stride=1),
        draw(3, 1, 2, 5),
        y=Shape(3, 1, 2, 5),
    ),
    forward(
        "mean_pool.counts_padding",
        at(OP, 896),
        MeanPool((2, 2), padding=1),
        -np.ones((1, 1, 4, 4)),
        y=[[[[-0.25, -0.5, -0.25], [-0.5, -1.0, -0.5], [-0.25, -0.5, -0.25]]]],
    ),
    forward("max_pool.four", at(OP, 927), MaxPool((2, 2)), FOUR, y=[[[[4.0]]]]),
    _gradient_of_sum("max_pool.four_gradient", 930, MaxPool((2, 2)), FOUR, [[[[0.0, 0.0], [0.0, 1.0]]]]),
    forward("mean_pool.four", at(OP, 931), MeanPool((2, 2)), FOUR, y=[[[[2.5]]]]),
    _gradient_of_sum("mean_pool.four_gradient", 932, MeanPool((2, 2)), FOUR, np.full((1, 1, 2, 2), 0.25)),
    forward(
        "mean_pool.without_padding",
        at(OP, 968),
        MeanPool((2, 2), **PADDED, count_include_pad=False),
        SIXTEEN,
        y=[[[[1.0, 2.5, 4.0], [7.0, 8.5, 10.0], [13.0, 14.5, 16.0]]]],
    ),
    forward(
        "mean_pool.padding_counts_by_default",
        at(OP, 971),
        MeanPool((2, 2), **PADDED),
        SIXTEEN,
        y=lambda x, ps, st: _mean_by_loops(x, 2, 1, 2, count_include_pad=True),
    ),
    forward(
        "mean_pool.nothing_to_count",
        at(OP, 976),
        MeanPool((2, 2), count_include_pad=False),
        np.abs(draw(2, 2, 8, 8)),
        y=_blocks(np.mean),
        tolerance=Tolerance(reduction=4),
    ),
    *map(_brute_force, (1, 2, 3)),
    forward(
        "max_pool.same_pad_low",
        ("flux: SamePad puts the odd one low (src/layers/conv.jl, calc_padding)",),
        MaxPool((2,), stride=1, padding=SamePad()),
        [[[3.0, 1.0, 2.0]]],
        y=[[[3.0, 3.0, 2.0]]],
    ),
]
