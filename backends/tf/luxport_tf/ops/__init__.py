"""TensorFlow's own versions of operations, one file a family."""

from luxport_tf.ops.activations import (
    elu,
    erf,
    hardsigmoid,
    hardswish,
    leakyrelu,
    logsigmoid,
    relu,
    relu6,
    sigmoid,
    softplus,
    tanh,
)
from luxport_tf.ops.affine import dense
from luxport_tf.ops.conv import conv
from luxport_tf.ops.optimisers import adam_step
from luxport_tf.ops.pooling import max_pool, mean_pool
from luxport_tf.ops.random_bits import dropout, random_bits

__all__ = [
    "adam_step",
    "conv",
    "dense",
    "dropout",
    "elu",
    "erf",
    "hardsigmoid",
    "hardswish",
    "leakyrelu",
    "logsigmoid",
    "max_pool",
    "mean_pool",
    "random_bits",
    "relu",
    "relu6",
    "sigmoid",
    "softplus",
    "tanh",
]
