"""Cases of `Embedding` and `EmbeddingBag`. Upstream's indices start at 1, ours at 0."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import luxport
from luxport import Embedding, EmbeddingBag
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_error, check_fact, check_gradient, check_output, cite, draw, set_up
from luxport_conformance.compare import Tolerance

BASIC = "flux:layers/basic.jl"
TABLE = {"weight": draw(10, 4)}
PAD = 1
HOT = np.eye(10, dtype=bool)
VECTOR = np.asarray([7, 0, 7], np.int32)
MATRIX = np.asarray([[3, 9, 0], [3, 3, 2], [5, 1, 8], [0, 4, 6]], np.int32)
PADDED = np.asarray([0, PAD, 2, PAD, 3], np.int32)
PLAIN, BLANK = Embedding(10, 4), Embedding(10, 4, padding_idx=PAD)


def take_rows(x: Any, ps: Any, st: Any) -> Any:
    """Look up rows of the table by indexing in NumPy."""
    return ps["weight"][x]


def take_blanked_rows(x: Any, ps: Any, st: Any) -> Any:
    """Look up rows in NumPy, where the row PAD counts as zeros."""
    return np.where(np.arange(10)[:, None] == PAD, 0.0, ps["weight"])[x]


def _make_sum(layer: Any) -> Callable[[Any, Any], Any]:
    def sum_rows(weight: Any, x: Any) -> Any:
        y, _ = layer(x, {"weight": weight}, {})
        return luxport.namespace(y).sum(y)

    return sum_rows


def _sum_with_offsets(summed: Any, weight: Any, x: Any, offsets: Any) -> Any:
    return summed(weight, (x, offsets))


def _expect_counts(x: Any, *, without: int | None = None) -> Any:
    """Return the gradient of the sum of all looked-up rows: for each row, the number of times it was looked up."""
    counts = np.bincount(np.ravel(x), minlength=10).astype(float)
    if without is not None:
        counts[without] = 0.0
    return np.repeat(counts[:, None], 4, axis=1)


def _check_out_of_range(id: str, line: int | None, x: Any, message: str) -> Case:
    return check_error(id, cite(BASIC, line) if line else ("luxport",), PLAIN, x, message=message, looks=line is None)


def _train() -> bool:
    """Return whether five steps of Adam leave the padding row unchanged."""
    ps, st = set_up(BLANK)
    optimizer = luxport.optimizers.Adam(0.1)
    opt_st = luxport.optimizers.setup(optimizer, ps)
    for _ in range(5):
        y, _ = BLANK(PADDED, ps, st)
        slopes = np.zeros((10, 4), np.float32)
        np.add.at(slopes, PADDED[PADDED != PAD], 2 * (y[PADDED != PAD] - 1))
        opt_st, ps = luxport.optimizers.update(opt_st, ps, {"weight": slopes})
    return bool((ps["weight"][PAD] == 0).all())


EMBEDDING: list[Case] = [
    check_fact("embedding.weight_shape", cite(BASIC, 317), lambda: tuple(set_up(PLAIN)[0]["weight"].shape), (10, 4)),
    check_output("embedding.index", cite(BASIC, 320, 321), PLAIN, np.asarray(2), ps=TABLE, y=TABLE["weight"][2]),
    check_output("embedding.one_hot_vector", cite(BASIC, 322, 324), PLAIN, HOT[3], ps=TABLE, y=TABLE["weight"][3]),
    _check_out_of_range("embedding.long_one_hot", 323, np.arange(1000) == 3, r"Embedding expects \(..., 10\), one-hot"),
    check_output("embedding.vector", cite(BASIC, 329, 330), PLAIN, VECTOR, ps=TABLE, y=take_rows),
    check_output(
        "embedding.one_hot_matrix", cite(BASIC, 333, 334, 336), PLAIN, HOT[VECTOR], ps=TABLE, y=TABLE["weight"][VECTOR]
    ),
    check_output(
        "embedding.float_one_hot", ("flux: one-hot",), PLAIN, HOT[VECTOR] * 1.0, ps=TABLE, y=TABLE["weight"][VECTOR]
    ),
    _check_out_of_range(
        "embedding.long_one_hot_matrix", 335, np.zeros((3, 1000), bool), r"Embedding expects \(..., 10\), one-hot"
    ),
    check_output("embedding.matrix", cite(BASIC, 341, 342), PLAIN, MATRIX, ps=TABLE, y=take_rows),
    check_output(
        "embedding.one_hot_batch", cite(BASIC, 344, 346), PLAIN, HOT[MATRIX], ps=TABLE, y=TABLE["weight"][MATRIX]
    ),
    check_fact("embedding.padding_idx", cite(BASIC, 351), lambda: BLANK.padding_idx, PAD),
    check_fact(
        "embedding.padding_starts_as_zeros",
        cite(BASIC, 352),
        lambda: np.flatnonzero(~set_up(BLANK)[0]["weight"].any(axis=1)).tolist() == [PAD],
    ),
    check_fact("embedding.padding_shown", cite(BASIC, 353), lambda: f"padding_idx={PAD}" in repr(BLANK)),
    *(
        check_error(
            f"embedding.padding_{'below' if padding < 0 else 'above'}",
            cite(BASIC, line),
            lambda padding=padding: Embedding(10, 4, padding_idx=padding),
            raises=ValueError,
            message=f"Embedding expects padding_idx of at least 0 and below 10, got {padding}",
        )
        for line, padding in ((354, -1), (355, 10))
    ),
    check_output("embedding.pad", cite(BASIC, 358), BLANK, np.asarray(PAD), ps=TABLE, y=np.zeros(4)),
    check_output("embedding.padded_vector", cite(BASIC, 361), BLANK, PADDED, ps=TABLE, y=take_blanked_rows),
    check_output(
        "embedding.padded_one_hot",
        cite(BASIC, 362),
        BLANK,
        HOT[PADDED],
        ps=TABLE,
        y=lambda x, ps, st: take_blanked_rows(PADDED, ps, st),
    ),
    check_output("embedding.one_hot_pad", cite(BASIC, 363), BLANK, HOT[PAD], ps=TABLE, y=np.zeros(4)),
    check_output("embedding.padded_matrix", cite(BASIC, 365), BLANK, MATRIX, ps=TABLE, y=take_blanked_rows),
    *(
        check_gradient(
            f"embedding.gradient_{name}",
            cite(BASIC, *lines),
            _make_sum(layer),
            {"weight": TABLE["weight"], "x": x},
            expected=_expect_counts(indices, without=layer.padding_idx),
        )
        for name, lines, layer, x, indices in (
            ("of_pad", (377,), BLANK, np.asarray(PAD), PAD),
            ("masked", (372, 374, 380), BLANK, PADDED, PADDED),
            ("masked_one_hot", (372, 374, 381), BLANK, HOT[PADDED], PADDED),
            ("unmasked", (373,), PLAIN, PADDED, PADDED),
        )
    ),
    check_fact("embedding.padding_through_training", cite(BASIC, 386), _train),
    _check_out_of_range(
        "embedding.too_large", None, VECTOR + 3, "Embedding expects indices of at least 0 and below 10, got 10"
    ),
    _check_out_of_range(
        "embedding.negative", None, VECTOR - 1, "Embedding expects indices of at least 0 and below 10, got -1"
    ),
    check_output(
        "embedding.int",
        ("luxport: a Python int is an index",),
        luxport.Chain(lambda x: 2, PLAIN),
        np.ones(1),
        ps={"layer_1": {}, "layer_2": TABLE},
        y=TABLE["weight"][2],
    ),
    check_output(
        "embedding.two_axes",
        ("lux: Embedding((in_1, in_2) => out), axes reversed",),
        Embedding((2, 5), 3),
        (np.asarray([[0, 1], [1, 1]]), np.asarray([[4, 0], [2, 3]])),
        ps={"weight": draw(2, 5, 3)},
        y=lambda x, ps, st: ps["weight"][x],
    ),
    check_error(
        "embedding.shapes_differ",
        ("lux: input arrays must have the same shape",),
        Embedding((2, 5), 3),
        (np.asarray([0, 1]), np.asarray([4])),
        message=r"Embedding expects indices of one shape, got \(2,\) and \(1,\)",
    ),
]

RISING = np.arange(40.0).reshape(10, 4)
REDUCTIONS = {"mean": np.mean, "sum": np.sum, "max": np.max}
FLAT, OFFSETS = np.asarray([0, 2, 1, 3, 4, 6], np.int32), np.asarray([0, 2, 4], np.int32)
PAIRS = np.asarray([[0, 2], [1, 3], [4, 6]], np.int32)
TEN, UNEVEN = np.arange(10, dtype=np.int32), np.asarray([0, 4, 5, 7], np.int32)


class _Listed(luxport.Layer):
    """An `EmbeddingBag` that gets its bags as a list, where the case's input is a tuple."""

    layer: EmbeddingBag

    def initial_parameters(self, rng: Any) -> Any:
        return self.layer.initial_parameters(rng)

    def __call__(self, x: Any, ps: Any, st: Any) -> Any:
        return self.layer(list(x), ps, st)


def _check_bags(name: str) -> list[Case]:
    layer, reduction = EmbeddingBag(10, 4, name), REDUCTIONS[name]

    def reduce_bags(*bags: Any) -> Any:
        return np.stack([reduction(TABLE["weight"][bag], axis=0) for bag in bags])

    def check_bag(id: str, lines: tuple[int, ...], x: Any, y: Any, layer: Any = layer) -> Case:
        id = f"embedding_bag.{name}_{id}"
        return check_output(id, cite(BASIC, *lines), layer, x, ps=TABLE, y=y, tolerance=Tolerance(reduction=4))

    uneven = (TEN[:4], TEN[4:5], TEN[5:7], TEN[7:])
    return [
        check_bag("one_bag", (425, 426), VECTOR, reduce_bags(VECTOR)[0]),
        check_bag("offsets", (429, 430), (FLAT, OFFSETS), reduce_bags(*PAIRS)),
        check_bag("pairs", (429, 430), PAIRS, reduce_bags(*PAIRS)),
        check_bag("list_of_pairs", (429,), tuple(PAIRS), reduce_bags(*PAIRS), _Listed(layer)),
        check_bag("uneven_offsets", (399, 435), (TEN, UNEVEN), reduce_bags(*uneven)),
        check_bag("each_alone", (400,), (TEN, TEN), reduce_bags(*TEN[:, None])),
        check_bag("one_offset", (401,), (TEN, TEN[:1]), reduce_bags(TEN)),
        check_bag("all_but_last", (402,), (TEN[:9], np.asarray([0, 8], np.int32)), reduce_bags(TEN[:8], TEN[8:9])),
        check_bag("uneven_list", (435, 441, 442), uneven, reduce_bags(*uneven), _Listed(layer)),
        check_bag("matrix", (449, 450), MATRIX, reduce_bags(*MATRIX)),
        check_bag("one_hot_matrix", (459, 460), HOT[VECTOR], reduce_bags(VECTOR)[0]),
    ]


def _check_refused_bag(id: str, lines: tuple[int, ...], x: Any, message: str) -> Case:
    layer, with_offsets = EmbeddingBag(10, 4), isinstance(x, tuple)
    return check_error(f"embedding_bag.{id}", cite(BASIC, *lines), layer, x, message=message, looks=with_offsets)


def _make_offsets(*values: int) -> Any:
    return TEN[:9], np.asarray(values, np.int32)


BAG: list[Case] = [
    *[case for name in REDUCTIONS for case in _check_bags(name)],
    check_fact(
        "embedding_bag.weight_shape",
        cite(BASIC, 418),
        lambda: tuple(set_up(EmbeddingBag(10, 4))[0]["weight"].shape),
        (10, 4),
    ),
    _check_refused_bag(
        "one_index", (419,), np.asarray(2), r"EmbeddingBag expects bags of indices \(..., bag\), got \(\)"
    ),
    _check_refused_bag(
        "one_hot_vector", (453,), HOT[3], "EmbeddingBag expects bags of indices .* one-hot along a further"
    ),
    _check_refused_bag("long_one_hot", (461,), np.zeros((5, 1000), bool), r"EmbeddingBag expects \(..., 10\), one-hot"),
    _check_refused_bag(
        "offset_twice", (409,), _make_offsets(0, 1, 1, 4), "EmbeddingBag expects offsets that start at 0 and increase"
    ),
    _check_refused_bag(
        "offsets_fall", (410,), _make_offsets(0, 4, 1), "EmbeddingBag expects offsets that start at 0 and increase"
    ),
    _check_refused_bag(
        "first_offset", (411, 431), _make_offsets(1, 2, 4), "EmbeddingBag expects offsets that start at 0"
    ),
    _check_refused_bag("last_offset", (412, 432), _make_offsets(0, 4, 10), "EmbeddingBag expects offsets .* below 9"),
    check_output(
        "embedding_bag.own_reduction",
        ("flux: any reduction of an array and its dims",),
        EmbeddingBag(10, 4, lambda rows, axis: luxport.namespace(rows).min(rows, axis=axis)),
        MATRIX,
        ps=TABLE,
        y=TABLE["weight"][MATRIX].min(axis=-2),
    ),
    *(
        check_gradient(
            f"embedding_bag.gradient_of_{name}",
            ("definition: bags of rows 7, 7 and 0, 1, 2; of equal rows each has its share",),
            partial(_sum_with_offsets, _make_sum(EmbeddingBag(10, 4, name))),
            {"weight": RISING, "x": np.asarray([7, 7, 0, 1, 2], np.int32), "offsets": OFFSETS[:2]},
            expected=_expect_counts([0, 1, 2, 7]) * np.asarray(slopes)[:, None],
        )
        for name, slopes in (
            ("mean", [1 / 3, 1 / 3, 1 / 3, 0, 0, 0, 0, 1, 0, 0]),
            ("sum", [1, 1, 1, 0, 0, 0, 0, 2, 0, 0]),
            ("max", [0, 0, 1, 0, 0, 0, 0, 1, 0, 0]),
        )
    ),
    check_fact(
        "embedding_bag.output_shape_of_offsets",
        ("luxport",),
        lambda: luxport.output_shape(EmbeddingBag(10, 4, "max"), (FLAT, OFFSETS)),
        (3, 4),
    ),
]

CASES: list[Case] = [*EMBEDDING, *BAG]
