"""Cases of indices and labels of every integer dtype: each gives the same result as int64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import losses, ops
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_program, draw
from luxport_conformance.compare import Tolerance

KINDS = {
    "": ("int8", "int16", "int32", "uint8"),
    ".int64": ("int64",),
    ".uint16": ("uint16", "uint32"),
    ".uint64": ("uint64",),
}
"""Dtypes by groups, each of which a framework either has or lacks as a whole."""
PLACES = np.array([[0, 2, 1], [3, 3, 0]])
TABLE, PROBABILITIES = draw(4, 3), np.exp(draw(2, 3, 4)) / np.exp(draw(2, 3, 4)).sum(-1, keepdims=True)
HOT = np.eye(4)[PLACES]
PICKED = np.take_along_axis(PROBABILITIES, PLACES[..., None], axis=-1)[..., 0]
SQUARE, ROWS = draw(4, 4), draw(3, 2)
SEQUENCE = draw(2, 4, 1, 4)[:, :3, ...]
STRETCHED = np.concatenate([(SEQUENCE[0, :, 0, :2] + 2.0)[PLACES % 3]] * 2, axis=-1)

Taking = Callable[[Any, Any], Any]
"""A function of an array of numbers and an array of indices."""


def _make_segment_reduction(op: str) -> Taking:
    return lambda rows, places: ops.segment_reduce(rows, places[0, ...], op=op, size=4)


def _expect_reduction(f: Any, nothing: float) -> Any:
    """Return a reduction of rows with the segments 0, 2 and 1; the last segment is empty and gives `nothing`."""
    return np.stack([*[f.reduce(ROWS[[i]]) for i in (0, 2, 1)], np.full(2, nothing)])


def _stretch(x: Any, positions: Any) -> Any:
    """Apply a rotary embedding whose sines are 0, so that each position only scales its features by its own factor."""
    return ops.apply_rotary_embedding(x, x[0, :, 0, :2] + 2.0, x[0, :, 0, :2] * 0.0, positions)


def _reduce_between(table: Any, places: Any) -> Any:
    """Average bags of indices whose offsets, 0 and 2, are the first two of the indices."""
    indices = luxport.namespace(places).reshape(places, (-1,))
    return luxport.EmbeddingBag(4, 3)((indices, places[0, :2]), {"weight": table}, {})[0]


def _load_shuffled(rows: Any, labels: Any) -> Any:
    """Return the labels, as floating numbers, in the shuffled order in which the loader yields them."""
    loader = luxport.training.DataLoader((rows, labels[1, ...]), 2, shuffle=True, seed=1)
    xp = luxport.namespace(rows)
    return xp.concat([xp.astype(batch, rows.dtype) for _, batch in loader], axis=0)


FUNCTIONS: dict[str, tuple[str, Taking, Any, Any]] = {
    "gather": ("gather", lambda table, places: ops.gather(table, places), TABLE, TABLE[PLACES]),
    "gather_two": ("gather", lambda table, i: ops.gather(table, i, i), SQUARE, SQUARE[PLACES, PLACES]),
    "scatter": ("scatter", lambda rows, places: ops.scatter(rows, places[0, ...], op="max"), ROWS, ROWS[[0, 2, 1]]),
    "segment_sum": ("segment_reduce", _make_segment_reduction("sum"), ROWS, _expect_reduction(np.add, 0.0)),
    "segment_prod": ("segment_reduce", _make_segment_reduction("prod"), ROWS, _expect_reduction(np.multiply, 1.0)),
    "segment_max": ("segment_reduce", _make_segment_reduction("max"), ROWS, _expect_reduction(np.maximum, -np.inf)),
    "segment_min": ("segment_reduce", _make_segment_reduction("min"), ROWS, _expect_reduction(np.minimum, np.inf)),
    "embedding": (
        "Embedding",
        lambda table, places: luxport.Embedding(4, 3)(places, {"weight": table}, {})[0],
        TABLE,
        TABLE[PLACES],
    ),
    "bag": (
        "EmbeddingBag",
        lambda table, places: luxport.EmbeddingBag(4, 3)(places, {"weight": table}, {})[0],
        TABLE,
        TABLE[PLACES].mean(axis=1),
    ),
    "bag_offsets": (
        "EmbeddingBag",
        _reduce_between,
        TABLE,
        np.stack([TABLE[[0, 2]].mean(axis=0), TABLE[[1, 3, 3, 0]].mean(axis=0)]),
    ),
    "onehot": ("onehotbatch", lambda x, places: luxport.training.onehotbatch(places, 4), TABLE, HOT),
    "nll": ("nll_loss", losses.nll_loss, PROBABILITIES, -PICKED.mean()),
    "crossentropy": (
        "sparse_crossentropy",
        lambda y, labels: losses.sparse_crossentropy(y, labels, epsilon=0.0, ignore_index=-1),
        PROBABILITIES,
        -np.log(PICKED).mean(),
    ),
    "logitcrossentropy": (
        "sparse_logitcrossentropy",
        lambda y, labels: losses.sparse_logitcrossentropy(y, labels, ignore_index=3),
        np.log(PROBABILITIES),
        -(np.log(PICKED) - np.log(PROBABILITIES.sum(-1)))[PLACES != 3].mean(),
    ),
    "accuracy": (
        "accuracy",
        lambda y, labels: luxport.training.accuracy(y, labels, ignore_index=-1),
        PROBABILITIES,
        (PROBABILITIES.argmax(-1) == PLACES).mean(),
    ),
    "rotary": ("apply_rotary_embedding", _stretch, SEQUENCE, SEQUENCE * STRETCHED[:, :, None, :]),
    "data_loader": ("DataLoader", _load_shuffled, ROWS, PLACES[1][np.random.default_rng(1).permutation(3)]),
}


def _check_indices(name: str, which: str, kinds: tuple[str, ...]) -> Case:
    subject, function, x, expected = FUNCTIONS[name]
    places = PLACES % 3 if name == "rotary" else PLACES
    return check_program(
        f"index_dtypes.{name}{which}",
        ("by the definition",),
        lambda x, *indices: tuple([function(x, index) for index in indices]),
        {"x": x, **{kind: places.astype(kind) for kind in kinds}},
        subject=subject,
        expected=(expected,) * len(kinds),
        tolerance=Tolerance(reduction=24),
        dtypes=("float32",),
        traces=name == "bag_offsets" and which in ("", ".int64"),  # its offsets are compared with counted positions
        integers=kinds,
        looks=name == "scatter",  # scatter without `size` reads the largest index
    )


CASES = tuple([_check_indices(name, which, kinds) for name in FUNCTIONS for which, kinds in KINDS.items()])
