"""Convert between the conventions of Keras and luxport: layouts of weights, order of gates, meaning of momentum.

The kernel of a Dense, tables of embeddings and epsilons are the same in both. The functions accept arrays of any
backend: `from_keras` uses them to read models, and the conformance suite uses those that end in ``_to_keras`` to write
parameters into Keras's layers. `convert_momentum` and `swap_gru_gates` are their own inverses.

>>> convert_momentum(0.99)
0.01
"""

from __future__ import annotations

from typing import Any

from luxport.backend import namespace

__all__ = [
    "convert_attention_bias",
    "convert_attention_out_weight",
    "convert_attention_weight",
    "convert_conv_weight",
    "convert_depthwise_weight",
    "swap_gru_gates",
    "convert_attention_bias_to_keras",
    "convert_attention_out_weight_to_keras",
    "convert_attention_weight_to_keras",
    "convert_conv_weight_to_keras",
    "convert_depthwise_weight_to_keras",
    "convert_reset_first_weights_to_keras",
    "convert_momentum",
    "split_reset_first_weights",
]


def convert_momentum(other: float) -> float:
    """Return 1 - momentum: Keras's is the weight of the old statistics, luxport's that of the new ones."""
    return round(1.0 - float(other), 12)


def convert_conv_weight(kernel: Any) -> Any:
    """Convert a weight (*kernel, in, out) to (out, in, *kernel).

    The weight of a transposed convolution, which Keras has as (*kernel, out, in), becomes (in, out, *kernel).
    """
    rank = kernel.ndim - 2
    return namespace(kernel).permute_dims(kernel, (rank + 1, rank, *range(rank)))


def convert_conv_weight_to_keras(weight: Any) -> Any:
    """Convert a weight (out, in, *kernel) to (*kernel, in, out), as the inverse of `convert_conv_weight`."""
    return namespace(weight).permute_dims(weight, (*range(2, len(weight.shape)), 1, 0))


def convert_depthwise_weight(kernel: Any) -> Any:
    """Convert a weight (*kernel, channels, multiplier) to (channels multiplier, 1, *kernel)."""
    xp, (*sizes, channels, multiplier) = namespace(kernel), kernel.shape
    rank = len(sizes)
    channels_first = xp.permute_dims(kernel, (rank, rank + 1, *range(rank)))
    return xp.reshape(channels_first, (channels * multiplier, 1, *sizes))


def convert_depthwise_weight_to_keras(weight: Any, channels: int) -> Any:
    """Convert a weight (channels multiplier, 1, *kernel) to (*kernel, channels, multiplier)."""
    xp, sizes = namespace(weight), weight.shape[2:]
    by_channel = xp.reshape(weight, (channels, -1, *sizes))
    return xp.permute_dims(by_channel, (*range(2, 2 + len(sizes)), 0, 1))


def swap_gru_gates(weight: Any) -> Any:
    """Swap the first two of three gates on the last axis: Keras has the update gate before the reset gate."""
    size = weight.shape[-1] // 3
    gates = [weight[..., i * size : (i + 1) * size] for i in (1, 0, 2)]
    return namespace(weight).concat(gates, axis=-1)


def split_reset_first_weights(weight: Any) -> tuple[Any, Any]:
    """Split the recurrent weight of a GRU with ``reset_after=False`` into the `weight_hh` and `weight_hn` of a GRUv3.

    The gates must be in luxport's order. The part of the candidate becomes `weight_hn`, and is zero in `weight_hh`.
    """
    xp, start = namespace(weight), 2 * (weight.shape[-1] // 3)
    gates, candidate = weight[..., :start], weight[..., start:]
    return xp.concat([gates, xp.zeros_like(candidate)], axis=-1), candidate


def convert_reset_first_weights_to_keras(weight_hh: Any, weight_hn: Any) -> Any:
    """Join `weight_hh` and `weight_hn`, as the inverse of `split_reset_first_weights`."""
    start = 2 * weight_hn.shape[-1]
    return namespace(weight_hh).concat([weight_hh[..., :start], weight_hn], axis=-1)


def convert_attention_weight(kernel: Any) -> Any:
    """Convert the weight (in, heads, size) of a query, key or value to (in, heads size)."""
    return namespace(kernel).reshape(kernel, (kernel.shape[0], -1))


def convert_attention_weight_to_keras(weight: Any, heads: int) -> Any:
    """Convert a weight (in, heads size) to (in, heads, size)."""
    return namespace(weight).reshape(weight, (weight.shape[0], heads, -1))


def convert_attention_bias(bias: Any) -> Any:
    """Convert a bias (heads, size) to (heads size,)."""
    return namespace(bias).reshape(bias, (-1,))


def convert_attention_bias_to_keras(bias: Any, heads: int) -> Any:
    """Convert a bias (heads size,) to (heads, size)."""
    return namespace(bias).reshape(bias, (heads, -1))


def convert_attention_out_weight(kernel: Any) -> Any:
    """Convert an output weight (heads, size, out) to (heads size, out)."""
    return namespace(kernel).reshape(kernel, (-1, kernel.shape[-1]))


def convert_attention_out_weight_to_keras(weight: Any, heads: int) -> Any:
    """Convert an output weight (heads size, out) to (heads, size, out)."""
    return namespace(weight).reshape(weight, (heads, -1, weight.shape[-1]))
