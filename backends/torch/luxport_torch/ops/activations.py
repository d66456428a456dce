"""Activation functions by PyTorch: its own where values and derivatives, at kinks too, are the definition's.

Those that multiply x by a gate make NaN of infinities: they are kept from what is far out.

Its hardswish and hardsigmoid take other derivatives at their kinks, or no second one; the second derivative of its
mish is NaN from 100 on.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from luxport import ops
from luxport.backend.dtypes import in_single_or_double
from luxport.ops import definition_of
from luxport_torch.looking import may_look

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
    "softsign",
    "swish",
    "tanh",
    "tanhshrink",
    "trelu",
]


def _accept_floats(op: Callable[..., Any]) -> Callable[[Callable[..., torch.Tensor]], Callable[..., torch.Tensor]]:
    """Leave every other dtype, conversions and refusals included, to the definition."""
    definition = definition_of(op)

    def wrap(native: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        # What the library has takes what the definition does.
        @functools.wraps(native if native.__module__ == __name__ else definition)
        def function(x: torch.Tensor, **options: Any) -> torch.Tensor:
            return native(x, **options) if x.is_floating_point() else definition(x, **options)

        return function

    return wrap


def _are_within(x: torch.Tensor, far: float) -> bool:
    """Look whether all entries are nearer to 0 than `far`, where a look is quick: on the CPU, without transforms."""
    if not may_look(x):
        return False
    if x.numel() == 0:
        return True
    x = x.detach()
    if x.dtype.itemsize >= 4 and x.is_contiguous():
        row = x.view(-1)
        if torch.dot(row, row).item() < far * far:  # several times as quick, and no entry is larger than the root
            return True
    low, high = torch.aminmax(x)
    return -far < low.item() and high.item() < far


_HOLDS = 1e6
"""Up to here the library's gates and their derivatives are the definition's; those of infinities are not."""


def _apply_gate(native: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, far: float) -> torch.Tensor:
    """Apply x times a gate that beyond `far` is 0 or 1; mostly one call, and one look at x."""
    return native(x) if _are_within(x, _HOLDS) else torch.where(x > far, x, native(x.clamp(-far, far)))


hardtanh = _accept_floats(ops.hardtanh)(functional.hardtanh)
logsigmoid = _accept_floats(ops.logsigmoid)(functional.logsigmoid)
relu = _accept_floats(ops.relu)(torch.relu)
relu6 = _accept_floats(ops.relu6)(functional.relu6)
selu = _accept_floats(ops.selu)(torch.selu)
sigmoid = _accept_floats(ops.sigmoid)(torch.sigmoid)
tanh = _accept_floats(ops.tanh)(torch.tanh)


@_accept_floats(ops.celu)
def celu(x: torch.Tensor, *, alpha: float = 1.0) -> torch.Tensor:
    """One call, whose derivative rounds 1 / alpha to float32: only where that is exact."""
    return torch.celu(x) if alpha == 1.0 else definition_of(ops.celu)(x, alpha=alpha)


@_accept_floats(ops.elu)
def elu(x: torch.Tensor, *, alpha: float = 1.0) -> torch.Tensor:
    """One call, whose derivative at 0 is alpha: only where that is 1."""
    return functional.elu(x) if alpha == 1.0 else definition_of(ops.elu)(x, alpha=alpha)


@_accept_floats(ops.erf)
def erf(x: torch.Tensor) -> torch.Tensor:
    """One call on what is not 1 yet: its second derivative multiplies x by what vanishes."""
    return torch.erf(x.clamp(-10.0, 10.0))


@_accept_floats(ops.gelu_erf)
def gelu_erf(x: torch.Tensor) -> torch.Tensor:
    """One call."""
    return _apply_gate(functional.gelu, x, 40.0)


@_accept_floats(ops.gelu_tanh)
def gelu_tanh(x: torch.Tensor) -> torch.Tensor:
    """One call, whose gradient would be NaN where ``x**2`` overflows too."""
    return _apply_gate(_gelu_tanh, x, 30.0)


@_accept_floats(ops.glu)
def glu(x: torch.Tensor, *, axis: int = -1) -> torch.Tensor:
    """One call."""
    even = -x.ndim <= axis < x.ndim and x.shape[axis] % 2 == 0
    return functional.glu(x, axis) if even else definition_of(ops.glu)(x, axis=axis)


@_accept_floats(ops.hardsigmoid)
def hardsigmoid(x: torch.Tensor) -> torch.Tensor:
    """`relu6`, moved and scaled."""
    return functional.relu6(x + 3.0) / 6.0


@_accept_floats(ops.hardswish)
def hardswish(x: torch.Tensor) -> torch.Tensor:
    """A product of clamps, through whose edges gradients pass."""
    return x.clamp(min=-3.0) * (torch.clamp(x + 3.0, 0.0, 6.0) / 6.0)


@_accept_floats(ops.leakyrelu)
def leakyrelu(x: torch.Tensor, *, a: float = 0.01) -> torch.Tensor:
    """One call."""
    return functional.leaky_relu(x, a)


@_accept_floats(ops.lisht)
def lisht(x: torch.Tensor) -> torch.Tensor:
    """Two calls, where no infinity meets a derivative of 0."""
    return x * torch.tanh(x) if _are_within(x, math.inf) else definition_of(ops.lisht)(x)


@_accept_floats(ops.mish)
@in_single_or_double
def mish(x: torch.Tensor) -> torch.Tensor:
    """Three calls."""
    return _apply_gate(_mish, x, 750.0)


@_accept_floats(ops.softplus)
def softplus(x: torch.Tensor) -> torch.Tensor:
    """One call, which returns x beyond the threshold: 40, where that is exact in float64 too."""
    return functional.softplus(x, threshold=40.0)


@_accept_floats(ops.softshrink)
def softshrink(x: torch.Tensor, *, lambda_: float = 0.5) -> torch.Tensor:
    """One call."""
    return functional.softshrink(x, lambda_)


@_accept_floats(ops.softsign)
def softsign(x: torch.Tensor) -> torch.Tensor:
    """Three calls, where nothing is infinite."""
    return x / (1.0 + torch.abs(x)) if _are_within(x, math.inf) else definition_of(ops.softsign)(x)


@_accept_floats(ops.swish)
def swish(x: torch.Tensor) -> torch.Tensor:
    """One call."""
    return _apply_gate(functional.silu, x, 750.0)


@_accept_floats(ops.tanhshrink)
@in_single_or_double
def tanhshrink(x: torch.Tensor) -> torch.Tensor:
    """Two calls."""
    return x - torch.tanh(x)


@_accept_floats(ops.trelu)
def trelu(x: torch.Tensor, *, theta: float = 1) -> torch.Tensor:
    """One call."""
    return functional.threshold(x, theta, 0)


def _gelu_tanh(x: torch.Tensor) -> torch.Tensor:
    return functional.gelu(x, approximate="tanh")


def _mish(x: torch.Tensor) -> torch.Tensor:
    return x * torch.tanh(functional.softplus(x, threshold=40.0))
