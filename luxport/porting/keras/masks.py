"""Compute and apply masks (N, T) of valid steps, which Keras passes from layer to layer with the arrays."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Any

import luxport
from luxport.backend import Array, namespace
from luxport.core.layer import Layer
from luxport.layers._bidirectional import BidirectionalRNN
from luxport.layers._recurrence import Recurrence

__all__ = [
    "RECURRENT",
    "join_attention_masks",
    "repeat_last_outputs",
    "compute_mask",
    "zero_masked_steps",
    "average_masked_steps",
    "merge_masks",
    "accept_mask",
]

RECURRENT = ("SimpleRNN", "LSTM", "GRU", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")


def compute_mask(x: Array, value: float) -> Array:
    """Return a mask that is true for the steps of x (N, T, F) with an entry that differs from the value."""
    return namespace(x).any(x != value, axis=-1)


def zero_masked_steps(x: Array, value: float) -> Array:
    """Return x with zeros in the steps whose entries all have the value."""
    xp = namespace(x)
    return xp.where(xp.any(x != value, axis=-1, keepdims=True), x, xp.zeros_like(x))


def average_masked_steps(x: Array, mask: Array, keepdims: bool) -> Array:
    """Return the mean over the steps where the mask is true."""
    xp = namespace(x, mask)
    x = xp.where(mask[:, :, None], x, xp.zeros_like(x))
    count = xp.sum(xp.astype(mask, x.dtype), axis=1, keepdims=True)
    y = xp.sum(x, axis=1) / count
    return y[:, None, :] if keepdims else y


def repeat_last_outputs(y: Any, mask: Array, reverse: bool, with_state: bool) -> Any:
    """Replace the outputs of masked steps, which are zeros, by the last output before them, if there is one."""
    if with_state:
        return repeat_last_outputs(y[0], mask, reverse, False), y[1]
    xp = namespace(y, mask)
    numbers = xp.astype(mask, xp.int32)
    numbers = xp.cumulative_sum(xp.flip(numbers, axis=1) if reverse else numbers, axis=1)
    numbers = xp.flip(numbers, axis=1) if reverse else numbers
    same = xp.logical_and(numbers[:, :, None] == numbers[:, None, :], mask[:, None, :])
    flat = xp.reshape(y, (y.shape[0], y.shape[1], -1))
    return xp.reshape(xp.matmul(xp.astype(same, y.dtype), flat), y.shape)


def join_attention_masks(mask: Array | None, *others: Array | None) -> Array | None:
    """Return the conjunction of a mask (N, q, k) or (q, k) and the masks of queries, values and keys (N, T)."""
    query, value, key = others
    given = [mask if mask is None or len(mask.shape) != 2 else mask[None, ...]]
    given += [None if query is None else query[:, :, None]]
    given += [None if part is None else part[:, None, :] for part in (value, key)]
    found = [part for part in given if part is not None]
    return reduce(lambda a, b: namespace(a, b).logical_and(a, namespace(b).astype(b, namespace(b).bool)), found)


def merge_masks(kind: str, axis: Any, arrays: tuple[Array, ...], masks: tuple[Array | None, ...]) -> Array:
    """Return the mask of the output of a layer that merges arrays."""
    xp = namespace(*arrays)
    if kind != "Concatenate":
        return reduce(xp.logical_or, masks)
    ones = [
        xp.ones_like(x[..., 0], dtype=xp.bool) if mask is None else mask for x, mask in zip(arrays, masks, strict=True)
    ]
    return xp.concat(ones, axis=1) if axis == 1 else reduce(xp.logical_or, ones)


def accept_mask(layer: Layer) -> Layer:
    """Return a recurrent layer that takes (x, mask) instead of x."""
    if isinstance(layer, Recurrence):
        return replace(layer, masked=True)
    if not isinstance(layer, BidirectionalRNN):
        raise ValueError("it is called with a mask")
    forward, backward = layer.forward_rnn, layer.backward_rnn["rnn"]
    return luxport.BidirectionalRNN(
        *(forward.cell, backward.cell),  # type: ignore[union-attr]
        merge_mode=layer.merge_mode,
        return_sequence=forward.return_sequence,
        masked=True,
    )
