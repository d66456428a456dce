"""Port Keras's attention layers: MultiHeadAttention, Attention and AdditiveAttention."""

from __future__ import annotations

from typing import Any

import luxport
from luxport import ops
from luxport.backend import Array, find_array_device, namespace
from luxport.core.containers import WrapperLayer
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.initializers import ones
from luxport.porting.keras.conventions import (
    convert_attention_bias,
    convert_attention_out_weight,
    convert_attention_weight,
)
from luxport.porting.keras.steps import Step, collect_arrays, copy_to_host
from luxport.random import Rng
from luxport.tree.static import Static

__all__ = ["port_attention", "port_scored_attention"]


class KerasAttention(WrapperLayer):
    """A `MultiHeadAttention` with Keras's arguments: ``(query, value, key, attention_mask, use_causal_mask)``.

    Shapes: query (N, q, E), value and key (N, k, E), where a key of None means the value -> (N, q, out)
    """

    layer: Any

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the layer with the arguments in luxport's order."""
        given: tuple[Any, ...] = x if isinstance(x, tuple) else (x, x)
        missing: tuple[Any, ...] = (None, None, False)
        query, value, key, mask, causal = (*given, *missing[len(given) - 2 :])
        key = value if key is None else key
        if mask is not None:
            xp = namespace(mask)
            mask = xp.astype(mask, xp.bool)
            mask = mask[:, None, ...] if len(mask.shape) == 3 else mask
        if causal:
            seen = make_causal_mask(query, key)
            mask = seen if mask is None else namespace(mask).logical_and(mask, seen)
        y, new_st = self.layer((query, key, value, mask), ps, st)
        if mask is None or self.layer.attention_dropout_probability or mask.shape[1] != 1:
            return y, new_st
        # Without dropout, Keras returns the mean over all keys for a query whose keys are all masked.
        xp = namespace(mask, y)
        values, _ = self.layer.v_proj(value, ps["v_proj"], st["v_proj"])
        alike, _ = self.layer.out_proj(xp.mean(values, axis=1, keepdims=True), ps["out_proj"], st["out_proj"])
        return xp.where(xp.any(mask, axis=-1)[:, 0, :, None], y, alike), new_st


def make_causal_mask(query: Array, key: Array) -> Array:
    """Return a mask (q, k) that is true where a key is not later than the query."""
    xp = namespace(query)
    rows, columns = (xp.arange(part.shape[1], dtype=xp.int32, device=find_array_device(query)) for part in (query, key))
    return rows[:, None] >= columns[None, :]


def port_attention(layer: Any) -> Step:
    """Return a MultiHeadAttention that attends along one axis."""
    if layer._attention_axes not in (None, (1,), [1]):
        raise ValueError(f"it has attention_axes={layer._attention_axes}")
    parts = {
        "q_proj": layer._query_dense,
        "k_proj": layer._key_dense,
        "v_proj": layer._value_dense,
        "out_proj": layer._output_dense,
    }
    ps: dict[str, Any] = {}
    for name, dense in parts.items():
        found = collect_arrays(dense, weight="kernel", bias="bias")
        convert = convert_attention_out_weight if name == "out_proj" else convert_attention_weight
        ps[name] = {"weight": convert(found["weight"])}
        if "bias" in found:
            ps[name]["bias"] = found["bias"] if name == "out_proj" else convert_attention_bias(found["bias"])
    shapes = {name: part["weight"].shape for name, part in ps.items()}
    whole = luxport.MultiHeadAttention(
        (shapes["q_proj"][0], shapes["k_proj"][0], shapes["v_proj"][0]),
        (shapes["q_proj"][1], shapes["v_proj"][1]),
        shapes["out_proj"][1],
        nheads=layer.num_heads,
        attention_dropout_probability=float(layer.dropout),
        return_scores=False,
        use_bias="bias" in ps["q_proj"],
    )
    st = {"attention_dropout": {"training": Static(False)}} if layer.dropout else {}
    return Step(KerasAttention(whole), ps, st, layout="keras")


class ScoredAttention(Layer):
    """Keras's Attention and AdditiveAttention: ``softmax(scores) @ value``, with scores of queries and keys.

    The input is ``(query, value)`` or ``(query, value, key, query_mask, value_mask, causal, return_scores)``, where
    the entries after value may be None.

    Args:
        scores: "dot" for products of query and key, "concat" for sums of ``tanh(query + key)``
        scale: the shape of the weight `scale`: () or (dims,), or None for no such weight
        weighted: whether "concat" scores are multiplied by another trained weight
        dropout: the probability with which an entry of the softmax is dropped in training

    Shapes: query (N, q, dims), value (N, v, out), key (N, v, dims) -> (N, q, out)
    """

    scores: str
    scale: tuple[int, ...] | None
    weighted: bool = False
    dropout: float = 0.0

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Return ones."""
        ps = {} if self.scale is None else {"scale": ones(rng, self.scale)}
        return ps | ({"score_weight": ones(rng, ())} if self.weighted else {})

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Return those of the dropout."""
        return luxport.Dropout(self.dropout).initial_states(rng)

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Return the weighted means of the values."""
        query, value, key, query_mask, value_mask, causal, return_scores = (*x, *[None] * (7 - len(x)))
        key = value if key is None else key
        xp = namespace(query)
        scores = self._compute_scores(xp, query, key, ps)
        mask = None if value_mask is None else value_mask[:, None, :]
        if causal:
            seen = make_causal_mask(query, key)[None, ...]
            mask = seen if mask is None else xp.logical_and(mask, seen)
        if mask is not None:
            scores = xp.where(mask, scores, scores - (65504.0 if scores.dtype == xp.float16 else 1e9))
        weights, st = luxport.Dropout(self.dropout)(ops.softmax(scores), {}, st)
        y = xp.matmul(weights, value)
        if query_mask is not None:
            y = xp.where(query_mask[:, :, None], y, xp.zeros_like(y))
        return ((y, weights) if return_scores else y), st

    def _compute_scores(self, xp: Any, query: Array, key: Array, ps: Parameters) -> Array:
        if self.scores == "dot":
            scores = xp.matmul(query, xp.matrix_transpose(key))
            return scores if self.scale is None else scores * ps["scale"]
        pairs = query[:, :, None, :] + key[:, None, :, :]
        if not self.weighted:
            return xp.sum(xp.tanh(pairs) * (1.0 if self.scale is None else ps["scale"]), axis=-1)
        return ps["score_weight"] * xp.sum(xp.tanh(pairs if self.scale is None else ps["scale"] * pairs), axis=-1)


def port_scored_attention(layer: Any) -> Step:
    """Return an Attention or an AdditiveAttention."""
    additive = type(layer).__name__ == "AdditiveAttention"
    ps = {} if layer.scale is None else {"scale": copy_to_host(layer.scale)}
    if not additive and layer.concat_score_weight is not None:
        ps["score_weight"] = copy_to_host(layer.concat_score_weight)
    scale = tuple(ps["scale"].shape) if "scale" in ps else None
    kind = "concat" if additive else layer.score_mode
    made = ScoredAttention(kind, scale, "score_weight" in ps, float(layer.dropout))
    return Step(made, ps, {"training": Static(False)} if layer.dropout else {}, layout="keras")
