"""Port PyTorch's transformer layers, their stacks, and Transformer."""

from __future__ import annotations

from typing import Any

import luxport
from luxport import ops
from luxport.backend import namespace
from luxport.core.containers import ContainerLayer, WrapperLayer
from luxport.core.layer import Layer
from luxport.core.layer_base import NamedLayers, Parameters, States
from luxport.porting.torch.arrays import Ported, collect_arrays, find_class
from luxport.porting.torch.attention import make_masks, port_attention
from luxport.porting.torch.conventions import swap_dense_weight
from luxport.porting.torch.norms import port_layer_norm
from luxport.tree.static import Static

__all__ = ["port_transformer"]

_ENCODER = ("mask", "key_padding_mask", "is_causal")
_DECODER = ("mask", "memory_mask", "key_padding_mask", "memory_key_padding_mask", "is_causal", "memory_is_causal")


class _TorchInterface(WrapperLayer):
    """A luxport transformer layer that is called with PyTorch's arguments."""

    layer: Any
    time_first: bool

    def _put_batch_first(self, x: Any) -> Any:
        """Return an array with the batch as first axis."""
        if len(x.shape) == 2:
            return x[None, ...]
        return namespace(x).permute_dims(x, (1, 0, 2)) if self.time_first else x

    def _restore(self, y: Any, like: Any) -> Any:
        """Return a result with the axes in the order of the input `like`."""
        if len(like.shape) == 2:
            return y[0, ...]
        return namespace(y).permute_dims(y, (1, 0, 2)) if self.time_first else y


class TorchEncoderLayer(_TorchInterface):
    """A `TransformerEncoderLayer` called with ``(src, src_mask, src_key_padding_mask, is_causal)`` or fewer."""

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the layer with a mask and a bias that combine PyTorch's masks."""
        src, *given = x if isinstance(x, tuple) else (x,)
        found = dict(zip(_ENCODER, given, strict=False))
        bias, seen = make_masks(_add_batch_axis(found.get("key_padding_mask")), found.get("mask"), self.layer.nheads)
        y, st = self.layer((self._put_batch_first(src), seen, bias), ps, st)
        return self._restore(y, src), st


class TorchDecoderLayer(_TorchInterface):
    """A `TransformerDecoderLayer` called with ``(tgt, memory, tgt_mask, memory_mask, …)`` or fewer."""

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the layer with masks and biases, for the target and the memory, that combine PyTorch's masks."""
        tgt, memory, *given = x
        found = dict(zip(_DECODER, given, strict=False))
        heads = self.layer.nheads
        bias, seen = make_masks(_add_batch_axis(found.get("key_padding_mask")), found.get("mask"), heads)
        more, known = make_masks(_add_batch_axis(found.get("memory_key_padding_mask")), found.get("memory_mask"), heads)
        y, st = self.layer((self._put_batch_first(tgt), self._put_batch_first(memory), seen, known, bias, more), ps, st)
        return self._restore(y, tgt), st


class TransformerStack(ContainerLayer):
    """Layers called one after another with the same masks and memory, and a norm at the end."""

    layers: NamedLayers
    norm: Layer

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the layers, then the norm."""
        x, *others = x if isinstance(x, tuple) else (x,)
        new = {}
        for name, layer in self.layers.items():
            x, new[name] = layer((x, *others), ps["layers"][name], st["layers"][name])
        x, norm = self.norm(x, ps["norm"], st["norm"])
        return x, {"layers": new, "norm": norm}


class EncoderDecoder(ContainerLayer):
    """An encoder and a decoder: ``(src, tgt, src_mask, tgt_mask, memory_mask, and their key_padding_masks)``."""

    encoder: Layer
    decoder: Layer

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Encode the source, and decode the target with it."""
        src, tgt, src_mask, tgt_mask, memory_mask, *paddings = (*x, *(None,) * 6)[:8]
        memory, encoder = self.encoder((src, src_mask, paddings[0]), ps["encoder"], st["encoder"])
        given = (tgt, memory, tgt_mask, memory_mask, *paddings[1:])
        y, decoder = self.decoder(given, ps["decoder"], st["decoder"])
        return y, {"encoder": encoder, "decoder": decoder}


def _add_batch_axis(hidden: Any) -> Any:
    return hidden if hidden is None or len(hidden.shape) == 2 else hidden[None, ...]


def port_transformer(module: Any, name: str, in_graph: bool) -> Ported:
    """Return a transformer layer, a stack of layers, or an encoder and a decoder."""
    if name == "Transformer":
        parts = {part: _port_stack(getattr(module, part)) for part in ("encoder", "decoder")}
        whole = EncoderDecoder(*[layer for layer, _, _ in parts.values()])
        return whole, {n: ps for n, (_, ps, _) in parts.items()}, {n: st for n, (_, _, st) in parts.items()}
    if name in ("TransformerEncoder", "TransformerDecoder"):
        return _port_stack(module)
    layer, ps, st = _port_layer(module)
    return (layer.layer if name.startswith("TransformerEncoder") and _is_plain(layer, in_graph) else layer), ps, st


def _is_plain(layer: Any, in_graph: bool) -> bool:
    return not layer.time_first and not in_graph


def _port_stack(module: Any) -> Ported:
    layers = {f"layer_{i}": _port_layer(layer) for i, layer in enumerate(module.layers, start=1)}
    norm = port_layer_norm(module.norm) if module.norm is not None else (luxport.NoOpLayer(), {}, {})
    return (
        TransformerStack(NamedLayers({name: layer for name, (layer, _, _) in layers.items()}), norm[0]),
        {"layers": {name: ps for name, (_, ps, _) in layers.items()}, "norm": norm[1]},
        {"layers": {name: st for name, (_, _, st) in layers.items()}, "norm": norm[2]},
    )


_ACTIVATIONS = {"relu": ops.relu, "gelu": ops.gelu_erf, "ReLU": ops.relu, "GELU": ops.gelu_erf, "silu": ops.swish}


def _port_layer(module: Any) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    name = find_class(module).__name__
    activation = getattr(module.activation, "__name__", type(module.activation).__name__)
    if activation not in _ACTIVATIONS:
        raise ValueError(f"its activation {activation} is none of {', '.join(_ACTIVATIONS)}")
    decoder = name == "TransformerDecoderLayer"
    make = luxport.TransformerDecoderLayer if decoder else luxport.TransformerEncoderLayer
    layer = make(
        module.linear1.in_features,
        module.linear1.out_features,
        _ACTIVATIONS[activation],
        nheads=module.self_attn.num_heads,
        dropout_probability=float(module.dropout.p),
        norm_first=module.norm_first,
        use_bias=module.linear1.bias is not None,
        epsilon=module.norm1.eps,
    )
    parts = {"attention": _port_attention(module.self_attn)}
    if decoder:
        parts["memory_attention"] = _port_attention(module.multihead_attn)
    ps: dict[str, Any] = {part: found for part, (found, _) in parts.items()}
    st: dict[str, Any] = {part: found for part, (_, found) in parts.items()}
    for i, dense in ((1, module.linear1), (2, module.linear2)):
        arrays = collect_arrays(dense, weight="weight", bias="bias")
        ps[f"dense_{i}"] = arrays | {"weight": swap_dense_weight(arrays["weight"])}
    for i in range(1, 3 + decoder):
        ps[f"norm_{i}"] = port_layer_norm(getattr(module, f"norm{i}"))[1]
    if module.dropout.p:
        training = {"training": Static(bool(module.training))}
        st |= {f"dropout_{i}": training for i in range(1, 4 + decoder)}
    called = TorchDecoderLayer if decoder else TorchEncoderLayer
    return called(layer, not module.self_attn.batch_first), ps, st


def _port_attention(module: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    _, ps, st = port_attention(module, in_graph=True)
    return ps["attention"], st["attention"]
