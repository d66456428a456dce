"""Cases of `MultiHeadAttention`: Flux's tests of it, and the formula in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import LayerError, MultiHeadAttention, ops
from luxport_conformance.case import Case, Shape
from luxport_conformance.cases.attention_parts import DIFFERENCES, SUM, K, Q, V, attend, estimate_slopes
from luxport_conformance.cases.declare import check_error, check_gradient, check_program, cite, set_up

LAYER = "flux:layers/attention.jl"
CAUSAL = np.tri(3, dtype=bool)


def attend_by_hand(layer: MultiHeadAttention, ps: Any, q: Any, k: Any, v: Any, **options: Any) -> tuple[Any, Any]:
    """Compute multi-head attention and its scores in NumPy: project the inputs, attend, project the output."""
    q, k, v = (x @ ps[name]["weight"] for x, name in ((q, "q_proj"), (k, "k_proj"), (v, "v_proj")))
    y, scores = attend(q, k, v, layer.nheads, **options)
    return y @ ps["out_proj"]["weight"], scores


def _check_layer(
    id: str,
    lines: tuple[int, ...],
    layer: MultiHeadAttention,
    arrays: tuple[Any, ...],
    *,
    call: Callable[..., Any] = lambda *arrays: arrays,
    expected: Any = None,
    source: tuple[str, ...] = (),
) -> Case:
    ps, st = set_up(layer)
    st = luxport.test_mode(st)
    return check_program(
        f"multi_head_attention.{id}",
        source or cite(LAYER, *lines),
        lambda ps, st, *arrays: layer(call(*arrays), ps, st)[0],
        {"ps": ps, "st": st, **{f"x{i}": array for i, array in enumerate(arrays)}},
        expected=expected or (lambda ps, st, q, k, v: attend_by_hand(layer, ps, q, k, v)),
        tolerance=SUM,
    )


def _check_layer_gradient() -> Case:
    layer = MultiHeadAttention(4, nheads=2)
    ps, st = set_up(layer)
    names = ("q_proj", "k_proj", "v_proj", "out_proj")

    def sum_squares(q: Any, *weights: Any) -> Any:
        given = {"attention_dropout": {}} | {
            name: {"weight": weight} for name, weight in zip(names, weights, strict=True)
        }
        (y, scores), _ = layer(q, given, st)
        xp = luxport.namespace(q)
        return xp.sum(y * y) + xp.sum(scores * scores)

    def sum_squares_on_host(q: Any, *weights: Any) -> Any:
        given = {name: {"weight": weight} for name, weight in zip(names, weights, strict=True)}
        y, scores = attend_by_hand(layer, given, q, q, q)
        return np.sum(y * y) + np.sum(scores * scores)

    return check_gradient(
        "multi_head_attention.gradient",
        cite(LAYER, 61),
        sum_squares,
        {"q": Q[:2], **{name: ps[name]["weight"] for name in names}},
        expected=lambda *arrays: estimate_slopes(sum_squares_on_host, arrays),
        wrt=(0, 1, 2, 3, 4),
        tolerance=DIFFERENCES,
    )


TWO_HEADS = MultiHeadAttention(4, nheads=2)
CASES: list[Case] = [
    _check_layer("three_arrays", (11, 12, 13, 14), TWO_HEADS, (Q, K, V)),
    _check_layer(
        "one_array",
        (19, 20),
        TWO_HEADS,
        (Q,),
        call=lambda q: q,
        expected=lambda ps, st, q: attend_by_hand(TWO_HEADS, ps, q, q, q),
    ),
    _check_layer(
        "two_arrays", (26, 27), TWO_HEADS, (Q, K), expected=lambda ps, st, q, k: attend_by_hand(TWO_HEADS, ps, q, k, k)
    ),
    _check_layer(
        "other_sizes",
        (35,),
        MultiHeadAttention(4, 10, 5, nheads=2),
        (Q, K, V),
        expected=(Shape(5, 3, 5), Shape(5, 2, 3, 3)),
    ),
    _check_layer(
        "mask",
        (41, 42),
        TWO_HEADS,
        (Q,),
        call=lambda q: (q, q, q, ops.make_causal_mask(q)),
        expected=lambda ps, st, q: attend_by_hand(TWO_HEADS, ps, q, q, q, mask=CAUSAL),
    ),
    _check_layer(
        "infinite_bias",
        (52, 53),
        TWO_HEADS,
        (Q, K, V, np.where(CAUSAL, math.inf, 0.0)),
        call=lambda q, k, v, bias: (q, k, v, None, bias),
        expected=(Shape(5, 3, 4), np.broadcast_to(CAUSAL / CAUSAL.sum(1, keepdims=True), (5, 2, 3, 3))),
    ),
    _check_layer_gradient(),
    _check_layer(
        "no_batch", (), TWO_HEADS, (Q[0], K[0], V[0]), source=("nnlib: attention.jl:5 takes arrays without a batch",)
    ),
    check_error(
        "multi_head_attention.heads",
        ("lux: widths that nheads does not divide are an error",),
        lambda: MultiHeadAttention(6, nheads=4),
        raises=ValueError,
        message="expects nheads that divides 6 and 6, got 4",
    ),
    check_error(
        "multi_head_attention.tuple",
        ("lux: the input is one of its forms",),
        lambda: TWO_HEADS((Q,), *set_up(TWO_HEADS)),
        raises=LayerError,
        message=r"MultiHeadAttention expects x, \(q, kv\).*, got 1 arrays",
    ),
]
