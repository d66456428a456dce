"""Attention: averages of values, weighted by how similar each query and key are."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, TypeAlias

from luxport.backend import Array, dtype_name, is_casting, namespace
from luxport.backend.dtypes import expect_floating, run_wide
from luxport.backend.option_rules import FLAG, FUNCTION, allow_count, allow_none, allow_number
from luxport.errors import LayerError, LayerTypeError, shape_text
from luxport.ops._attention_masks import clear_hidden, expand_to_scores, find_earlier
from luxport.ops._operation import definition_of, operation
from luxport.ops._softmax import softmax
from luxport.ops.activations import identity
from luxport.ops.shapes import can_broadcast_to, is_number, read_sizes

__all__ = ["Dropping", "dot_product_attention", "dot_product_attention_scores", "scaled_dot_product_attention"]


Dropping: TypeAlias = Callable[[Array], Array]
"""A function applied to the scores after the softmax, such as dropout."""


_MORE = "bias (...)?, mask (...)?"


_DROPOUT = {"dropout": FUNCTION}


@operation(
    takes=f"query floating (...), key like query (...), value like query (...), {_MORE}",
    rules={
        **_DROPOUT,
        "scale": allow_none(allow_number("a number other than 0", lambda scale: scale == scale != 0)),
        "is_causal": FLAG,
        "return_scores": FLAG,
    },
)
@run_wide
def scaled_dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None = None,
    mask: Array | None = None,
    *,
    scale: float | None = None,
    is_causal: bool = False,
    token_axis: int = -3,
    dropout: Dropping = identity,
    return_scores: bool = True,
) -> Any:
    """Return ``scores @ value``, where ``scores = dropout(softmax(query @ key.T / scale + bias))``, and the scores.

    A score is 0 where the mask is false. If the mask hides all keys from a query, its scores and its result are 0.
    Several heads of the query may share a head of keys and values: head h uses the one at ``h // (heads / kv heads)``.

    If the scores are not returned, PyTorch runs its fused kernel, which has no second derivative by
    ``torch.autograd`` (nested transforms of `luxport` and `torch.func` work, without the kernel).

    Args:
        scale: a divisor of the products; None for the square root of the features of a head
        is_causal: whether a score is 0 where the key comes after the query, both counted from the first
        token_axis: -3 if the axis of heads comes after that of lengths, -2 if it comes before
        dropout: a function applied to the scores, such as dropout
        return_scores: whether the scores are returned too, and not the result alone

    Shapes: query (..., len_q, heads, features), key (..., len_kv, kv heads, features), value (..., len_kv, kv heads,
            out), mask (bool) and bias that broadcast to (..., heads, len_q, len_kv) -> (..., len_q, heads, out),
            (..., heads, len_q, len_kv); with ``token_axis=-2`` lengths and heads are exchanged in the first three
            and in the result
    Raises: LayerError if the shapes do not fit, or for both a mask and `is_causal`; ValueError for another token_axis
    Source: LuxLib ``scaled_dot_product_attention``; A. Vaswani et al., "Attention is all you need" (2017)

    >>> import numpy as np
    >>> x = np.ones((1, 2, 1, 4))
    >>> y, scores = scaled_dot_product_attention(x, x, x, is_causal=True)
    >>> scores
    array([[[[1. , 0. ],
             [0.5, 0.5]]]])
    """
    xp = namespace(query, key, value, bias, mask)
    if token_axis not in (-2, -3):
        raise ValueError(f"scaled_dot_product_attention expects -3 or -2 as token_axis, got {token_axis}")
    check_attention(query, key, value, mask, is_causal=is_causal, token_axis=token_axis, bias=bias)
    if token_axis == -3:
        query, key, value = (_swap_heads_and_tokens(xp, x) for x in (query, key, value))
    bias, mask = (expand_to_scores(xp, x, query, key) for x in (bias, mask))
    query, key, value = clear_hidden(xp, query, key, value, bias, mask)
    scores = dropout(_compute_scores(xp, query, key, bias, mask, scale, is_causal))
    y = _multiply_groups(xp, scores, value)
    if token_axis == -3:
        y = _swap_heads_and_tokens(xp, y)
    return (y, scores) if return_scores else y


attend: Callable[..., Any] = inspect.unwrap(definition_of(scaled_dot_product_attention))
"""The definition of `scaled_dot_product_attention` in the dtype of its arrays, half types included."""


@operation(
    takes=f"query floating (..., len_q, features), key like query (..., len_kv, features), "
    f"value like query (..., len_kv, out), {_MORE}",
    rules={**_DROPOUT, "nheads": allow_count(1)},
)
def dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None = None,
    mask: Array | None = None,
    *,
    nheads: int = 1,
    dropout: Dropping = identity,
) -> tuple[Array, Array]:
    """Split the features into heads, attend in each, and return the results of all heads joined, and the scores.

    Each head is a `scaled_dot_product_attention`.

    Args:
        nheads: how many heads there are
        dropout: a function applied to the scores, such as dropout

    Shapes: query (..., len_q, features), key (..., len_kv, features), value (..., len_kv, out), mask (bool) and bias
            that broadcast to (..., nheads, len_q, len_kv) -> (..., len_q, out), (..., nheads, len_q, len_kv)
    Raises: LayerError if the shapes do not fit, or nheads does not divide the features
    Source: NNlib ``dot_product_attention``

    >>> import numpy as np
    >>> q, k, v = np.ones((2, 20, 10)), np.ones((2, 30, 10)), np.ones((2, 30, 20))
    >>> y, scores = dot_product_attention(q, k, v, nheads=5)
    >>> y.shape, scores.shape
    ((2, 20, 20), (2, 5, 20, 30))
    """
    xp = namespace(query, key, value, bias, mask)
    query, key, value = (split_heads(xp, x, nheads) for x in (query, key, value))
    y, scores = scaled_dot_product_attention(query, key, value, bias, mask, dropout=dropout)
    return join_heads(xp, y), scores


@operation(takes=f"query floating (...), key like query (...), {_MORE}", rules=_DROPOUT)
@run_wide
def dot_product_attention_scores(
    query: Array, key: Array, bias: Array | None = None, mask: Array | None = None, *, dropout: Dropping = identity
) -> Array:
    """Return the scores of `scaled_dot_product_attention` alone.

    Args:
        dropout: a function applied to the scores, such as dropout

    Shapes: query (..., len_q, heads, features), key (..., len_kv, heads, features) -> (..., heads, len_q, len_kv)
    Raises: LayerError if the shapes do not fit
    Source: NNlib ``dot_product_attention_scores``
    """
    xp = namespace(query, key, bias, mask)
    check_attention(query, key, key, mask, is_causal=False, token_axis=-3, bias=bias)
    query, key = (_swap_heads_and_tokens(xp, x) for x in (query, key))
    bias, mask = (expand_to_scores(xp, x, query, key) for x in (bias, mask))
    query, key, _ = clear_hidden(xp, query, key, key, bias, mask)
    return dropout(_compute_scores(xp, query, key, bias, mask))


def check_attention(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    *,
    is_causal: bool,
    token_axis: int,
    bias: Array | None = None,
) -> None:
    """Expect one floating dtype and matching shapes; sizes that are unknown while a program is compiled match any.

    Raises: LayerError; LayerTypeError for a mask that is not boolean, or anything else that is not floating
    """
    if not query.dtype == key.dtype == value.dtype and not (is_casting(query, key) and is_casting(query, value)):
        got = ", ".join(map(dtype_name, (query, key, value)))
        raise LayerTypeError(f"expects queries, keys and values in one floating dtype, got {got}")
    q, k, v = tuple(query.shape), tuple(key.shape), tuple(value.shape)
    heads = -5 - token_axis
    if mask is None and bias is None and len(q) > 2 and q[heads] and q == k == v:  # the usual attention to itself
        expect_floating(query, "query")
        return
    if len(q) < 3 or not len(q) == len(k) == len(v):
        raise LayerError(f"expects three arrays of one rank, 3 or more, got {q}, {k} and {v}")
    if any(_differ(*sizes) for sizes in zip(q[:-3], k[:-3], v[:-3], strict=True)):
        raise LayerError(f"expects queries, keys and values with one batch, got {q}, {k} and {v}")
    if _differ(q[-1], k[-1]):
        raise LayerError(f"expects queries and keys with as many features, got {q[-1]} and {k[-1]}")
    if _differ(k[token_axis], v[token_axis]) or _differ(k[heads], v[heads]):
        raise LayerError(f"expects a value for each key, got keys {k} and values {v}")
    if q[heads] is not None and k[heads] is not None and (k[heads] == 0 or q[heads] % k[heads]):
        raise LayerError(f"expects heads of keys that divide those of queries, got {k[heads]} and {q[heads]}")
    if mask is not None and is_causal:
        raise LayerError("expects a mask or is_causal, got both: make_causal_mask(x) & mask is one mask")
    for name, x in (("query", query), ("key", key), ("value", value)):
        expect_floating(x, name)
    if mask is None and bias is None:
        return
    scores = (*q[:-3], q[heads], q[token_axis], k[token_axis])
    if mask is not None:
        if dtype_name(mask) != "bool":
            raise LayerTypeError(f"expects a mask of booleans, true where a key is seen, got {dtype_name(mask)}")
        _expect_to_broadcast("mask", mask, scores)
    if bias is not None:
        expect_floating(bias, "bias")
        _expect_to_broadcast("bias", bias, scores)


def _expect_to_broadcast(name: str, x: Array, scores: tuple[Any, ...]) -> None:
    """Expect a shape that broadcasts to that of the scores, without making it larger."""
    if not can_broadcast_to(x.shape, scores):
        wanted = ", ".join(["?" if n is None else f"{int(n)}" for n in scores])
        raise LayerError(f"expects a {name} that broadcasts to the scores ({wanted}), got {shape_text(x)}")


def split_heads(xp: Any, x: Array, nheads: int) -> Array:
    """Split the last axis into heads: (..., features) -> (..., nheads, features / nheads).

    Raises: LayerError if nheads does not divide the features
    """
    *leading, features = read_sizes(x)
    if is_number(features) and features % nheads:
        raise LayerError(f"expects features that {nheads} heads divide, got {features}")
    return xp.reshape(x, (*leading, nheads, features // nheads))


def join_heads(xp: Any, x: Array) -> Array:
    """Undo `split_heads`."""
    *leading, heads, features = read_sizes(x)
    return xp.reshape(x, (*leading, heads * features))


def _compute_scores(
    xp: Any,
    query: Array,
    key: Array,
    bias: Array | None,
    mask: Array | None,
    scale: float | None = None,
    is_causal: bool = False,
) -> Array:
    """Return the scores before dropout, for queries and keys (..., heads, length, features)."""
    divisor: Any = scale
    if scale is None:
        features = read_sizes(query)[-1]
        divisor = math.sqrt(features) if is_number(features) else xp.sqrt(xp.astype(features, query.dtype))
    logits = _multiply_groups(xp, query * (1.0 / divisor), xp.matrix_transpose(key))
    if is_causal:
        mask = find_earlier(xp, query, key, -2)
    if bias is not None:
        logits = logits + bias
        finite = bias > -math.inf
        mask = finite if mask is None else xp.logical_and(mask, finite)
    if mask is None or 0 in logits.shape:
        return softmax(logits)
    hidden = xp.full_like(logits[..., :1], -math.inf)
    if is_causal and bias is None:
        return softmax(xp.where(mask, logits, hidden))
    # The softmax of nothing but -inf would be NaN, and so would its gradient: such a row is computed from zeros.
    sees_any = xp.any(mask, axis=-1, keepdims=True)
    hidden = xp.where(sees_any, hidden, xp.zeros_like(hidden))
    return softmax(xp.where(mask, logits, hidden)) * xp.astype(sees_any, logits.dtype)


def _multiply_groups(xp: Any, x: Array, y: Array) -> Array:
    """Multiply (..., heads, n, k) by (..., kv heads, k, m), each matrix of which is shared by a group of heads."""
    if y.shape[-3] is not None and y.shape[-3] == x.shape[-3]:
        return xp.matmul(x, y)
    *leading, heads, n, k = read_sizes(x)
    fewer, m = read_sizes(y)[-3], read_sizes(y)[-1]
    x = xp.reshape(x, (*leading, fewer, heads // fewer * n, k))
    return xp.reshape(xp.matmul(x, y), (*leading, heads, n, m))


def _swap_heads_and_tokens(xp: Any, x: Array) -> Array:
    n = len(x.shape)
    return xp.permute_dims(x, (*range(n - 3), n - 2, n - 3, n - 1))


def _differ(*sizes: int | None) -> bool:
    known = [n for n in sizes if n is not None]  # not a set, whose hashes would ask for the values of symbols
    return any([n != known[0] for n in known[1:]])
