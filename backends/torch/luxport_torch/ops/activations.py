"""Activation functions by PyTorch: its own where values and derivatives, at kinks too, are the definition's.

Its hardswish and hardsigmoid take other derivatives at their kinks, or no second one; the second derivative of its
mish is NaN from 100 on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from luxport import ops
from luxport.ops import definition_of

__all__ = [
    "celu",
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
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "softplus",
    "softshrink",
    "swish",
    "tanh",
    "tanhshrink",
    "trelu",
]


def _of_floats(op: Callable[..., Any]) -> Callable[[Callable[..., torch.Tensor]], Callable[..., torch.Tensor]]:
    """Leave every other dtype, conversions and refusals included, to the definition."""
    definition = definition_of(op)

    def wrap(native: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def function(x: torch.Tensor, **options: Any) -> torch.Tensor:
            return native(x, **options) if x.is_floating_point() else definition(x, **options)

        return function

    return wrap


erf = _of_floats(ops.erf)(torch.erf)
hardtanh = _of_floats(ops.hardtanh)(functional.hardtanh)
logsigmoid = _of_floats(ops.logsigmoid)(functional.logsigmoid)
relu = _of_floats(ops.relu)(torch.relu)
relu6 = _of_floats(ops.relu6)(functional.relu6)
selu = _of_floats(ops.selu)(torch.selu)
sigmoid = _of_floats(ops.sigmoid)(torch.sigmoid)
swish = _of_floats(ops.swish)(functional.silu)
tanh = _of_floats(ops.tanh)(torch.tanh)


@_of_floats(ops.celu)
def celu(x: torch.Tensor, *, alpha: float = 1.0) -> torch.Tensor:
    """One call, whose derivative rounds 1 / alpha to float32: only where that is exact."""
    return torch.celu(x) if alpha == 1.0 else definition_of(ops.celu)(x, alpha=alpha)


@_of_floats(ops.elu)
def elu(x: torch.Tensor, *, alpha: float = 1.0) -> torch.Tensor:
    """One call, whose derivative at 0 is alpha: only where that is 1."""
    return functional.elu(x) if alpha == 1.0 else definition_of(ops.elu)(x, alpha=alpha)


@_of_floats(ops.gelu_erf)
def gelu_erf(x: torch.Tensor) -> torch.Tensor:
    """One call, which makes NaN of infinity: hence the comparison."""
    return torch.where(x > 30.0, x, functional.gelu(x))


@_of_floats(ops.gelu_tanh)
def gelu_tanh(x: torch.Tensor) -> torch.Tensor:
    """One call. Its gradient is NaN where ``x**2`` overflows, from 1e19 on in float32."""
    return functional.gelu(x, approximate="tanh")


@_of_floats(ops.glu)
def glu(x: torch.Tensor, *, axis: int = -1) -> torch.Tensor:
    """One call."""
    even = -x.ndim <= axis < x.ndim and x.shape[axis] % 2 == 0
    return functional.glu(x, axis) if even else definition_of(ops.glu)(x, axis=axis)


@_of_floats(ops.hardsigmoid)
def hardsigmoid(x: torch.Tensor) -> torch.Tensor:
    """`relu6`, moved and scaled."""
    return functional.relu6(x + 3.0) / 6.0


@_of_floats(ops.hardswish)
def hardswish(x: torch.Tensor) -> torch.Tensor:
    """A product with a clamp, through whose edges gradients pass."""
    return x * (torch.clamp(x + 3.0, 0.0, 6.0) / 6.0)


@_of_floats(ops.leakyrelu)
def leakyrelu(x: torch.Tensor, *, a: float = 0.01) -> torch.Tensor:
    """One call."""
    return functional.leaky_relu(x, a)


@_of_floats(ops.lisht)
def lisht(x: torch.Tensor) -> torch.Tensor:
    """Two calls."""
    return x * torch.tanh(x)


@_of_floats(ops.mish)
def mish(x: torch.Tensor) -> torch.Tensor:
    """Three calls."""
    return x * torch.tanh(functional.softplus(x, threshold=40.0))


@_of_floats(ops.softplus)
def softplus(x: torch.Tensor) -> torch.Tensor:
    """One call, which returns x beyond the threshold: 40, where that is exact in float64 too."""
    return functional.softplus(x, threshold=40.0)


@_of_floats(ops.softshrink)
def softshrink(x: torch.Tensor, *, lambda_: float = 0.5) -> torch.Tensor:
    """One call."""
    return functional.softshrink(x, lambda_)


@_of_floats(ops.tanhshrink)
def tanhshrink(x: torch.Tensor) -> torch.Tensor:
    """Two calls."""
    return x - torch.tanh(x)


@_of_floats(ops.trelu)
def trelu(x: torch.Tensor, *, theta: float = 1) -> torch.Tensor:
    """One call."""
    return functional.threshold(x, theta, 0)
