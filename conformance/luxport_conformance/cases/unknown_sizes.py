"""Cases of programs compiled for sizes that are unknown until they run: of every array and axis, also of size 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import losses, ops
from luxport.backend import backend_of
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_program, draw, set_up
from luxport_conformance.compare import Tolerance
from luxport_conformance.compiling import forget_sizes

ONE_HEAD = luxport.MultiHeadAttention(4)
PS, ST = set_up(ONE_HEAD)
SEEN = np.array([[[[1, 0, 1, 1, 0]]], [[[0, 0, 1, 0, 1]]]]) > 0


def _attend(query: Any, key: Any, seen: Any, bias: Any, ps: Any, st: Any) -> Any:
    heads, shared = query[..., None, :], key[..., None, :]
    four = ops.scaled_dot_product_attention(
        luxport.namespace(query).concat([heads] * 4, axis=-2),
        *[luxport.namespace(key).concat([shared] * 2, axis=-2)] * 2,
        return_scores=False,
    )
    return {
        "one head, masked": ONE_HEAD((query, key, key, seen), ps, st)[0],
        "biased": ops.scaled_dot_product_attention(heads, shared, shared, bias),
        "features": ops.dot_product_attention(query, key, key, nheads=2),
        "heads that are shared": four,
        "causal": ops.scaled_dot_product_attention(heads, heads, heads, is_causal=True),
    }


def _compute_ctc(logits: Any, labels: Any, steps: Any, counts: Any) -> Any:
    return {
        "all": losses.ctc_loss(logits, labels, agg=None),
        "first blank": losses.ctc_loss(logits, labels + 1, blank=0, agg=None),
        "lengths": losses.ctc_loss(logits, labels, steps, counts, agg=None),
        "one": losses.ctc_loss(logits[0, ...], labels[0, ...]),
        "no steps": losses.ctc_loss(logits[:, :0, :], labels, agg=None),
        "no labels": losses.ctc_loss(logits, labels[:, :0], agg=None),
    }


def _check_unknown_sizes(name: str, function: Callable[..., Any], arrays: dict[str, Any], more: dict[str, Any]) -> Case:
    def program(*inputs: Any) -> Any:
        late = forget_sizes(backend_of(inputs[0]), inputs[: len(arrays)])
        return function(*late, *inputs[len(arrays) :])

    return check_program(
        f"unknown_sizes.{name}",
        ("the definition on NumPy in float64, where all sizes are known",),
        program,
        {**arrays, **more},
        subject=f"unknown sizes, {name}",
        expected=function,
        tolerance=Tolerance(reduction=40),
        dtypes=("float32",),
    )


CASES: tuple[Case, ...] = (
    _check_unknown_sizes(
        "attention",
        _attend,
        {"query": draw(2, 3, 4), "key": draw(2, 5, 4, seed=1), "seen": SEEN, "bias": draw(3, 5, seed=2)},
        {"ps": PS, "st": luxport.test_mode(ST)},
    ),
    _check_unknown_sizes(
        "ctc_loss",
        _compute_ctc,
        {
            "logits": draw(2, 6, 4),
            "labels": np.array([[0, 1], [1, 2]], np.int32),
            "steps": np.array([6, 4], np.int32),
            "counts": np.array([2, 1], np.int32),
        },
        {},
    ),
)
