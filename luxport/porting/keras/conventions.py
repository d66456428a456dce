"""What Keras has otherwise than luxport, one function for each: weights laid out otherwise, options with other words.

A Dense's kernel, tables of embeddings and epsilons are the same in both.

>>> momentum(0.99)
0.01
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = [
    "attention_bias",
    "attention_out_weight",
    "attention_weight",
    "conv_weight",
    "depthwise_weight",
    "gru_gates",
    "keras_conv_weight",
    "keras_depthwise_weight",
    "momentum",
]


def momentum(other: float) -> float:
    """Return 1 - momentum: Keras says how much of the old statistics stays, luxport how much of the new is taken."""
    return round(1.0 - float(other), 12)


def conv_weight(kernel: Any) -> Any:
    """Turn (*kernel, in, out) into (out, in, *kernel), and a transposed convolution's into (in, out, *kernel)."""
    rank = kernel.ndim - 2
    return kernel.transpose(rank + 1, rank, *range(rank))


def keras_conv_weight(weight: Any) -> Any:
    """Turn (out, in, *kernel) into (*kernel, in, out): `conv_weight` the other way round."""
    return weight.transpose(*range(2, weight.ndim), 1, 0)


def depthwise_weight(kernel: Any) -> Any:
    """Turn (*kernel, channels, multiplier) into (channels multiplier, 1, *kernel)."""
    rank = kernel.ndim - 2
    *sizes, channels, multiplier = kernel.shape
    return kernel.transpose(rank, rank + 1, *range(rank)).reshape(channels * multiplier, 1, *sizes)


def keras_depthwise_weight(weight: Any, channels: int) -> Any:
    """Turn (channels multiplier, 1, *kernel) into (*kernel, channels, multiplier)."""
    sizes = weight.shape[2:]
    return weight.reshape(channels, -1, *sizes).transpose(*range(2, 2 + len(sizes)), 0, 1)


def gru_gates(weight: Any) -> Any:
    """Exchange the first two of three gates on the last axis: Keras has the update gate before the reset gate."""
    first, second, candidate = np.split(weight, 3, axis=-1)
    return np.concatenate([second, first, candidate], axis=-1)


def attention_weight(kernel: Any) -> Any:
    """Turn (in, heads, size) of a query, key or value into (in, heads size)."""
    return kernel.reshape(kernel.shape[0], -1)


def attention_bias(bias: Any) -> Any:
    """Turn (heads, size) into (heads size,)."""
    return bias.reshape(-1)


def attention_out_weight(kernel: Any) -> Any:
    """Turn (heads, size, out) into (heads size, out)."""
    return kernel.reshape(-1, kernel.shape[-1])
