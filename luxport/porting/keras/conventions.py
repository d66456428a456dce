"""What Keras has otherwise than luxport, one function for each: weights laid out otherwise, options with other words.

A Dense's kernel, tables of embeddings and epsilons are the same in both. The functions take arrays of any backend.
`from_keras` reads models by them, and the conformance suite writes parameters into Keras's own layers by the same ones,
in the names of which Keras comes first. `convert_momentum` and `swap_gru_gates` are their own inverses.

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
    "reset_first_weights",
]


def convert_momentum(other: float) -> float:
    """Return 1 - momentum: Keras says how much of the old statistics stays, luxport how much of the new is taken."""
    return round(1.0 - float(other), 12)


def convert_conv_weight(kernel: Any) -> Any:
    """Turn (*kernel, in, out) into (out, in, *kernel), and a transposed convolution's into (in, out, *kernel)."""
    rank = kernel.ndim - 2
    return namespace(kernel).permute_dims(kernel, (rank + 1, rank, *range(rank)))


def convert_conv_weight_to_keras(weight: Any) -> Any:
    """Turn (out, in, *kernel) into (*kernel, in, out): `convert_conv_weight` the other way round."""
    return namespace(weight).permute_dims(weight, (*range(2, len(weight.shape)), 1, 0))


def convert_depthwise_weight(kernel: Any) -> Any:
    """Turn (*kernel, channels, multiplier) into (channels multiplier, 1, *kernel)."""
    xp, (*sizes, channels, multiplier) = namespace(kernel), kernel.shape
    rank = len(sizes)
    turned = xp.permute_dims(kernel, (rank, rank + 1, *range(rank)))
    return xp.reshape(turned, (channels * multiplier, 1, *sizes))


def convert_depthwise_weight_to_keras(weight: Any, channels: int) -> Any:
    """Turn (channels multiplier, 1, *kernel) into (*kernel, channels, multiplier)."""
    xp, sizes = namespace(weight), weight.shape[2:]
    apart = xp.reshape(weight, (channels, -1, *sizes))
    return xp.permute_dims(apart, (*range(2, 2 + len(sizes)), 0, 1))


def swap_gru_gates(weight: Any) -> Any:
    """Exchange the first two of three gates on the last axis: Keras has the update gate before the reset gate."""
    size = weight.shape[-1] // 3
    gates = [weight[..., i * size : (i + 1) * size] for i in (1, 0, 2)]
    return namespace(weight).concat(gates, axis=-1)


def reset_first_weights(weight: Any) -> tuple[Any, Any]:
    """Take the recurrent weight of a GRU that resets first, gates in luxport's order, apart: `weight_hh`, `weight_hn`.

    That of the candidate is `weight_hn`, and 0 in `weight_hh`.
    """
    xp, start = namespace(weight), 2 * (weight.shape[-1] // 3)
    gates, candidate = weight[..., :start], weight[..., start:]
    return xp.concat([gates, xp.zeros_like(candidate)], axis=-1), candidate


def convert_reset_first_weights_to_keras(weight_hh: Any, weight_hn: Any) -> Any:
    """Put them together: `reset_first_weights` the other way round."""
    start = 2 * weight_hn.shape[-1]
    return namespace(weight_hh).concat([weight_hh[..., :start], weight_hn], axis=-1)


def convert_attention_weight(kernel: Any) -> Any:
    """Turn (in, heads, size) of a query, key or value into (in, heads size)."""
    return namespace(kernel).reshape(kernel, (kernel.shape[0], -1))


def convert_attention_weight_to_keras(weight: Any, heads: int) -> Any:
    """Turn (in, heads size) into (in, heads, size)."""
    return namespace(weight).reshape(weight, (weight.shape[0], heads, -1))


def convert_attention_bias(bias: Any) -> Any:
    """Turn (heads, size) into (heads size,)."""
    return namespace(bias).reshape(bias, (-1,))


def convert_attention_bias_to_keras(bias: Any, heads: int) -> Any:
    """Turn (heads size,) into (heads, size)."""
    return namespace(bias).reshape(bias, (heads, -1))


def convert_attention_out_weight(kernel: Any) -> Any:
    """Turn (heads, size, out) into (heads size, out)."""
    return namespace(kernel).reshape(kernel, (-1, kernel.shape[-1]))


def convert_attention_out_weight_to_keras(weight: Any, heads: int) -> Any:
    """Turn (heads size, out) into (heads, size, out)."""
    return namespace(weight).reshape(weight, (heads, -1, weight.shape[-1]))
