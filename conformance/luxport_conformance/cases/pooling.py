"""Cases of `MaxPool` and `MeanPool`."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import MaxPool, MeanPool, SamePad
from luxport_conformance.case import Case, Shape
from luxport_conformance.cases.answers import count_up, read_answer
from luxport_conformance.cases.declare import check_fact, check_output, check_program, cite, draw
from luxport_conformance.compare import Tolerance

LAYER = "flux:layers/conv.jl"
OP = "nnlib:pooling.jl"
SETTINGS: dict[str, dict[str, Any]] = {"": {}, "_nostride": {"stride": 1}, "_pad": {"padding": 1}}
POOLS = (("max_pool", MaxPool), ("mean_pool", MeanPool))


def _check_counting(name: str, pool: Any, rank: int) -> list[Case]:
    layers = {setting: pool((2,) * rank, **options) for setting, options in SETTINGS.items()}
    single = pool((1,) * rank)
    x = count_up(*read_answer(name, rank, "dx").shape)

    def compute_values(x: Any) -> Any:
        return {"y" + setting: layer(x, {}, {})[0] for setting, layer in layers.items()} | {"one": single(x, {}, {})[0]}

    def compute_gradients(x: Any) -> Any:
        return {"dx" + setting: luxport.grad(_make_squared_sum(layer))(x) for setting, layer in layers.items()}

    common: dict[str, Any] = {"subject": pool.__name__, "inputs": {"x": x}, "tolerance": Tolerance(reduction=2**rank)}
    return [
        Case(
            id=f"{name}.counting_{rank}d",
            source=cite(OP, 340, 345, 351, 357),
            program=compute_values,
            expected={f"y{setting}": read_answer(name, rank, f"y{setting}") for setting in SETTINGS} | {"one": x},
            **common,
        ),
        Case(
            id=f"{name}.counting_gradients_{rank}d",
            source=cite(OP, 346, 352, 358),
            program=compute_gradients,
            expected={f"dx{setting}": read_answer(name, rank, f"dx{setting}") for setting in SETTINGS},
            differentiates=True,
            **common,
        ),
    ]


def _make_squared_sum(layer: Any) -> Callable[[Any], Any]:
    def sum_squares(x: Any) -> Any:
        y, _ = layer(x, {}, {})
        return luxport.namespace(x).sum(y * luxport.stop_gradient(y))

    return sum_squares


def _make_sum(layer: Any) -> Callable[[Any], Any]:
    return lambda x: luxport.namespace(x).sum(layer(x, {}, {})[0])


def _check_gradient_of_sum(id: str, line: int, layer: Any, x: Any, expected: Any) -> Case:
    return check_program(
        id,
        cite(OP, line),
        luxport.grad(_make_sum(layer)),
        {"x": np.asarray(x)},
        subject=type(layer).__name__,
        expected=np.asarray(expected),
        differentiates=True,
    )


def _make_block_pool(reduce: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, ps, st: reduce(x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2), axis=(3, 5))


def _average_by_loops(x: Any, k: int, pad: int, stride: int, count_include_pad: bool) -> Any:
    """Compute mean pooling by loops over all windows and their elements."""
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


def _check_by_loops(rank: int) -> Case:
    settings = [(k, p, s, c) for k, p, s in ((2, 1, 2), (3, 1, 1), (3, 2, 2)) for c in (True, False)]
    layers = [MeanPool((k,) * rank, padding=p, stride=s, count_include_pad=c) for k, p, s, c in settings]
    return check_program(
        f"mean_pool.loops_{rank}d",
        cite(OP, 986),
        lambda x: tuple([layer(x, {}, {})[0] for layer in layers]),
        {"x": np.abs(draw(2, 2, *(7,) * rank))},
        expected=lambda x: tuple([_average_by_loops(x, *setting) for setting in settings]),
        tolerance=Tolerance(reduction=3**rank),
    )


def _has_same_shape(pool: Any, window: tuple[int, ...]) -> bool:
    sizes = tuple(k + 3 for k in window)
    layer = pool(window, padding=SamePad())
    wanted = (1, 1, *(-(-n // k) for n, k in zip(sizes, window, strict=True)))
    computed = layer(np.ones((1, 1, *sizes), np.float32), {}, {})[0].shape
    return luxport.output_shape(layer, (1, 1, *sizes)) == computed == wanted


FOUR, SIXTEEN = [[[[1.0, 3.0], [2.0, 4.0]]]], count_up(1, 1, 4, 4)
PADDED: dict[str, Any] = {"padding": 1, "stride": 2}

CASES: list[Case] = [
    *(case for name, pool in POOLS for rank in (1, 2, 3) for case in _check_counting(name, pool, rank)),
    check_output("max_pool.blocks", cite(LAYER, 17), MaxPool((2, 2)), draw(2, 3, 10, 10), y=_make_block_pool(np.max)),
    check_output(
        "mean_pool.blocks",
        cite(LAYER, 19),
        MeanPool((2, 2)),
        draw(2, 3, 10, 10),
        y=_make_block_pool(np.mean),
        tolerance=Tolerance(reduction=4),
    ),
    *(
        check_fact(
            f"pool.same_pad_{pool.__name__}_{'_'.join(map(str, window))}",
            cite(LAYER, 300),
            lambda pool=pool, window=window: _has_same_shape(pool, window),
            subject=pool.__name__,
        )
        for _, pool in POOLS
        for window in ((1,), (2,), (3,), (5, 4), (8, 7, 6))
    ),
    *(
        check_fact(
            f"pool.size_line_{line}",
            cite(OP, line),
            lambda pool=pool, options=options: luxport.output_shape(pool((2, 2), **options), (10, 3, 10, 10)),
            (10, 3, *places),
            subject=pool.__name__,
        )
        for line, pool, options, places in (
            (408, MaxPool, {}, (5, 5)),
            (409, MaxPool, PADDED, (6, 6)),
            (410, MeanPool, {}, (5, 5)),
            (411, MeanPool, PADDED, (6, 6)),
        )
    ),
    _check_gradient_of_sum(
        "max_pool.odd_size_gradient",
        422,
        MaxPool((2, 2), **PADDED),
        count_up(1, 1, 3, 3),
        [[[[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 1.0]]]],
    ),
    check_output(
        "max_pool.padded_all_round",
        cite(OP, 886),
        MaxPool((1, 2), padding=1, stride=1),
        draw(3, 1, 2, 5),
        y=Shape(3, 1, 4, 6),
    ),
    check_output(
        "max_pool.padding_loses_to_negatives",
        ("definition: x is -inf outside",),
        MaxPool((2,), padding=1),
        [[[-3.0, -1.0, -2.0, -4.0]]],
        y=[[[-3.0, -1.0, -4.0]]],
    ),
    check_output(
        "max_pool.padded_on_one_side",
        cite(OP, 887),
        MaxPool((1, 2), padding=((0, 0), (1, 0)), stride=1),
        draw(3, 1, 2, 5),
        y=Shape(3, 1, 2, 5),
    ),
    check_output(
        "mean_pool.counts_padding",
        cite(OP, 896),
        MeanPool((2, 2), padding=1),
        -np.ones((1, 1, 4, 4)),
        y=[[[[-0.25, -0.5, -0.25], [-0.5, -1.0, -0.5], [-0.25, -0.5, -0.25]]]],
    ),
    check_output("max_pool.four", cite(OP, 927), MaxPool((2, 2)), FOUR, y=[[[[4.0]]]]),
    _check_gradient_of_sum("max_pool.four_gradient", 930, MaxPool((2, 2)), FOUR, [[[[0.0, 0.0], [0.0, 1.0]]]]),
    check_output("mean_pool.four", cite(OP, 931), MeanPool((2, 2)), FOUR, y=[[[[2.5]]]]),
    _check_gradient_of_sum("mean_pool.four_gradient", 932, MeanPool((2, 2)), FOUR, np.full((1, 1, 2, 2), 0.25)),
    check_output(
        "mean_pool.without_padding",
        cite(OP, 968),
        MeanPool((2, 2), **PADDED, count_include_pad=False),
        SIXTEEN,
        y=[[[[1.0, 2.5, 4.0], [7.0, 8.5, 10.0], [13.0, 14.5, 16.0]]]],
    ),
    check_output(
        "mean_pool.padding_counts_by_default",
        cite(OP, 971),
        MeanPool((2, 2), **PADDED),
        SIXTEEN,
        y=lambda x, ps, st: _average_by_loops(x, 2, 1, 2, count_include_pad=True),
    ),
    check_output(
        "mean_pool.nothing_to_count",
        cite(OP, 976),
        MeanPool((2, 2), count_include_pad=False),
        np.abs(draw(2, 2, 8, 8)),
        y=_make_block_pool(np.mean),
        tolerance=Tolerance(reduction=4),
    ),
    *map(_check_by_loops, (1, 2, 3)),
    check_output(
        "max_pool.same_pad_low",
        ("flux: SamePad puts the odd one low (src/layers/conv.jl, calc_padding)",),
        MaxPool((2,), stride=1, padding=SamePad()),
        [[[3.0, 1.0, 2.0]]],
        y=[[[3.0, 3.0, 2.0]]],
    ),
]
