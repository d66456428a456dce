"""Functions on arrays that layers are made of: written once in Array API terms, faster where a backend can."""

from luxport.ops.activations import Activation, identity, relu, sigmoid, tanh
from luxport.ops.affine import dense
from luxport.ops.conv import conv
from luxport.ops.dropout import dropout, keep_mask
from luxport.ops.normalise import batch_norm
from luxport.ops.operation import definition_of, operation
from luxport.ops.pooling import max_pool, mean_pool
from luxport.ops.random_bits import random_bits, threefry_2x32, uniform
from luxport.ops.stop_gradient import stop_gradient

__all__ = [
    "Activation",
    "batch_norm",
    "conv",
    "definition_of",
    "dense",
    "dropout",
    "identity",
    "keep_mask",
    "max_pool",
    "mean_pool",
    "operation",
    "random_bits",
    "relu",
    "sigmoid",
    "stop_gradient",
    "tanh",
    "threefry_2x32",
    "uniform",
]
