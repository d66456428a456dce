"""Port PyTorch's MultiheadAttention, including all masks and options of its call."""

from __future__ import annotations

from typing import Any

import luxport
from luxport import ops
from luxport.backend import Array, dtype_name, namespace
from luxport.core.containers import ContainerLayer
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.ops._attention import join_heads, split_heads
from luxport.porting.torch.arrays import Ported, copy_to_host
from luxport.porting.torch.conventions import split_attention_weights, swap_dense_weight
from luxport.random import Rng
from luxport.tree.static import Static

__all__ = ["TorchAttention", "port_attention"]


class TorchAttention(ContainerLayer):
    """A `MultiHeadAttention` with the arguments and results of PyTorch's MultiheadAttention.

    The input is ``(query, key, value, key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal)``;
    trailing entries may be omitted. As in PyTorch, a boolean mask is true where attention is not allowed, and a
    floating mask is added to the scores.

    Args:
        attention: the `MultiHeadAttention` that computes
        time_first: whether arrays are (L, N, E), PyTorch's ``batch_first=False``
        own_key: whether a trained key and value are appended, PyTorch's ``add_bias_kv``
        zero_key: whether a key and value of zeros are appended, PyTorch's ``add_zero_attn``
        with_scores: whether the attention scores are returned as well

    Shapes: arrays (N, L, E), (L, N, E) if `time_first`, or (L, E) -> y, or (y, scores) if `with_scores`
    Params: attention: those of the `MultiHeadAttention`; with `own_key` bias_k and bias_v (1, 1, E)
    State:  attention: that of the `MultiHeadAttention`
    """

    attention: Any
    time_first: bool = False
    own_key: bool = False
    zero_key: bool = False
    with_scores: bool = False

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw those of the attention; the appended key and value are zeros."""
        size = self.attention.q_proj.out_dims
        own = {name: luxport.initializers.zeros(rng, (1, 1, size)) for name in ("bias_k", "bias_v")}
        return {"attention": self.attention.initial_parameters(rng), **(own if self.own_key else {})}

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Project the input, append keys and values, attend, and project the result."""
        x = x if isinstance(x, tuple) else (x, x, x)
        query, key, value, hidden, wanted, mask, average, causal = (*x, *_DEFAULTS[len(x) :])
        layer, inner, states = self.attention, ps["attention"], st["attention"]
        single = len(query.shape) == 2
        if single:
            query, key, value = (part[None, ...] for part in (query, key, value))
            hidden = None if hidden is None else hidden[None, ...]
        elif self.time_first:
            query, key, value = (_swap_batch_and_time(part) for part in (query, key, value))
        new = dict(states)
        query, new["q_proj"] = layer.q_proj(query, inner["q_proj"], states["q_proj"])
        key, new["k_proj"] = layer.k_proj(key, inner["k_proj"], states["k_proj"])
        value, new["v_proj"] = layer.v_proj(value, inner["v_proj"], states["v_proj"])
        bias, seen = make_masks(hidden, mask, layer.nheads)
        if mask is None and causal:
            raise ValueError("is_causal=True needs an attn_mask, as in PyTorch")
        key, value, bias, seen = self._add_keys(key, value, bias, seen, ps)
        xp = namespace(query)

        def drop(scores: Array) -> Array:
            name = "attention_dropout"
            scores, new[name] = layer.attention_dropout(scores, inner[name], states[name])
            return scores

        training = states["attention_dropout"].get("training")
        heads = [split_heads(xp, part, layer.nheads) for part in (query, key, value)]
        found = ops.scaled_dot_product_attention(
            *(heads[0], heads[1], heads[2], bias, seen),
            dropout=drop if training else ops.identity,
            return_scores=self.with_scores and wanted,
        )
        y, scores = found if self.with_scores and wanted else (found, None)
        y, new["out_proj"] = layer.out_proj(join_heads(xp, y), inner["out_proj"], states["out_proj"])
        if scores is not None and average:
            scores = xp.mean(scores, axis=1)
        if single:
            y, scores = y[0, ...], None if scores is None else scores[0, ...]
        elif self.time_first:
            y = _swap_batch_and_time(y)
        return ((y, scores) if self.with_scores else y), {**st, "attention": new}

    def _add_keys(self, key: Array, value: Array, bias: Any, seen: Any, ps: Parameters) -> tuple[Any, ...]:
        """Append the trained key and value and those of zeros, to which every query may attend."""
        xp = namespace(key)
        if self.own_key:
            ones = xp.ones_like(key[:, :1, :1])
            key = xp.concat([key, ones * ps["bias_k"]], axis=1)
            value = xp.concat([value, xp.ones_like(value[:, :1, :1]) * ps["bias_v"]], axis=1)
        if self.zero_key:
            key, value = (xp.concat([part, xp.zeros_like(part[:, :1, :])], axis=1) for part in (key, value))
        more = self.own_key + self.zero_key
        if more and bias is not None:
            bias = xp.concat([bias, *[xp.zeros_like(bias[..., :1])] * more], axis=-1)
        if more and seen is not None:
            seen = xp.concat([seen, *[xp.ones_like(seen[..., :1])] * more], axis=-1)
        return key, value, bias, seen


_DEFAULTS: tuple[Any, ...] = (None, None, None, None, True, None, True, False)


def _swap_batch_and_time(x: Array) -> Array:
    return namespace(x).permute_dims(x, (1, 0, 2))


def make_masks(hidden: Any, mask: Any, nheads: int) -> tuple[Any, Any]:
    """Return the array that is added to the scores, and a mask that is true where attention is allowed."""
    bias, seen = None, None
    if mask is not None and len(mask.shape) == 3:
        xp = namespace(mask)
        mask = xp.reshape(mask, (-1, nheads, *mask.shape[1:]))
    if hidden is not None:
        hidden = hidden[:, None, None, :]
    for part in (mask, hidden):
        if part is None:
            continue
        xp = namespace(part)
        if dtype_name(part) == "bool":
            here = xp.logical_not(part)
            seen = here if seen is None else xp.logical_and(seen, here)
        else:
            bias = part if bias is None else bias + part
    if bias is not None:  # -inf becomes part of the mask, since its gradient would be NaN
        xp = namespace(bias)
        shut = bias == -float("inf")
        bias = xp.where(shut, xp.zeros_like(bias), bias)
        here = xp.logical_not(shut)
        seen = here if seen is None else xp.logical_and(seen, here)
    return bias, seen


def port_attention(module: Any, in_graph: bool) -> Ported:
    """Return a MultiheadAttention; it returns its output only, or, in a graph, (y, scores) as PyTorch does."""
    size, bias = module.embed_dim, module.in_proj_bias is not None
    layer: Layer = luxport.MultiHeadAttention(
        (size, module.kdim, module.vdim),
        size,
        size,
        nheads=module.num_heads,
        attention_dropout_probability=float(module.dropout),
        return_scores=False,
        use_bias=bias,
    )
    if module.in_proj_weight is not None:
        weights = split_attention_weights(copy_to_host(module.in_proj_weight))
    else:
        weights = tuple([copy_to_host(getattr(module, f"{part}_proj_weight")) for part in "qkv"])
    ps: dict[str, Any] = {
        f"{part}_proj": {"weight": swap_dense_weight(w)} for part, w in zip("qkv", weights, strict=True)
    }
    ps["out_proj"] = {"weight": swap_dense_weight(copy_to_host(module.out_proj.weight))}
    if bias:
        for part, values in zip("qkv", split_attention_weights(copy_to_host(module.in_proj_bias)), strict=True):
            ps[f"{part}_proj"]["bias"] = values
        ps["out_proj"]["bias"] = copy_to_host(module.out_proj.bias)
    st = {"attention_dropout": {"training": Static(bool(module.training))}} if module.dropout else {}
    own, zero = module.bias_k is not None, module.add_zero_attn
    if not in_graph and module.batch_first and not own and not zero:
        return layer, ps, st
    named = {"attention": ps} | ({n: copy_to_host(getattr(module, n)) for n in ("bias_k", "bias_v")} if own else {})
    return (
        TorchAttention(layer, not module.batch_first, own, zero, with_scores=in_graph),
        named,
        {"attention": st},
    )
