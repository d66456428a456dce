"""Activation functions: elementwise, one array in and one of the same shape and dtype out.

Those with a parameter take it by keyword; ``functools.partial(leakyrelu, a=0.2)`` is an activation again. Two need
more than an element: `rrelu` draws random slopes, `glu` halves an axis.

Integers become float32, but `relu`, `relu6`, `hardtanh` and `trelu` keep them. Complex numbers pass where the
function is analytic; the others raise TypeError. NaN stays NaN. At a kink the derivative is NNlib's on every backend:
`relu`, `relu6`, `hardtanh`, `hardsigmoid`, `trelu` and `softshrink` take 0, `leakyrelu` and `rrelu` the slope on the
left, `selu` its left limit, `elu` 1, and `hardswish` the line between its kinks. Second derivatives at a kink are
those of one side, or 0: no two libraries agree, and none is right. At 0 that of `softsign`, which jumps, is 0.

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
