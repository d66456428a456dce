"""NumPy's own versions of operations, one file a family."""

from luxport_numpy.ops.activations import (
    celu,
    hardsigmoid,
    hardswish,
    hardtanh,
    relu,
    relu6,
)
from luxport_numpy.ops.conv import conv
from luxport_numpy.ops.pooling import max_pool
from luxport_numpy.ops.random_bits import random_bits, threefry_2x32

__all__ = [
    "celu",
    "conv",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "max_pool",
    "random_bits",
    "relu",
    "relu6",
    "threefry_2x32",
]
