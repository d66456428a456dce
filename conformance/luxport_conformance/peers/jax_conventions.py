"""Conversions of luxport's parameters to the layouts of JAX's libraries, a function for each difference.

Layouts that they share with PyTorch or Keras are converted by the conventions in `luxport.porting`: Flax's and Haiku's
kernels have Keras's layout, Equinox's weights have PyTorch's.

>>> import numpy as np
>>> add_biases(np.ones(2), np.ones(2))
array([2., 2.])
"""

from __future__ import annotations

from typing import Any

from luxport.backend import namespace

__all__ = [
    "add_biases",
    "lower_forget_bias",
    "mirror_kernel",
    "negate_update_gate",
    "swap_carry",
    "swap_lstm_gates",
    "swap_transposed_weight",
]


def mirror_kernel(weight: Any) -> Any:
    """Flip the spatial axes of (out, in, *kernel), which turns a convolution's kernel into a correlation's, or back."""
    return namespace(weight).flip(weight, axis=tuple(range(2, weight.ndim)))


def add_biases(bias_ih: Any, bias_hh: Any) -> Any:
    """Add the two biases of a recurrent cell, because the cells of Flax, Equinox and Haiku have only one."""
    return bias_ih + bias_hh


def swap_carry(carry: Any) -> Any:
    """Convert the carry (output, memory) of an LSTM to Flax's (memory, output), or back."""
    return carry[1], carry[0]


def swap_lstm_gates(weight: Any) -> Any:
    """Swap the middle two of four gates on the last axis: in Haiku the candidate comes before the forget gate."""
    size = weight.shape[-1] // 4
    gates = [weight[..., i * size : (i + 1) * size] for i in (0, 2, 1, 3)]
    return namespace(weight).concat(gates, axis=-1)


def lower_forget_bias(bias: Any) -> Any:
    """Subtract 1 from the forget gate's bias, the second of four, because Haiku's cell adds 1 to it."""
    size = bias.shape[-1] // 4
    parts = [bias[..., :size], bias[..., size : 2 * size] - 1.0, bias[..., 2 * size :]]
    return namespace(bias).concat(parts, axis=-1)


def negate_update_gate(weight: Any) -> Any:
    """Negate the first of three gates on the last axis.

    Haiku's update gate is the share of the new state, luxport's of the old one, and 1 - sigmoid(a) = sigmoid(-a).
    """
    size = weight.shape[-1] // 3
    return namespace(weight).concat([-weight[..., :size], weight[..., size:]], axis=-1)


def swap_transposed_weight(weight: Any, groups: int) -> Any:
    """Convert a transposed convolution's (in, out / groups, *kernel) to Equinox's (out, in / groups, *kernel)."""
    xp, (ins, outs, *kernel) = namespace(weight), weight.shape
    parts = xp.reshape(weight, (groups, ins // groups, outs, *kernel))
    turned = xp.permute_dims(parts, (0, 2, 1, *range(3, 3 + len(kernel))))
    return xp.reshape(turned, (groups * outs, ins // groups, *kernel))
