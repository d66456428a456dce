"""Port PyTorch's Embedding and EmbeddingBag."""

from __future__ import annotations

from typing import Any

import luxport
from luxport import ops
from luxport.backend import namespace
from luxport.core.containers import WrapperLayer
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.porting.torch.arrays import Ported, copy_to_host

__all__ = ["port_embedding", "port_embedding_bag"]


class PaddedEmbeddingBag(WrapperLayer):
    """An `EmbeddingBag` with bags of one size, which ignores the index `padding_idx`.

    Shapes: x (N, bag) of integers -> y (N, out_dims)
    """

    layer: Any
    padding_idx: int

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Look the rows up, and reduce those whose index is not the padding."""
        if isinstance(x, tuple) or len(x.shape) != 2:
            raise ValueError("an EmbeddingBag with padding_idx expects bags of equal size, (N, bag)")
        rows = ops.embedding(ps["weight"], x)
        xp = namespace(rows)
        counted = xp.expand_dims(x != self.padding_idx, axis=-1)
        if self.layer.reduction == "max":
            has_rows = xp.any(counted, axis=1)
            top = xp.max(xp.where(counted, rows, xp.full_like(rows, -float("inf"))), axis=1)
            return xp.where(has_rows, top, xp.zeros_like(top)), st
        total = xp.sum(xp.where(counted, rows, xp.zeros_like(rows)), axis=1)
        if self.layer.reduction == "sum":
            return total, st
        count = xp.sum(xp.astype(counted, rows.dtype), axis=1)
        return total / xp.maximum(count, xp.ones_like(count)), st


class LastOffsetDropped(WrapperLayer):
    """An `EmbeddingBag` for PyTorch's ``include_last_offset``, where the last offset is the number of all indices."""

    layer: Layer

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Call the layer without the last offset."""
        return self.layer((x[0], x[1][:-1]) if isinstance(x, tuple) else x, ps, st)


def port_embedding(module: Any) -> Ported:
    """Return an Embedding."""
    if module.max_norm is not None or module.scale_grad_by_freq:
        raise ValueError("it has max_norm or scale_grad_by_freq, which luxport does not have")
    weight, padding = copy_to_host(module.weight), module.padding_idx
    if padding is not None and weight[padding].any():
        raise ValueError(f"row {padding}, its padding_idx, is not zero, as luxport's always is")
    return luxport.Embedding(*weight.shape, padding_idx=padding), {"weight": weight}, {}


def port_embedding_bag(module: Any) -> Ported:
    """Return an EmbeddingBag."""
    given = [name for name in ("max_norm", "scale_grad_by_freq") if getattr(module, name) not in (None, False)]
    if given:
        raise ValueError(f"it has {' and '.join(given)}, which luxport does not have")
    weight = copy_to_host(module.weight)
    layer: Layer = luxport.EmbeddingBag(weight.shape[0], weight.shape[1], module.mode)
    if module.padding_idx is not None:
        layer = PaddedEmbeddingBag(layer, module.padding_idx)
    return (LastOffsetDropped(layer) if module.include_last_offset else layer), {"weight": weight}, {}
