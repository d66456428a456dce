"""Cases of indices out of range: an error in eager programs, which can read them, and NaN in compiled ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import EmbeddingBag, LayerError, losses, ops
from luxport.backend import backend_of
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import check_program, check_refusal
from luxport_conformance.compiling import compile_quickly

TABLE = np.arange(1.0, 7.0).reshape(3, 2)
SLICES = np.arange(1.0, 9.0).reshape(4, 2)
SCORES = np.array([[0.2, 0.3, 0.5], [0.1, 0.8, 0.1], [0.4, 0.5, 0.1], [0.6, 0.2, 0.2]])
TOO_LARGE, NEGATIVE = np.array([0, 9, 2, 1], np.int32), np.array([0, -1, 2, 1], np.int32)
BOTH, OUT = np.array([0, 9, -1, 2], np.int32), [1, 2]
OFFSETS = np.array([0, 5], np.int32)  # of four indices
SOURCE = ("the rule of luxport.ops.indices: an error where values are at hand, else NaN",)

_EMBEDDING, _OF_AXES, _BAG = luxport.Embedding(3, 2), luxport.Embedding((1, 3), 2), EmbeddingBag(3, 2, "sum")

# Functions that look up rows of a table with three rows; those of PUTS scatter into three rows.
LOOKS_UP: dict[str, Callable[..., Any]] = {
    "embedding": lambda table, i: ops.embedding(table, i),
    "gather": lambda table, i: ops.gather(table, i),
    "gather_of_two": lambda table, i: ops.gather(table[:, :1], i, i * 0)[:, None],
    "Embedding": lambda table, i: _EMBEDDING(i, {"weight": table}, {})[0],
    "Embedding_of_axes": lambda table, i: _OF_AXES((i * 0, i), {"weight": table[None, ...]}, {})[0],
    "EmbeddingBag": lambda table, i: _BAG(i[:, None], {"weight": table}, {})[0],
}
PUTS: dict[str, Callable[..., Any]] = {
    **{
        f"scatter {op}": lambda x, i, op=op: ops.scatter(x, i, op=op, size=3)
        for op in ("+", "-", "*", "/", "max", "min", "mean")
    },
    **{
        f"segment_reduce {op}": lambda x, i, op=op: ops.segment_reduce(x, i, op=op, size=3)
        for op in ("sum", "prod", "max", "min")
    },
    "reduce_segments": lambda x, i: ops.reduce_segments(x, i, op="sum", size=3),
}
# One of PUTS for each code path; PyTorch cannot differentiate segment products in compiled programs.
WHOLES = ("scatter +", "scatter max", "segment_reduce prod", "reduce_segments")
SLOPED = {name: PUTS[name] for name in WHOLES[:2]}
JUDGES: dict[str, Callable[..., Any]] = {
    f.__name__: lambda x, i, f=f: f(x, i, agg=None)
    for f in (losses.nll_loss, losses.sparse_crossentropy, losses.sparse_logitcrossentropy)
}


def _look_up_compiled(table: Any, slices: Any, scores: Any, i: Any, offsets: Any) -> Any:
    """Run all functions and their gradients as one compiled program."""
    xp = luxport.namespace(table)

    def program(table: Any, slices: Any, scores: Any, i: Any, offsets: Any) -> Any:
        def differentiate(calls: Any, x: Any) -> Any:
            return luxport.grad(lambda x: sum([xp.sum(f(x, i)) for f in calls.values()]))(x)

        integers = xp.astype(table[:, 0], xp.int32)
        return {
            "rows": {name: f(table, i) for name, f in LOOKS_UP.items()},
            "gradient of rows": differentiate(LOOKS_UP, table),
            "wholes": {name: PUTS[name](slices, i) for name in WHOLES},
            "gradient of wholes": differentiate(SLOPED, slices),
            "losses": {name: f(scores, i) for name, f in JUDGES.items()},
            "gradient of losses": differentiate(JUDGES, scores)[1:3, :],
            "mean": losses.sparse_logitcrossentropy(scores, i),
            "accuracy": luxport.training.accuracy(scores, i),
            "confusion": luxport.training.confusion_matrix(scores, i),
            "one_hot": luxport.training.onehotbatch(i, 3),
            "bags": _BAG((i * 0, offsets), {"weight": table}, {})[0],
            "ctc": ops.ctc_loss(xp.stack([scores] * 3), xp.stack([i[:1], i[1:2], i[2:3]])),
            "integers": ops.gather(integers, i),
            "flags": ops.gather(integers > 0, i),
        }

    return compile_quickly(backend_of(table), program, tracing_only=True)(table, slices, scores, i, offsets)


def _expect_missing(rows: Any) -> Property:
    """Return the property that only rows of indices out of range are NaN; the others are `rows`, if it is not None."""

    def holds(y: Any) -> bool:
        others = np.delete(y, OUT, axis=0)
        return bool(np.isnan(y[OUT]).all()) and (
            bool(np.isfinite(others).all()) if rows is None else np.allclose(others, rows, rtol=1e-5)
        )

    return Property(f"NaN where indices are out of range alone, else {rows}", holds)


ALL_NAN = Property("NaN everywhere", lambda y: bool(np.isnan(y).all()))
_LEAST = -(2**31)
# All lookups but gather_of_two, which reads only the first column, read the whole rows 0 and 2.
_TAKEN = np.array([[1.0, 1.0], [0.0, 0.0], [1.0, 1.0]]) * (len(LOOKS_UP) - 1) + [[1.0, 0], [0, 0], [1, 0]]
COMPILED: dict[str, Any] = {
    "rows": {name: _expect_missing(TABLE[[0, 2], : 1 if name == "gather_of_two" else 2]) for name in LOOKS_UP},
    "gradient of rows": _TAKEN,
    "wholes": dict.fromkeys(WHOLES, ALL_NAN),
    "gradient of wholes": np.zeros((4, 2)),
    "losses": dict.fromkeys(JUDGES, _expect_missing(None)),
    "gradient of losses": np.zeros((2, 3)),
    "mean": np.array(math.nan),
    "accuracy": np.array(math.nan),
    "confusion": np.full((3, 3), math.nan),
    "one_hot": _expect_missing(np.eye(3)[[0, 2]]),
    "bags": ALL_NAN,
    "ctc": Property("NaN but for the first sequence", lambda y: bool(np.isfinite(y[0]) and np.isnan(y[1:]).all())),
    "integers": np.array([1, _LEAST, _LEAST, 5]),
    "flags": np.array([True, False, False, True]),
}

# name: (a function of x and indices that raises, x, the message)
EAGER: dict[str, tuple[Callable[..., Any], Any, str]] = {
    **{name: (f, TABLE, "indices of at least 0 and below 3, got") for name, f in LOOKS_UP.items()},
    **{name: (f, SLICES, "of at least 0 and below 3, got") for name, f in PUTS.items()},
    **{name: (f, SCORES, "classes of at least 0 and below 3, got") for name, f in JUDGES.items()},
    "accuracy": (luxport.training.accuracy, SCORES, "classes of at least 0 and below 3, got"),
    "confusion_matrix": (luxport.training.confusion_matrix, SCORES, "classes of at least 0 and below 3, got"),
    "onehotbatch": (lambda scores, i: luxport.training.onehotbatch(i, 3), SCORES, "a label among"),
    "apply_rotary_embedding": (
        lambda x, i: ops.apply_rotary_embedding(x[:, None, :], x[:3, :1], x[:3, :1], i),
        SLICES,
        "positions of at least 0 and below 3, got",
    ),
}

CASES: list[Case] = [
    check_program(
        "out_of_range.compiled",
        SOURCE,
        _look_up_compiled,
        {"table": TABLE, "slices": SLICES, "scores": SCORES, "i": BOTH, "offsets": OFFSETS},
        subject="indices",
        expected=COMPILED,
        dtypes=("float32",),
        differentiates=True,  # selects the backends with gradients, which are those that can compile
        traces=False,
    ),
    *(
        check_refusal(
            f"out_of_range.{name.replace(' ', '_')}{i[1]}",
            SOURCE,
            f,
            {"x": x, "i": i},
            subject="indices",
            raises=LayerError if name != "onehotbatch" else ValueError,
            message=f"{message}{'.*, got' if name == 'onehotbatch' else ''} {i[1]}",
            looks=True,
        )
        for name, (f, x, message) in EAGER.items()
        for i in (TOO_LARGE, NEGATIVE)
    ),
]
