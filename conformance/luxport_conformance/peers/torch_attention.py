"""PyTorch's own attention and transformer layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport.porting.torch.conventions import convert_attention_weights_to_torch, swap_dense_weight
from luxport_conformance.peers.counterpart import Counterpart, NoCounterpartError
from luxport_conformance.peers.torch_tools import find_activation, find_module

__all__ = ["ATTENTION"]


def _convert_weights(ps: Any, prefix: str = "") -> dict[str, Any]:
    """Return the parameters of an attention layer in PyTorch's layout, by PyTorch's names."""
    parts = [ps[f"{name}_proj"] for name in "qkv"]
    found = {
        "in_proj_weight": convert_attention_weights_to_torch(*[swap_dense_weight(part["weight"]) for part in parts])
    }
    if "bias" in ps["out_proj"]:
        found["in_proj_bias"] = convert_attention_weights_to_torch(*[part["bias"] for part in parts])
        found["out_proj.bias"] = ps["out_proj"]["bias"]
    found["out_proj.weight"] = swap_dense_weight(ps["out_proj"]["weight"])
    return {prefix + name: value for name, value in found.items()}


def _build_attention(layer: Any, x: Any, st: Any) -> Counterpart:
    size = layer.out_proj.out_dims
    if {layer.q_proj.in_dims, layer.q_proj.out_dims, layer.v_proj.out_dims} != {size}:
        raise NoCounterpartError("has one size for queries, keys, values and output")
    if isinstance(x, tuple) and len(x) > 4:
        raise NoCounterpartError("is asked of inputs and a mask")
    import torch

    attention = find_module("MultiheadAttention")(size, layer.nheads, bias=layer.use_bias, batch_first=True)
    attention.eval()

    def call(x: Any, ps: Any) -> Any:
        query, key, value, *masks = x if isinstance(x, tuple) else (x, x, x)
        options = {
            "attn_mask": _find_hidden(layer, query, key, *masks),
            "average_attn_weights": False,
            "need_weights": layer.return_scores,
        }
        y, scores = torch.func.functional_call(attention, _convert_weights(ps), (query, key, value), options)
        return (y, scores) if layer.return_scores else y

    return Counterpart(call)


def _find_hidden(layer: Any, query: Any, key: Any, mask: Any = None) -> Any:
    """Return PyTorch's mask for each sample and head, true for hidden keys; None if no key is hidden."""
    import torch

    causal = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).triu(1) if layer.is_causal else None
    if mask is None:
        return causal
    hidden = ~mask if causal is None else ~mask | causal
    return hidden.expand(-1, layer.nheads, -1, -1).flatten(0, 1)


def _convert_norms_and_feed(layer: Any, ps: Any, norms: int) -> dict[str, Any]:
    found = {}
    for i in (1, 2):
        part = ps[f"dense_{i}"]
        found |= {f"linear{i}.weight": swap_dense_weight(part["weight"])}
        found |= {f"linear{i}.bias": part["bias"]} if "bias" in part else {}
    for i in range(1, norms + 1):
        part = ps[f"norm_{i}"]
        found |= {f"norm{i}.weight": part["scale"]}
        found |= {f"norm{i}.bias": part["bias"]} if "bias" in part else {}
    return found


def _make_module(name: str, layer: Any) -> Any:
    made = find_module(name)(
        *(layer.dims, layer.nheads, layer.hidden_dims, layer.dropout_probability),
        activation=find_activation(layer),
        layer_norm_eps=layer.epsilon,
        batch_first=True,
        norm_first=layer.norm_first,
        bias=layer.use_bias,
    )
    return made.eval()


def _build_encoder(layer: Any, x: Any, st: Any) -> Counterpart:
    import torch

    made = _make_module("TransformerEncoderLayer", layer)

    def call(x: Any, ps: Any) -> Any:
        x, *masks = x if isinstance(x, tuple) else (x,)
        weights = _convert_weights(ps["attention"], "self_attn.") | _convert_norms_and_feed(layer, ps, 2)
        return torch.func.functional_call(made, weights, (x,), {"src_mask": _find_hidden(layer, x, x, *masks)})

    return Counterpart(call)


def _build_decoder(layer: Any, x: Any, st: Any) -> Counterpart:
    import torch

    made = _make_module("TransformerDecoderLayer", layer)
    if len(x) > 3:
        raise NoCounterpartError("is asked of two sequences and one mask")

    def call(x: Any, ps: Any) -> Any:
        x, memory, *masks = x
        weights = _convert_weights(ps["attention"], "self_attn.") | _convert_weights(
            ps["memory_attention"], "multihead_attn."
        )
        weights |= _convert_norms_and_feed(layer, ps, 3)
        return torch.func.functional_call(made, weights, (x, memory), {"tgt_mask": _find_hidden(layer, x, x, *masks)})

    return Counterpart(call)


ATTENTION: dict[str, Callable[..., Counterpart]] = {
    "MultiHeadAttention": _build_attention,
    "TransformerDecoderLayer": _build_decoder,
    "TransformerEncoderLayer": _build_encoder,
}
