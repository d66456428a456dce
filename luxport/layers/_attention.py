"""Attention: `MultiHeadAttention`."""

from __future__ import annotations

from dataclasses import KW_ONLY, field
from typing import Any

from luxport import ops
from luxport.backend import Array, namespace
from luxport.core.containers import ContainerLayer
from luxport.core.input_checks import check_sizes
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerError
from luxport.initializers import Initializer, glorot_uniform, zeros
from luxport.layers._dense import Dense
from luxport.layers._dropout import Dropout
from luxport.ops._attention import join_heads, split_heads
from luxport.ops._attention_masks import find_seen_keys
from luxport.text import show

__all__ = ["MultiHeadAttention"]


class MultiHeadAttention(ContainerLayer):
    """Multi-head attention, with projections of queries, keys, values and outputs.

    The output of a head with d features is ``softmax(q kᵀ / sqrt(d) + bias) v``; those of all heads are concatenated
    and projected by the last `Dense`.

    The input is x (as queries, keys and values), ``(q, kv)``, ``(q, k, v)``, ``(q, k, v, mask)`` or
    ``(q, k, v, mask, bias)``, where mask and bias may be None. A query sees the keys where the mask is true. The output
    of a query that sees no key is that of the last `Dense` for zeros.

    Args:
        in_dims: the size of the last axes of q, k and v: an int for all of them or a tuple of three
        qkv_dims: the sizes after projection, for all heads together: an int, or a pair (q and k, v); None for in_dims
        out_dims: the size of y's last axis; None for in_dims
        nheads: how many heads there are
        attention_dropout_probability: the probability with which a score is dropped, in training
        is_causal: whether a query sees only the keys that come no later than itself
        return_scores: whether the output is (y, scores), for which PyTorch cannot use its fused kernel
        use_bias: whether the four `Dense` add biases
        init_weight: draws their weights, see `luxport.initializers`
        init_bias: draws their biases

    Shapes: q (..., len_q, in_dims), k and v (..., len_kv, in_dims), mask and bias that broadcast to the scores ->
            y (..., len_q, out_dims), scores (..., nheads, len_q, len_kv); y alone if not ``return_scores``
    Params: q_proj, k_proj, v_proj, attention_dropout, out_proj: those of four `Dense` and a `Dropout`
    State:  the same five
    Raises: ValueError when built with sizes that are no ints of at least 0, or that nheads does not divide;
            LayerError for another tuple, or shapes that do not fit; LayerTypeError as `Dense`
    Source: Lux.jl ``MultiHeadAttention``; initial values as Flux's; A. Vaswani et al. (2017)

    >>> import numpy as np, luxport
    >>> model = MultiHeadAttention(64, nheads=8)
    >>> ps, st = luxport.setup(0, model)
    >>> q, kv = np.ones((32, 10, 64), np.float32), np.ones((32, 20, 64), np.float32)
    >>> (y, scores), st = model((q, kv), ps, st)
    >>> y.shape, scores.shape
    ((32, 10, 64), (32, 8, 10, 20))
    """

    in_dims: int | tuple[int, int, int]
    qkv_dims: int | tuple[int, int] | None = None
    out_dims: int | None = None
    _: KW_ONLY
    nheads: int = 1
    attention_dropout_probability: float = 0.0
    is_causal: bool = False
    return_scores: bool = True
    use_bias: bool = False
    init_weight: Initializer = glorot_uniform
    init_bias: Initializer = zeros
    q_proj: Layer = field(init=False)
    k_proj: Layer = field(init=False)
    v_proj: Layer = field(init=False)
    attention_dropout: Layer = field(init=False)
    out_proj: Layer = field(init=False)

    def __post_init__(self) -> None:
        q_in, k_in, v_in, qk, v, out = _find_sizes(self.in_dims, self.qkv_dims, self.out_dims)
        check_sizes("MultiHeadAttention", nheads=self.nheads, out_dims=out)
        if self.nheads == 0 or qk % self.nheads or v % self.nheads:
            raise ValueError(f"MultiHeadAttention expects nheads that divides {qk} and {v}, got {self.nheads}")

        def dense(n: int, m: int) -> Dense:
            return Dense(n, m, use_bias=self.use_bias, init_weight=self.init_weight, init_bias=self.init_bias)

        dropout = Dropout(self.attention_dropout_probability)
        for name, layer in (
            *(("q_proj", dense(q_in, qk)), ("k_proj", dense(k_in, qk)), ("v_proj", dense(v_in, v))),
            *(("attention_dropout", dropout), ("out_proj", dense(v, out))),
        ):
            object.__setattr__(self, name, layer)
        super().__post_init__()

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Project, attend, join the heads, project."""
        query, key, value, mask, bias = _read_inputs(x)
        new_st = dict(st)
        if mask is not None:
            key, value = _hide(key, value, mask)
        query, new_st["q_proj"] = self.q_proj(query, ps["q_proj"], st["q_proj"])
        key, new_st["k_proj"] = self.k_proj(key, ps["k_proj"], st["k_proj"])
        value, new_st["v_proj"] = self.v_proj(value, ps["v_proj"], st["v_proj"])

        def dropout(scores: Array) -> Array:
            scores, new_st["attention_dropout"] = self.attention_dropout(
                scores, ps["attention_dropout"], st["attention_dropout"]
            )
            return scores

        xp = namespace(query, key, value)
        query, key, value = (split_heads(xp, part, self.nheads) for part in (query, key, value))
        attended = ops.scaled_dot_product_attention(
            *(query, key, value, bias, mask),
            is_causal=self.is_causal,
            dropout=dropout if st["attention_dropout"].get("training") else ops.identity,
            return_scores=self.return_scores,
        )
        y, scores = attended if self.return_scores else (attended, None)
        y, new_st["out_proj"] = self.out_proj(join_heads(xp, y), ps["out_proj"], st["out_proj"])
        return ((y, scores) if self.return_scores else y), new_st


def _hide(key: Array, value: Array, mask: Array) -> tuple[Array, Array]:
    """Replace keys and values that no query sees by zeros: a NaN in them would reach the projections' gradients."""
    xp = namespace(key, mask)
    seen = xp.expand_dims(find_seen_keys(xp, mask), axis=-1)
    cleared = xp.where(seen, key, xp.zeros_like(key))
    return cleared, cleared if value is key else xp.where(seen, value, xp.zeros_like(value))


def _read_inputs(x: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Return query, key, value, mask and bias."""
    if not isinstance(x, (tuple, list)):
        return x, x, x, None, None
    if not 2 <= len(x) <= 5:
        raise LayerError(
            f"expects x, (q, kv), (q, k, v), (q, k, v, mask) or (q, k, v, mask, bias), got {len(x)} arrays"
        )
    if len(x) == 2:
        return x[0], x[1], x[1], None, None
    return tuple([*x, None, None][:5])  # type: ignore[return-value]


def _find_sizes(in_dims: Any, qkv_dims: Any, out_dims: Any) -> tuple[int, int, int, int, int, int]:
    """Return the sizes of q, k and v, of the projected q and k, of the projected v, and of the output."""
    if (qkv_dims is None or out_dims is None) and isinstance(in_dims, (tuple, list)):
        raise ValueError(f"MultiHeadAttention expects qkv_dims and out_dims with in_dims={tuple(in_dims)}, got none")
    inputs = _repeat("in_dims", in_dims, 3)
    inner = _repeat("qkv_dims", in_dims if qkv_dims is None else qkv_dims, 2)
    return (*inputs, *inner, in_dims if out_dims is None else out_dims)  # type: ignore[return-value]


def _repeat(name: str, sizes: Any, count: int) -> tuple[int, ...]:
    several = tuple(sizes) if isinstance(sizes, (tuple, list)) else (sizes,) * count
    if len(several) != count:
        raise ValueError(f"MultiHeadAttention expects an int or {count} ints as {name}, got {show(sizes)}")
    check_sizes("MultiHeadAttention", **{f"{name}[{i}]": size for i, size in enumerate(several)})
    return several
