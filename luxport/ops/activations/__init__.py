"""Activation functions: elementwise, from an array to one of the same shape and dtype.

Parameters are keywords: ``functools.partial(leakyrelu, a=0.2)`` is an activation. Two functions are not elementwise:
`rrelu` draws random slopes, and `glu` splits an axis in halves.

Integers become float32, except that `relu`, `relu6`, `hardtanh` and `trelu` keep them. Analytic functions take complex
numbers; the others raise TypeError. NaN stays NaN. At a kink the derivative is that of NNlib on every backend: 0 for
`relu`, `relu6`, `hardtanh`, `hardsigmoid`, `trelu` and `softshrink`, the slope on the left for `leakyrelu` and `rrelu`,
the left limit for `selu`, 1 for `elu`, and for `hardswish` the slope between its kinks. Second derivatives at a kink,
which do not exist and differ between all libraries, are those of one side, or 0; for `softsign` at 0 it is 0.

Source: NNlib's activations, by NNlib's names
"""

from __future__ import annotations

from luxport.ops.activations.piecewise import (
    celu,
    elu,
    hardsigmoid,
    hardswish,
    hardtanh,
    leakyrelu,
    relu,
    relu6,
    rrelu,
    selu,
    softshrink,
    trelu,
)
from luxport.ops.activations.smooth import (
    Activation,
    gelu_erf,
    gelu_sigmoid,
    gelu_tanh,
    glu,
    identity,
    lisht,
    logcosh,
    logsigmoid,
    mish,
    sigmoid,
    softplus,
    softsign,
    swish,
    tanh,
    tanhshrink,
)

__all__ = [
    "Activation",
    "celu",
    "elu",
    "gelu",
    "gelu_erf",
    "gelu_sigmoid",
    "gelu_tanh",
    "glu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "identity",
    "leakyrelu",
    "lisht",
    "logcosh",
    "logsigmoid",
    "mish",
    "relu",
    "relu6",
    "rrelu",
    "selu",
    "sigmoid",
    "sigmoid_fast",
    "softplus",
    "softshrink",
    "softsign",
    "swish",
    "tanh",
    "tanh_fast",
    "tanhshrink",
    "thresholdrelu",
    "trelu",
]

gelu = gelu_tanh
sigmoid_fast = sigmoid
tanh_fast = tanh
thresholdrelu = trelu
