"""Masks, which Keras hands from layer to layer beside the arrays: flags (N, T) of the steps that count."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Any

import luxport
from luxport.backend import Array, namespace
from luxport.core.layer import Layer
from luxport.layers._bidirectional import BidirectionalRNN
from luxport.layers._recurrence import Recurrence

__all__ = ["RECURRENT", "attention_mask", "hold", "mask_of", "masked", "masked_mean", "merged", "with_masks"]

RECURRENT = ("SimpleRNN", "LSTM", "GRU", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")


def mask_of(x: Array, value: float) -> Array:
    """Flag the steps (N, T, F) of which an entry is another than the value."""
    return namespace(x).any(x != value, axis=-1)


def masked(x: Array, value: float) -> Array:
    """Set the other steps to zero."""
    xp = namespace(x)
    return xp.where(xp.any(x != value, axis=-1, keepdims=True), x, xp.zeros_like(x))


def masked_mean(x: Array, mask: Array, keepdims: bool) -> Array:
    """Return the mean of the steps that count."""
    xp = namespace(x, mask)
    x = xp.where(mask[:, :, None], x, xp.zeros_like(x))
    count = xp.sum(xp.astype(mask, x.dtype), axis=1, keepdims=True)
    y = xp.sum(x, axis=1) / count
    return y[:, None, :] if keepdims else y


def hold(y: Any, mask: Array, reverse: bool, with_state: bool) -> Any:
    """Repeat the last output that counts at steps that do not, where it is zero; before the first it stays so."""
    if with_state:
        return hold(y[0], mask, reverse, False), y[1]
    xp = namespace(y, mask)
    numbers = xp.astype(mask, xp.int32)
    numbers = xp.cumulative_sum(xp.flip(numbers, axis=1) if reverse else numbers, axis=1)
    numbers = xp.flip(numbers, axis=1) if reverse else numbers
    same = xp.logical_and(numbers[:, :, None] == numbers[:, None, :], mask[:, None, :])
    flat = xp.reshape(y, (y.shape[0], y.shape[1], -1))
    return xp.reshape(xp.matmul(xp.astype(same, y.dtype), flat), y.shape)


def attention_mask(mask: Array | None, *others: Array | None) -> Array | None:
    """Join a mask of queries and keys (N, q, k) with those of queries, values and keys."""
    query, value, key = others
    given = [mask if mask is None or len(mask.shape) != 2 else mask[None, ...]]
    given += [None if query is None else query[:, :, None]]
    given += [None if part is None else part[:, None, :] for part in (value, key)]
    found = [part for part in given if part is not None]
    return reduce(lambda a, b: namespace(a, b).logical_and(a, namespace(b).astype(b, namespace(b).bool)), found)


def merged(kind: str, axis: Any, arrays: tuple[Array, ...], masks: tuple[Array | None, ...]) -> Array:
    """Return the mask of what a layer makes of several arrays: steps that count in one of them."""
    xp = namespace(*arrays)
    if kind != "Concatenate":
        return reduce(xp.logical_or, masks)
    ones = [
        xp.ones_like(x[..., 0], dtype=xp.bool) if mask is None else mask for x, mask in zip(arrays, masks, strict=True)
    ]
    return xp.concat(ones, axis=1) if axis == 1 else reduce(xp.logical_or, ones)


def with_masks(layer: Layer) -> Layer:
    """Return a recurrent layer that takes (x, mask)."""
    if isinstance(layer, Recurrence):
        return replace(layer, masked=True)
    if not isinstance(layer, BidirectionalRNN):
        raise ValueError("is called with a mask")
    forward, backward = layer.forward_rnn, layer.backward_rnn["rnn"]
    return luxport.BidirectionalRNN(
        *(forward.cell, backward.cell),  # type: ignore[union-attr]
        merge_mode=layer.merge_mode,
        return_sequence=forward.return_sequence,
        masked=True,
    )
