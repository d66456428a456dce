"""What PyTorch has otherwise than luxport, one function for each: weights laid out otherwise, options with other words.

Weights of convolutions, tables of embeddings, momenta and epsilons are the same in both. The functions take arrays of
any backend: `from_torch` reads modules by them, and the conformance suite writes parameters into PyTorch's own by the
same ones. `swap_dense_weight`, `swap_recurrent_weight` and `swap_bilinear_weight` are their own inverses.

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
    "cut_attention_weights",
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
"""PyTorch's names of paddings, and luxport's."""


def swap_dense_weight(weight: Any) -> Any:
    """Turn (out, in) into (in, out), or back."""
    return weight.T


def swap_recurrent_weight(weight: Any) -> Any:
    """Turn (gates out, in) into (in, gates out), or back; the gates are in the same order."""
    return weight.T


def swap_bilinear_weight(weight: Any) -> Any:
    """Turn (out, in1, in2) into (in2, in1, out), or back."""
    return namespace(weight).permute_dims(weight, (2, 1, 0))


def cut_attention_weights(in_proj: Any) -> tuple[Any, Any, Any]:
    """Cut the rows of a MultiheadAttention's ``in_proj_weight`` or ``in_proj_bias`` into those of q, k and v."""
    size = in_proj.shape[0] // 3
    return in_proj[:size], in_proj[size : 2 * size], in_proj[2 * size :]


def convert_attention_weights_to_torch(q: Any, k: Any, v: Any) -> Any:
    """Put them together: `cut_attention_weights` the other way round."""
    return namespace(q, k, v).concat([q, k, v], axis=0)


def find_same_pads(kernel: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Return the padding that "same" is: half of it below, an odd one above."""
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)
