"""PyTorch's tables of rows."""

from __future__ import annotations

from typing import Any

import luxport
from luxport import ops
from luxport.backend import namespace
from luxport.core.anatomy import Parameters, States
from luxport.core.containers import WrapperLayer
from luxport.core.layer import Layer
from luxport.porting.torch.arrays import Ported, copy_to_host

__all__ = ["port_embedding", "port_embedding_bag"]


class WithoutPadding(WrapperLayer):
    """An `EmbeddingBag` on bags of one size in which an index does not count.

    Shapes: x (N, bag) of integers -> y (N, out_dims)
    """

    layer: Any
    padding_idx: int

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Look up, leave out, reduce."""
        if isinstance(x, tuple) or len(x.shape) != 2:
            raise ValueError("an EmbeddingBag with padding_idx expects bags of one size (N, bag)")
        rows = ops.embedding(ps["weight"], x)
        xp = namespace(rows)
        counted = xp.expand_dims(x != self.padding_idx, axis=-1)
        if self.layer.reduction == "max":
            empty = xp.any(counted, axis=1)
            top = xp.max(xp.where(counted, rows, xp.full_like(rows, -float("inf"))), axis=1)
            return xp.where(empty, top, xp.zeros_like(top)), st
        total = xp.sum(xp.where(counted, rows, xp.zeros_like(rows)), axis=1)
        if self.layer.reduction == "sum":
            return total, st
        count = xp.sum(xp.astype(counted, rows.dtype), axis=1)
        return total / xp.maximum(count, xp.ones_like(count)), st


class LastOffsetLeftOut(WrapperLayer):
    """An `EmbeddingBag` whose last offset is the number of all indices: PyTorch's ``include_last_offset``."""

    layer: Layer

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Leave it out."""
        return self.layer((x[0], x[1][:-1]) if isinstance(x, tuple) else x, ps, st)


def port_embedding(module: Any) -> Ported:
    """Return an Embedding."""
    if module.max_norm is not None or module.scale_grad_by_freq:
        raise ValueError("max_norm or scale_grad_by_freq")
    weight, padding = copy_to_host(module.weight), module.padding_idx
    if padding is not None and weight[padding].any():
        raise ValueError(f"row {padding} is padding and should be 0 here, and has other numbers")
    return luxport.Embedding(*weight.shape, padding_idx=padding), {"weight": weight}, {}


def port_embedding_bag(module: Any) -> Ported:
    """Return an EmbeddingBag."""
    given = [name for name in ("max_norm", "scale_grad_by_freq") if getattr(module, name) not in (None, False)]
    if given:
        raise ValueError(" and ".join(given))
    weight = copy_to_host(module.weight)
    layer: Layer = luxport.EmbeddingBag(weight.shape[0], weight.shape[1], module.mode)
    if module.padding_idx is not None:
        layer = WithoutPadding(layer, module.padding_idx)
    return (LastOffsetLeftOut(layer) if module.include_last_offset else layer), {"weight": weight}, {}
