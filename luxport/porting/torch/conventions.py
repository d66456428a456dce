"""Convert between the conventions of PyTorch and luxport: layouts of weights, and names and values of options.

Weights of convolutions, tables of embeddings, momenta and epsilons are the same in both. The functions accept arrays
of any backend: `from_torch` uses them to read modules, and the conformance suite to write parameters into modules.
`swap_dense_weight`, `swap_recurrent_weight` and `swap_bilinear_weight` are their own inverses.

>>> import numpy as np
>>> swap_dense_weight(np.ones((4, 3))).shape
(3, 4)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luxport.backend import namespace

__all__ = [
    "PADDING_MODES",
    "split_attention_weights",
    "swap_bilinear_weight",
    "swap_dense_weight",
    "swap_recurrent_weight",
    "find_same_pads",
    "convert_attention_weights_to_torch",
]

PADDING_MODES: Mapping[str, Any] = {
    "zeros": "zeros",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "circular",
}
"""luxport's padding modes by PyTorch's names."""


def swap_dense_weight(weight: Any) -> Any:
    """Convert a weight (out, in) to (in, out), or back."""
    return weight.T


def swap_recurrent_weight(weight: Any) -> Any:
    """Convert a weight (gates out, in) to (in, gates out), or back; the order of the gates is the same."""
    return weight.T


def swap_bilinear_weight(weight: Any) -> Any:
    """Convert a weight (out, in1, in2) to (in2, in1, out), or back."""
    return namespace(weight).permute_dims(weight, (2, 1, 0))


def split_attention_weights(in_proj: Any) -> tuple[Any, Any, Any]:
    """Split the rows of a MultiheadAttention's ``in_proj_weight`` or ``in_proj_bias`` into those of q, k and v."""
    size = in_proj.shape[0] // 3
    return in_proj[:size], in_proj[size : 2 * size], in_proj[2 * size :]


def convert_attention_weights_to_torch(q: Any, k: Any, v: Any) -> Any:
    """Join the weights or biases of q, k and v, as the inverse of `split_attention_weights`."""
    return namespace(q, k, v).concat([q, k, v], axis=0)


def find_same_pads(kernel: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Return PyTorch's padding "same" as (low, high) pairs: half on each side, and an odd element on the high side."""
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)
