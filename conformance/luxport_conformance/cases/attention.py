"""Cases of attention: NNlib's and Flux's expected numbers, and the formula in NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import luxport
from luxport import ops
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.attention_parts import DIFFERENCES, SUM, attend, estimate_slopes
from luxport_conformance.cases.declare import check_error, check_function, check_gradient, cite, draw
from luxport_conformance.compare import Tolerance

OPS = "nnlib:attention.jl"
KEY, COUNTER = np.array([3, 4], np.int32), np.array(0, np.int32)


def _check_sizes(batch: tuple[int, ...], nheads: int, lines: tuple[int, ...]) -> Case:
    return check_function(
        f"dot_product_attention.batch_{'_'.join(map(str, batch)) or 'none'}_heads_{nheads}",
        cite(OPS, *lines),
        lambda q, k, v: ops.dot_product_attention(q, k, v, nheads=nheads),
        *(draw(*batch, 3, 15), draw(*batch, 4, 15, seed=1), draw(*batch, 4, 15, seed=2)),
        expected=lambda q, k, v: attend(q, k, v, nheads),
        tolerance=SUM,
    )


COUNTED = np.arange(1.0, 13.0).reshape(1, 3, 4) / 12
COUNTED_Y = np.array(
    [
        *(0.429754, 0.513087, 0.613791, 0.697125, 0.46431, 0.547644),
        *(0.647876, 0.73121, 0.49773, 0.581064, 0.680455, 0.763788),
    ]
).reshape(1, 3, 4)
COUNTED_SCORES = np.array(
    [
        *(0.313896, 0.332948, 0.353157, 0.264431, 0.328206, 0.407362, 0.219215, 0.31838, 0.462405),
        *(0.288691, 0.331243, 0.380066, 0.241239, 0.323893, 0.434868, 0.198438, 0.311761, 0.489801),
    ]
).reshape(1, 2, 3, 3)
SIX_DIGITS = Tolerance(rounding=1e-6, reason="upstream writes the numbers with six digits")
MASK = np.random.Generator(np.random.Philox(8)).uniform(size=(3, 5)) < 0.5
BLIND = np.array([[True, False, True, True], [False] * 4, [True] * 4])
CAUSAL = np.tri(3, dtype=bool)


def _expect_positive(mask: Any) -> Property:
    return Property("scores above 0 where the mask is true, and there alone", lambda y: ((y > 0) == mask).all())


def _sum_weighted(y: Any) -> Any:
    xp = luxport.namespace(y)
    return xp.sum(y * xp.astype(xp.reshape(xp.arange(math.prod(y.shape)), y.shape), y.dtype))


def _sum_weighted_on_host(y: Any) -> Any:
    return np.sum(y * np.arange(y.size).reshape(y.shape))


_REFUSED: tuple[tuple[str, Any, dict[str, Any], str], ...] = (
    ("other_batch", ((2, 3, 1, 4), (3, 3, 1, 4), (3, 3, 1, 4)), {}, "with one batch"),
    ("other_features", ((2, 3, 1, 4), (2, 3, 1, 5), (2, 3, 1, 5)), {}, "as many features, got 4 and 5"),
    ("other_length", ((2, 3, 1, 4), (2, 3, 1, 4), (2, 4, 1, 4)), {}, "a value for each key"),
    ("other_heads", ((2, 3, 3, 4), (2, 3, 2, 4), (2, 3, 2, 4)), {}, "heads of keys that divide those of"),
    ("two_masks", ((2, 3, 1, 4),) * 3 + ((3, 3),), {"is_causal": True}, "a mask or is_causal, got both"),
)
CASES: list[Case] = [
    *[
        _check_sizes(batch, nheads, (10, 11, 12, 13))
        for batch, nheads in (((), 1), ((1,), 3), ((2,), 5), ((3, 1, 2), 3))
    ],
    check_function(
        "dot_product_attention_scores.heads_apart",
        cite(OPS, 22),
        lambda x: ops.dot_product_attention_scores(x, x),
        np.arange(1.0, 25.0).reshape(1, 3, 2, 4) / 24,
        expected=lambda x: attend(x.reshape(1, 3, 8), x.reshape(1, 3, 8), x.reshape(1, 3, 8), 2)[1],
    ),
    check_function(
        "dot_product_attention.numbers",
        cite(OPS, 32, 33),
        lambda x: ops.dot_product_attention(x, x, x, nheads=2),
        COUNTED,
        expected=(COUNTED_Y, COUNTED_SCORES),
        tolerance=SIX_DIGITS,
    ),
    check_function(
        "dot_product_attention_scores.mask",
        cite(OPS, 42, 43),
        lambda q, k, mask: ops.dot_product_attention_scores(q, k, None, mask),
        *(draw(1, 3, 2, 4), draw(1, 5, 2, 4, seed=1), MASK),
        expected=_expect_positive(MASK),
    ),
    check_function(
        "dot_product_attention_scores.causal_mask",
        cite(OPS, 49, 50),
        lambda x: ops.dot_product_attention_scores(x, x, None, ops.make_causal_mask(x, axis=-3)),
        draw(1, 3, 2, 4),
        expected=_expect_positive(CAUSAL),
    ),
    check_function(
        "dot_product_attention.dropout",
        cite(OPS, 58),
        lambda x, key, counter: ops.dot_product_attention(
            x, x, x, nheads=2, dropout=lambda scores: ops.dropout(scores, key, counter, p=0.5)
        )[1],
        *(draw(10, 10, 10), KEY, COUNTER),
        expected=Property("about half of the scores above 0", lambda y: 0.4 < np.mean(y > 0) < 0.6),
    ),
    check_function(
        "dot_product_attention.bias",
        cite(OPS, 66, 67),
        lambda q, k, v, bias: ops.dot_product_attention(q, k, v, bias, nheads=2),
        *(draw(1, 5, 4), draw(1, 3, 4, seed=1), draw(1, 3, 4, seed=2), draw(5, 3)),
        expected=lambda q, k, v, bias: attend(q, k, v, 2, bias),
        tolerance=SUM,
    ),
    check_gradient(
        "dot_product_attention.gradient",
        cite(OPS, 75),
        lambda q, k, v, bias: _sum_weighted(ops.dot_product_attention(q, k, v, bias, nheads=2)[0]),
        {"q": draw(1, 5, 4), "k": draw(1, 3, 4, seed=1), "v": draw(1, 3, 4, seed=2), "bias": draw(5, 3)},
        expected=lambda *arrays: estimate_slopes(
            lambda q, k, v, b: _sum_weighted_on_host(attend(q, k, v, 2, b)[0]), arrays
        ),
        wrt=(0, 1, 2, 3),
        tolerance=DIFFERENCES,
    ),
    check_function(
        "scaled_dot_product_attention.blind",
        ("torch: scaled_dot_product_attention gives 0 to a query that sees no key",),
        lambda q, k, v, mask: (
            ops.dot_product_attention(q, k, v, None, mask, nheads=2),
            ops.dot_product_attention(q, k, v, luxport.namespace(q).where(mask, 0.0 * q[0, :, :1], -math.inf))[0],
        ),
        *(draw(2, 3, 4), draw(2, 4, 4, seed=1), draw(2, 4, 6), BLIND),
        expected=lambda q, k, v, mask: (attend(q, k, v, 2, mask=mask), attend(q, k, v, 1, mask=mask)[0]),
        tolerance=SUM,
    ),
    check_gradient(
        "scaled_dot_product_attention.gradient_blind",
        ("luxport: a query that sees no key has a gradient of 0",),
        lambda q, k, v, mask: _sum_weighted(ops.dot_product_attention(q, k, v, None, mask)[0]),
        {"q": draw(1, 3, 2), "k": draw(1, 4, 2, seed=1), "v": draw(1, 4, 2), "mask": BLIND},
        expected=lambda q, k, v, mask: estimate_slopes(
            lambda q, k, v: _sum_weighted_on_host(attend(q, k, v, 1, mask=mask)[0]), (q, k, v)
        ),
        wrt=(0, 1, 2),
        tolerance=DIFFERENCES,
    ),
    *[
        check_function(
            f"scaled_dot_product_attention.causal_{queries}_{keys}",
            ("luxlib: the causal mask lets query i see the keys up to i, whatever the lengths",),
            lambda q, k, v: (
                ops.scaled_dot_product_attention(q, k, v, is_causal=True),
                ops.scaled_dot_product_attention(q, k, v, is_causal=True, return_scores=False),
            ),
            *(draw(2, queries, 1, 4), draw(2, keys, 1, 4, seed=1), draw(2, keys, 1, 3)),
            expected=lambda q, k, v, queries=queries, keys=keys: _attend_with_and_without_scores(
                attend(q[:, :, 0], k[:, :, 0], v[:, :, 0], 1, mask=np.tri(queries, keys, dtype=bool))
            ),
            tolerance=SUM,
        )
        for queries, keys in ((3, 5), (5, 3))
    ],
    *[
        check_function(
            f"scaled_dot_product_attention.mask_of_{mask.ndim}_axes",
            ("numpy: what has fewer axes broadcasts",),
            lambda q, k, v, bias, mask: (
                ops.scaled_dot_product_attention(q, k, v, bias, mask)[0][:, :, 0, ...],
                ops.scaled_dot_product_attention(q, k, v, None, mask, return_scores=False)[:, :, 0, ...],
            ),
            *(draw(2, 3, 1, 4), draw(2, 5, 1, 4, seed=1), draw(2, 5, 1, 3), np.array(0.5), mask),
            expected=lambda q, k, v, bias, mask: (attend(q[:, :, 0], k[:, :, 0], v[:, :, 0], 1, mask=mask)[0],) * 2,
            tolerance=SUM,
        )
        for mask in (np.array(True), np.array([True, False, True, True, False]))
    ],
    check_function(
        "scaled_dot_product_attention.groups",
        ("luxlib: heads of keys and values are repeated, each next to itself",),
        lambda q, k, v: ops.scaled_dot_product_attention(q, k, v, scale=1.5)[0],
        *(draw(2, 3, 4, 2), draw(2, 5, 2, 2, seed=1), draw(2, 5, 2, 3)),
        expected=lambda q, k, v: np.stack(
            [
                attend(q[:, :, h] * (math.sqrt(2) / 1.5), k[:, :, h // 2], v[:, :, h // 2], 1)[0]
                for h in range(q.shape[2])
            ],
            2,
        ),
        tolerance=SUM,
    ),
    *[
        check_error(
            f"scaled_dot_product_attention.{name}",
            ("luxlib: scaled_dot_product_attention asserts it",),
            lambda shapes=shapes, options=options: ops.scaled_dot_product_attention(
                *(np.ones(shapes[0]), np.ones(shapes[1]), np.ones(shapes[2])),
                *(None, np.ones(shapes[3], bool) if len(shapes) > 3 else None),
                **options,
            ),
            message=message,
        )
        for name, shapes, options, message in _REFUSED
    ],
    check_function(
        "make_causal_mask.values",
        ("nnlib: make_causal_mask is true for i <= j, keys first",),
        lambda x: ops.make_causal_mask(x),
        draw(2, 3, 4),
        expected=CAUSAL,
    ),
]


def _attend_with_and_without_scores(both: Any) -> Any:
    y, scores = both
    return (y[:, :, None], scores), y[:, :, None]
