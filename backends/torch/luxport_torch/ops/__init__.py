"""PyTorch's own versions of operations, one file a family."""

from luxport_torch.ops.activations import (
    celu,
    elu,
    erf,
    gelu_erf,
    gelu_tanh,
    glu,
    hardsigmoid,
    hardswish,
    hardtanh,
    leakyrelu,
    lisht,
    logsigmoid,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    softplus,
    softshrink,
    swish,
    tanh,
    tanhshrink,
    trelu,
)
from luxport_torch.ops.affine import dense
from luxport_torch.ops.conv import conv
from luxport_torch.ops.normalise import batch_norm
from luxport_torch.ops.optimisers import adam_step
from luxport_torch.ops.pooling import max_pool, mean_pool
from luxport_torch.ops.random_bits import random_bits, threefry_2x32

__all__ = [
    "adam_step",
    "batch_norm",
    "celu",
    "conv",
    "dense",
    "elu",
    "erf",
    "gelu_erf",
    "gelu_tanh",
    "glu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leakyrelu",
    "lisht",
    "logsigmoid",
    "max_pool",
    "mean_pool",
    "mish",
    "random_bits",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "softplus",
    "softshrink",
    "swish",
    "tanh",
    "tanhshrink",
    "threefry_2x32",
    "trelu",
]
