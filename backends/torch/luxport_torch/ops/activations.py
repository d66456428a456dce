"""PyTorch's overrides of activation functions.

PyTorch's function is called where its values and derivatives, at kinks too, equal the definition's. Its functions that
multiply x by a gate return NaN for infinities, so they get clamped numbers if x has large ones.

Not used are its hardswish and hardsigmoid, whose derivatives differ at the kinks or cannot be differentiated again, and
its mish, whose second derivative is NaN from 100 on.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.nn import functional

from luxport import ops
from luxport.backend.dtypes import run_wide
from luxport.ops import definition_of
from luxport.ops._floats_only import accept_floats
from luxport_torch.readable_values import may_look

__all__ = [
    "celu", "elu", "erf", "gelu_erf", "gelu_tanh", "glu", "hardsigmoid", "hardswish", "hardtanh", "leakyrelu", "lisht",
    "logsigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "softplus", "softshrink", "softsign", "swish", "tanh",
    "tanhshrink", "trelu",
]  # fmt: skip


def _are_within(x: torch.Tensor, far: float) -> bool:
    """Return whether all |x| < far; False also if the values cannot be read now."""
    if not may_look(x):
        return False
    if x.numel() == 0:
        return True
    x = x.detach()
    if x.dtype.itemsize >= 4 and x.is_contiguous():
        row = x.view(-1)
        if torch.dot(row, row).item() < far * far:  # an upper bound of the largest square, and several times as fast
            return True
    low, high = torch.aminmax(x)
    return -far < low.item() and high.item() < far


_HOLDS = 1e6
"""Up to this size PyTorch's gates and their derivatives agree with the definitions."""


def _apply_gate(native: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, far: float) -> torch.Tensor:
    """Apply a function that is x times a gate, where the gate is 0 or 1 if abs(x) > far."""
    return native(x) if _are_within(x, _HOLDS) else torch.where(x > far, x, native(x.clamp(-far, far)))


hardtanh = accept_floats(ops.hardtanh, torch.is_floating_point)(functional.hardtanh)
logsigmoid = accept_floats(ops.logsigmoid, torch.is_floating_point)(functional.logsigmoid)
relu = accept_floats(ops.relu, torch.is_floating_point)(torch.relu)
relu6 = accept_floats(ops.relu6, torch.is_floating_point)(functional.relu6)
selu = accept_floats(ops.selu, torch.is_floating_point)(torch.selu)
sigmoid = accept_floats(ops.sigmoid, torch.is_floating_point)(torch.sigmoid)
tanh = accept_floats(ops.tanh, torch.is_floating_point)(torch.tanh)


@accept_floats(ops.celu, torch.is_floating_point)
def celu(x: torch.Tensor, *, alpha: float = 1.0) -> torch.Tensor:
    """Call PyTorch's function if alpha is 1; for others its derivative rounds 1 / alpha to float32."""
    return torch.celu(x) if alpha == 1.0 else definition_of(ops.celu)(x, alpha=alpha)


@accept_floats(ops.elu, torch.is_floating_point)
def elu(x: torch.Tensor, *, alpha: float = 1.0) -> torch.Tensor:
    """Call PyTorch's function if alpha is 1; for others its derivative at 0 differs: it is alpha."""
    return functional.elu(x) if alpha == 1.0 else definition_of(ops.elu)(x, alpha=alpha)


@accept_floats(ops.erf, torch.is_floating_point)
def erf(x: torch.Tensor) -> torch.Tensor:
    """Call PyTorch's function on x clamped to where erf is not yet 1, as its second derivative is NaN farther out."""
    return torch.erf(x.clamp(-10.0, 10.0))


@accept_floats(ops.gelu_erf, torch.is_floating_point)
def gelu_erf(x: torch.Tensor) -> torch.Tensor:
    """Call PyTorch's function."""
    return _apply_gate(functional.gelu, x, 40.0)


@accept_floats(ops.gelu_tanh, torch.is_floating_point)
def gelu_tanh(x: torch.Tensor) -> torch.Tensor:
    """Call PyTorch's function on x so clamped that ``x**2`` does not overflow, where its gradient would be NaN."""
    return _apply_gate(_gelu_tanh, x, 30.0)


@accept_floats(ops.glu, torch.is_floating_point)
def glu(x: torch.Tensor, *, axis: int = -1) -> torch.Tensor:
    """Call PyTorch's function."""
    even = -x.ndim <= axis < x.ndim and x.shape[axis] % 2 == 0
    return functional.glu(x, axis) if even else definition_of(ops.glu)(x, axis=axis)


@accept_floats(ops.hardsigmoid, torch.is_floating_point)
def hardsigmoid(x: torch.Tensor) -> torch.Tensor:
    """Shift and scale `relu6`."""
    return functional.relu6(x + 3.0) / 6.0


@accept_floats(ops.hardswish, torch.is_floating_point)
def hardswish(x: torch.Tensor) -> torch.Tensor:
    """Multiply clamped values: unlike PyTorch's function, a clamp passes gradients at its edges."""
    return x.clamp(min=-3.0) * (torch.clamp(x + 3.0, 0.0, 6.0) / 6.0)


@accept_floats(ops.leakyrelu, torch.is_floating_point)
def leakyrelu(x: torch.Tensor, *, a: float = 0.01) -> torch.Tensor:
    """Call PyTorch's function."""
    return functional.leaky_relu(x, a)


@accept_floats(ops.lisht, torch.is_floating_point)
def lisht(x: torch.Tensor) -> torch.Tensor:
    """Compute x tanh(x) if x is finite; the gradient at an infinity would be infinity times 0."""
    return x * torch.tanh(x) if _are_within(x, math.inf) else definition_of(ops.lisht)(x)


@accept_floats(ops.mish, torch.is_floating_point)
@run_wide
def mish(x: torch.Tensor) -> torch.Tensor:
    """Compute x tanh(softplus(x)) with PyTorch's functions."""
    return _apply_gate(_mish, x, 750.0)


@accept_floats(ops.softplus, torch.is_floating_point)
def softplus(x: torch.Tensor) -> torch.Tensor:
    """Call PyTorch's function, which returns x above a threshold; above 40 that is exact in float64, too."""
    return functional.softplus(x, threshold=40.0)


@accept_floats(ops.softshrink, torch.is_floating_point)
def softshrink(x: torch.Tensor, *, lambda_: float = 0.5) -> torch.Tensor:
    """Call PyTorch's function."""
    return functional.softshrink(x, lambda_)


@accept_floats(ops.softsign, torch.is_floating_point)
def softsign(x: torch.Tensor) -> torch.Tensor:
    """Compute x / (1 + abs(x)) if x is finite; otherwise call the definition."""
    return x / (1.0 + torch.abs(x)) if _are_within(x, math.inf) else definition_of(ops.softsign)(x)


@accept_floats(ops.swish, torch.is_floating_point)
def swish(x: torch.Tensor) -> torch.Tensor:
    """Call PyTorch's function."""
    return _apply_gate(functional.silu, x, 750.0)


@accept_floats(ops.tanhshrink, torch.is_floating_point)
@run_wide
def tanhshrink(x: torch.Tensor) -> torch.Tensor:
    """Compute x - tanh(x) in at least float32."""
    return x - torch.tanh(x)


@accept_floats(ops.trelu, torch.is_floating_point)
def trelu(x: torch.Tensor, *, theta: float = 1) -> torch.Tensor:
    """Call PyTorch's function."""
    return functional.threshold(x, theta, 0)


def _gelu_tanh(x: torch.Tensor) -> torch.Tensor:
    return functional.gelu(x, approximate="tanh")


def _mish(x: torch.Tensor) -> torch.Tensor:
    return x * torch.tanh(functional.softplus(x, threshold=40.0))
