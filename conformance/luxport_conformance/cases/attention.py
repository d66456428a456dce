"""Cases of attention: NNlib's and Flux's numbers, and the formula written out in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import LayerError, MultiHeadAttention, ops
from luxport_conformance.case import Case, Property, Shape
from luxport_conformance.cases.declare import at, computation, draw, fails, function, gradient
from luxport_conformance.compare import Tolerance

OPS, LAYER = "nnlib:attention.jl", "flux:layers/attention.jl"
KEY, COUNTER = np.array([3, 4], np.int32), np.array(0, np.int32)
SUM = Tolerance(reduction=60)
DIFFERENCES = Tolerance(
    reduction=200, rounding=1e-8, reason="wanted by four-point differences with an error of about 1e-10"
)


def attended(q: Any, k: Any, v: Any, nheads: int, bias: Any = 0.0, mask: Any = True) -> tuple[Any, Any]:
    """Attend head after head: the formula on matrices, features cut into heads; queries that see nothing get 0."""
    parts, weights = [], []
    for head in range(nheads):
        cut = [x[..., head * x.shape[-1] // nheads : (head + 1) * x.shape[-1] // nheads] for x in (q, k, v)]
        logits = cut[0] @ np.swapaxes(cut[1], -1, -2) / math.sqrt(cut[0].shape[-1])
        powers = np.where(_of_head(mask, head), np.exp(logits + _of_head(bias, head)), 0.0)
        total = powers.sum(-1, keepdims=True)
        scores = powers / np.where(total == 0, 1.0, total)
        parts.append(scores @ cut[2])
        weights.append(scores)
    return np.concatenate(parts, -1), np.stack(weights, -3)


def _of_head(x: Any, head: int) -> Any:
    x = np.asarray(x)
    return x if x.ndim < 3 else x[..., min(head, x.shape[-3] - 1), :, :]


def _slopes(f: Callable[..., Any], arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """Differentiate a scalar by four-point differences, entry by entry."""

    def slope(which: int, entry: tuple[int, ...]) -> float:
        def moved(step: int) -> Any:
            changed = [np.array(array) for array in arrays]
            changed[which][entry] += step * 1e-3
            return f(*changed)

        return (8 * (moved(1) - moved(-1)) - (moved(2) - moved(-2))) / 12e-3

    return tuple([np.array([slope(i, e) for e in np.ndindex(x.shape)]).reshape(x.shape) for i, x in enumerate(arrays)])


def _sizes(batch: tuple[int, ...], nheads: int, lines: tuple[int, ...]) -> Case:
    return function(
        f"dot_product_attention.batch_{'_'.join(map(str, batch)) or 'none'}_heads_{nheads}",
        at(OPS, *lines),
        "dot_product_attention",
        lambda q, k, v: ops.dot_product_attention(q, k, v, nheads=nheads),
        *(draw(*batch, 3, 15), draw(*batch, 4, 15, seed=1), draw(*batch, 4, 15, seed=2)),
        expected=lambda q, k, v: attended(q, k, v, nheads),
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


def _positive(mask: Any) -> Property:
    return Property("scores above 0 where the mask is true, and there alone", lambda y: ((y > 0) == mask).all())


def _sum(y: Any) -> Any:
    xp = luxport.namespace(y)
    return xp.sum(y * xp.astype(xp.reshape(xp.arange(math.prod(y.shape)), y.shape), y.dtype))


def _sum_on_host(y: Any) -> Any:
    return np.sum(y * np.arange(y.size).reshape(y.shape))


# --- the layer ---

Q, K, V = draw(5, 3, 4), draw(5, 3, 4, seed=1), draw(5, 3, 4, seed=2)


def by_hand(layer: MultiHeadAttention, ps: Any, q: Any, k: Any, v: Any, **options: Any) -> tuple[Any, Any]:
    """Project, attend, project."""
    q, k, v = (x @ ps[name]["weight"] for x, name in ((q, "q_proj"), (k, "k_proj"), (v, "v_proj")))
    y, scores = attended(q, k, v, layer.nheads, **options)
    return y @ ps["out_proj"]["weight"], scores


def _layer(
    id: str,
    lines: tuple[int, ...],
    layer: MultiHeadAttention,
    arrays: tuple[Any, ...],
    *,
    call: Callable[..., Any] = lambda *arrays: arrays,
    expected: Any = None,
    source: tuple[str, ...] = (),
) -> Case:
    ps, st = luxport.setup(0, layer, backend="numpy")
    st = luxport.test_mode(st)
    return computation(
        f"multi_head_attention.{id}",
        source or at(LAYER, *lines),
        "MultiHeadAttention",
        lambda ps, st, *arrays: layer(call(*arrays), ps, st)[0],
        {"ps": ps, "st": st, **{f"x{i}": array for i, array in enumerate(arrays)}},
        expected=expected or (lambda ps, st, q, k, v: by_hand(layer, ps, q, k, v)),
        tolerance=SUM,
    )


def _layer_gradient() -> Case:
    layer = MultiHeadAttention(4, nheads=2)
    ps, st = luxport.setup(0, layer, backend="numpy")
    names = ("q_proj", "k_proj", "v_proj", "out_proj")

    def loss(q: Any, *weights: Any) -> Any:
        given = {"attention_dropout": {}} | {
            name: {"weight": weight} for name, weight in zip(names, weights, strict=True)
        }
        (y, scores), _ = layer(q, given, st)
        xp = luxport.namespace(q)
        return xp.sum(y * y) + xp.sum(scores * scores)

    def on_host(q: Any, *weights: Any) -> Any:
        given = {name: {"weight": weight} for name, weight in zip(names, weights, strict=True)}
        y, scores = by_hand(layer, given, q, q, q)
        return np.sum(y * y) + np.sum(scores * scores)

    return gradient(
        "multi_head_attention.gradient",
        at(LAYER, 61),
        "MultiHeadAttention",
        loss,
        {"q": Q[:2], **{name: ps[name]["weight"] for name in names}},
        expected=lambda *arrays: _slopes(on_host, arrays),
        wrt=(0, 1, 2, 3, 4),
        tolerance=DIFFERENCES,
    )


_REFUSED: tuple[tuple[str, Any, dict[str, Any], str], ...] = (
    ("other_batch", ((2, 3, 1, 4), (3, 3, 1, 4), (3, 3, 1, 4)), {}, "with one batch"),
    ("other_features", ((2, 3, 1, 4), (2, 3, 1, 5), (2, 3, 1, 5)), {}, "as many features, got 4 and 5"),
    ("other_length", ((2, 3, 1, 4), (2, 3, 1, 4), (2, 4, 1, 4)), {}, "a value for each key"),
    ("other_heads", ((2, 3, 3, 4), (2, 3, 2, 4), (2, 3, 2, 4)), {}, "heads of keys that divide those of"),
    ("two_masks", ((2, 3, 1, 4),) * 3 + ((3, 3),), {"is_causal": True}, "a mask or is_causal, got both"),
)

TWO_HEADS = MultiHeadAttention(4, nheads=2)

CASES: list[Case] = [
    *[_sizes(batch, nheads, (10, 11, 12, 13)) for batch, nheads in (((), 1), ((1,), 3), ((2,), 5), ((3, 1, 2), 3))],
    function(
        "dot_product_attention_scores.heads_apart",
        at(OPS, 22),
        "dot_product_attention_scores",
        lambda x: ops.dot_product_attention_scores(x, x),
        np.arange(1.0, 25.0).reshape(1, 3, 2, 4) / 24,
        expected=lambda x: attended(x.reshape(1, 3, 8), x.reshape(1, 3, 8), x.reshape(1, 3, 8), 2)[1],
    ),
    function(
        "dot_product_attention.numbers",
        at(OPS, 32, 33),
        "dot_product_attention",
        lambda x: ops.dot_product_attention(x, x, x, nheads=2),
        COUNTED,
        expected=(COUNTED_Y, COUNTED_SCORES),
        tolerance=SIX_DIGITS,
    ),
    function(
        "dot_product_attention_scores.mask",
        at(OPS, 42, 43),
        "dot_product_attention_scores",
        lambda q, k, mask: ops.dot_product_attention_scores(q, k, None, mask),
        *(draw(1, 3, 2, 4), draw(1, 5, 2, 4, seed=1), MASK),
        expected=_positive(MASK),
    ),
    function(
        "dot_product_attention_scores.causal_mask",
        at(OPS, 49, 50),
        "dot_product_attention_scores",
        lambda x: ops.dot_product_attention_scores(x, x, None, ops.make_causal_mask(x, axis=-3)),
        draw(1, 3, 2, 4),
        expected=_positive(CAUSAL),
    ),
    function(
        "dot_product_attention.dropout",
        at(OPS, 58),
        "dot_product_attention",
        lambda x, key, counter: ops.dot_product_attention(
            x, x, x, nheads=2, dropout=lambda scores: ops.dropout(scores, key, counter, p=0.5)
        )[1],
        *(draw(10, 10, 10), KEY, COUNTER),
        expected=Property("about half of the scores above 0", lambda y: 0.4 < np.mean(y > 0) < 0.6),
    ),
    function(
        "dot_product_attention.bias",
        at(OPS, 66, 67),
        "dot_product_attention",
        lambda q, k, v, bias: ops.dot_product_attention(q, k, v, bias, nheads=2),
        *(draw(1, 5, 4), draw(1, 3, 4, seed=1), draw(1, 3, 4, seed=2), draw(5, 3)),
        expected=lambda q, k, v, bias: attended(q, k, v, 2, bias),
        tolerance=SUM,
    ),
    gradient(
        "dot_product_attention.gradient",
        at(OPS, 75),
        "dot_product_attention",
        lambda q, k, v, bias: _sum(ops.dot_product_attention(q, k, v, bias, nheads=2)[0]),
        {"q": draw(1, 5, 4), "k": draw(1, 3, 4, seed=1), "v": draw(1, 3, 4, seed=2), "bias": draw(5, 3)},
        expected=lambda *arrays: _slopes(lambda q, k, v, b: _sum_on_host(attended(q, k, v, 2, b)[0]), arrays),
        wrt=(0, 1, 2, 3),
        tolerance=DIFFERENCES,
    ),
    function(
        "scaled_dot_product_attention.blind",
        ("torch: scaled_dot_product_attention gives 0 to a query that sees no key",),
        "scaled_dot_product_attention",
        lambda q, k, v, mask: (
            ops.dot_product_attention(q, k, v, None, mask, nheads=2),
            ops.dot_product_attention(q, k, v, luxport.namespace(q).where(mask, 0.0 * q[0, :, :1], -math.inf))[0],
        ),
        *(draw(2, 3, 4), draw(2, 4, 4, seed=1), draw(2, 4, 6), BLIND),
        expected=lambda q, k, v, mask: (attended(q, k, v, 2, mask=mask), attended(q, k, v, 1, mask=mask)[0]),
        tolerance=SUM,
    ),
    gradient(
        "scaled_dot_product_attention.gradient_blind",
        ("luxport: a query that sees no key has a gradient of 0",),
        "scaled_dot_product_attention",
        lambda q, k, v, mask: _sum(ops.dot_product_attention(q, k, v, None, mask)[0]),
        {"q": draw(1, 3, 2), "k": draw(1, 4, 2, seed=1), "v": draw(1, 4, 2), "mask": BLIND},
        expected=lambda q, k, v, mask: _slopes(
            lambda q, k, v: _sum_on_host(attended(q, k, v, 1, mask=mask)[0]), (q, k, v)
        ),
        wrt=(0, 1, 2),
        tolerance=DIFFERENCES,
    ),
    *[
        function(
            f"scaled_dot_product_attention.causal_{queries}_{keys}",
            ("luxlib: the causal mask lets query i see the keys up to i, whatever the lengths",),
            "scaled_dot_product_attention",
            lambda q, k, v: (
                ops.scaled_dot_product_attention(q, k, v, is_causal=True),
                ops.scaled_dot_product_attention(q, k, v, is_causal=True, return_scores=False),
            ),
            *(draw(2, queries, 1, 4), draw(2, keys, 1, 4, seed=1), draw(2, keys, 1, 3)),
            expected=lambda q, k, v, queries=queries, keys=keys: _with_and_without_scores(
                attended(q[:, :, 0], k[:, :, 0], v[:, :, 0], 1, mask=np.tri(queries, keys, dtype=bool))
            ),
            tolerance=SUM,
        )
        for queries, keys in ((3, 5), (5, 3))
    ],
    function(
        "scaled_dot_product_attention.groups",
        ("luxlib: heads of keys and values are repeated, each next to itself",),
        "scaled_dot_product_attention",
        lambda q, k, v: ops.scaled_dot_product_attention(q, k, v, scale=1.5)[0],
        *(draw(2, 3, 4, 2), draw(2, 5, 2, 2, seed=1), draw(2, 5, 2, 3)),
        expected=lambda q, k, v: np.stack(
            [
                attended(q[:, :, h] * (math.sqrt(2) / 1.5), k[:, :, h // 2], v[:, :, h // 2], 1)[0]
                for h in range(q.shape[2])
            ],
            2,
        ),
        tolerance=SUM,
    ),
    *[
        fails(
            f"scaled_dot_product_attention.{name}",
            ("luxlib: scaled_dot_product_attention asserts it",),
            lambda shapes=shapes, options=options: ops.scaled_dot_product_attention(
                *(np.ones(shapes[0]), np.ones(shapes[1]), np.ones(shapes[2])),
                *(None, np.ones(shapes[3], bool) if len(shapes) > 3 else None),
                **options,
            ),
            subject="scaled_dot_product_attention",
            message=message,
        )
        for name, shapes, options, message in _REFUSED
    ],
    function(
        "make_causal_mask.values",
        ("nnlib: make_causal_mask is true for i <= j, keys first",),
        "make_causal_mask",
        lambda x: ops.make_causal_mask(x),
        draw(2, 3, 4),
        expected=CAUSAL,
    ),
    _layer("three_arrays", (11, 12, 13, 14), TWO_HEADS, (Q, K, V)),
    _layer(
        "one_array",
        (19, 20),
        TWO_HEADS,
        (Q,),
        call=lambda q: q,
        expected=lambda ps, st, q: by_hand(TWO_HEADS, ps, q, q, q),
    ),
    _layer("two_arrays", (26, 27), TWO_HEADS, (Q, K), expected=lambda ps, st, q, k: by_hand(TWO_HEADS, ps, q, k, k)),
    _layer(
        "other_sizes",
        (35,),
        MultiHeadAttention(4, 10, 5, nheads=2),
        (Q, K, V),
        expected=(Shape(5, 3, 5), Shape(5, 2, 3, 3)),
    ),
    _layer(
        "mask",
        (41, 42),
        TWO_HEADS,
        (Q,),
        call=lambda q: (q, q, q, ops.make_causal_mask(q)),
        expected=lambda ps, st, q: by_hand(TWO_HEADS, ps, q, q, q, mask=CAUSAL),
    ),
    _layer(
        "infinite_bias",
        (52, 53),
        TWO_HEADS,
        (Q, K, V, np.where(CAUSAL, math.inf, 0.0)),
        call=lambda q, k, v, bias: (q, k, v, None, bias),
        expected=(Shape(5, 3, 4), np.broadcast_to(CAUSAL / CAUSAL.sum(1, keepdims=True), (5, 2, 3, 3))),
    ),
    _layer_gradient(),
    _layer(
        "no_batch",
        (),
        TWO_HEADS,
        (Q[0], K[0], V[0]),
        source=("nnlib: attention.jl:5 takes arrays without a batch",),
    ),
    fails(
        "multi_head_attention.heads",
        ("lux: widths that nheads does not divide are an error",),
        lambda: MultiHeadAttention(6, nheads=4),
        subject="MultiHeadAttention",
        raises=ValueError,
        message="expects nheads that divides 6 and 6, got 4",
    ),
    fails(
        "multi_head_attention.tuple",
        ("lux: the input is one of its forms",),
        lambda: TWO_HEADS((Q,), *luxport.setup(0, TWO_HEADS, backend="numpy")),
        subject="MultiHeadAttention",
        raises=LayerError,
        message=r"MultiHeadAttention expects x, \(q, kv\).*, got 1 arrays",
    ),
]


def _with_and_without_scores(both: Any) -> Any:
    y, scores = both
    return (y[:, :, None], scores), y[:, :, None]
