"""What JAX's libraries have otherwise than luxport, one function for each.

What they share with PyTorch and Keras is in the conventions of those, in `luxport.porting`: Flax's and Haiku's kernels
are Keras's, Equinox's weights PyTorch's. Names begin with the library that is written to.

>>> import numpy as np
>>> one_bias(np.ones(2), np.ones(2))
array([2., 2.])
"""

from __future__ import annotations

from typing import Any

from luxport.backend import namespace

__all__ = [
    "equinox_transposed_weight",
    "flax_carry",
    "haiku_forget_bias",
    "haiku_lstm_gates",
    "haiku_update_gate",
    "mirrored",
    "one_bias",
]


def mirrored(weight: Any) -> Any:
    """Flip the spatial axes of (out, in, *kernel), or back: a convolution's kernel is a correlation's mirrored."""
    return namespace(weight).flip(weight, axis=tuple(range(2, weight.ndim)))


def one_bias(bias_ih: Any, bias_hh: Any) -> Any:
    """Put the two biases of a recurrent cell together, which are added anyhow."""
    return bias_ih + bias_hh


def flax_carry(carry: Any) -> Any:
    """Turn (output, memory) of an LSTM into (memory, output), or back."""
    return carry[1], carry[0]


def haiku_lstm_gates(weight: Any) -> Any:
    """Exchange the middle two of four gates on the last axis, or back: the candidate comes before the forget gate."""
    size = weight.shape[-1] // 4
    gates = [weight[..., i * size : (i + 1) * size] for i in (0, 2, 1, 3)]
    return namespace(weight).concat(gates, axis=-1)


def haiku_forget_bias(bias: Any) -> Any:
    """Take 1 from the forget gate's bias, the second of four: Haiku adds it in the cell."""
    size = bias.shape[-1] // 4
    parts = [bias[..., :size], bias[..., size : 2 * size] - 1.0, bias[..., 2 * size :]]
    return namespace(bias).concat(parts, axis=-1)


def haiku_update_gate(weight: Any) -> Any:
    """Negate the first of three gates on the last axis, or back: 1 - sigmoid(a), how much is new, is sigmoid(-a)."""
    size = weight.shape[-1] // 3
    return namespace(weight).concat([-weight[..., :size], weight[..., size:]], axis=-1)


def equinox_transposed_weight(weight: Any, groups: int) -> Any:
    """Turn (in, out / groups, *kernel) of a transposed convolution into (out, in / groups, *kernel)."""
    xp, (ins, outs, *kernel) = namespace(weight), weight.shape
    parts = xp.reshape(weight, (groups, ins // groups, outs, *kernel))
    turned = xp.permute_dims(parts, (0, 2, 1, *range(3, 3 + len(kernel))))
    return xp.reshape(turned, (groups * outs, ins // groups, *kernel))
