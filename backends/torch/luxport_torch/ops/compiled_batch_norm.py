"""Batch norm in compiled programs on CPUs: plain sums, whose results are checked when the program runs.

To prevent overflow, the definition scales by the largest number. A compiled program cannot branch on values, so it
would always compute that, in loops that PyTorch's compiler makes slow. Here the moments are plain sums. An operator
that the compiler does not trace into checks them, and computes them carefully where squares over- or underflow.
"""

from __future__ import annotations

from typing import Any

import torch

from luxport.ops.moments import choose_least_epsilon, find_scaling, reduce_along, take_moments
from luxport_torch import xp
from luxport_torch.ops.opaque_operators import define_operator, differentiate_gradient
from luxport_torch.ops.sweeps import is_compiled
from luxport_torch.ops.usual_sizes import is_usual
from luxport_torch.recorded_calls import record_as_call

__all__ = ["compiled_batch_norm", "takes_compiled_batch_norm"]

_Tensors = tuple[torch.Tensor, ...]
_Optional = torch.Tensor | None


def takes_compiled_batch_norm(x: torch.Tensor, *parameters: _Optional) -> bool:
    """Return whether a program is compiled for images on a CPU, with parameters of the right dtype and shape."""
    if not is_compiled(x) or x.ndim < 3 or not x.is_cpu or x.dtype not in (torch.float32, torch.float64):
        return False
    given = [part for part in parameters if part is not None]
    return 0 not in x.shape and all([part.dtype == x.dtype and part.shape == x.shape[1:2] for part in given])


def compiled_batch_norm(x: torch.Tensor, scale: _Optional, bias: _Optional, epsilon: float) -> _Tensors:
    """Return normalized x, and each channel's mean and biased variance, through which no gradient flows."""
    channels = (1, -1, *(1 for _ in x.shape[2:]))
    # A function recorded as a call must not get None.
    scale = x.new_ones(x.shape[1]) if scale is None else scale
    bias = x.new_zeros(x.shape[1]) if bias is None else bias
    scale, bias = scale.reshape(channels), bias.reshape(channels)
    y, mean, var = _run(x, scale, bias, choose_least_epsilon(xp, x, epsilon))
    return y, mean.reshape(-1), var.reshape(-1)


@record_as_call
def _run(x: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor, epsilon: float) -> Any:
    return _Norm.apply(x, scale, bias, epsilon)[:3]  # type: ignore[misc]


def _list_axes(x: torch.Tensor) -> tuple[int, ...]:
    return 0, *range(2, x.ndim)


class _Norm(torch.autograd.Function):
    """The norm as an autograd function; its gradient recomputes the normalized x, which is faster than to store it."""

    @staticmethod
    def forward(  # type: ignore[override]
        x: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor, epsilon: float
    ) -> _Tensors:
        var, mean = torch.var_mean(x, _list_axes(x), correction=0, keepdim=True)
        shift, unit, mean, factor, *own = torch.ops.luxport.look_at_moments(x, mean, var, epsilon).unbind(0)
        y = ((x - shift) * unit - mean) * factor * scale + bias
        return y, *own, shift, unit, mean, factor

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        x, scale, _, ctx.epsilon = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(x, scale, *output[3:])

    @staticmethod
    def backward(ctx: Any, of_y: torch.Tensor, *others: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        return *_NormBack.apply(of_y, *ctx.saved_tensors, ctx.epsilon), None  # type: ignore[misc]


class _NormBack(torch.autograd.Function):
    """The gradient of `_Norm` as an autograd function; its own gradient is computed from the definition."""

    @staticmethod
    def forward(  # type: ignore[override]
        of_y: torch.Tensor,
        x: torch.Tensor,
        scale: torch.Tensor,
        shift: torch.Tensor,
        unit: torch.Tensor,
        mean: torch.Tensor,
        factor: torch.Tensor,
        epsilon: float,
    ) -> _Tensors:
        y = ((x - shift) * unit - mean) * factor
        of_scale, of_bias = (of_y * y).sum(_list_axes(x), keepdim=True), of_y.sum(_list_axes(x), keepdim=True)
        places = x.numel() // x.shape[1]
        return factor * unit * scale * (of_y - of_bias / places - y * (of_scale / places)), of_scale, of_bias

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        of_y, x, scale, *_, ctx.epsilon = inputs
        ctx.save_for_backward(of_y, x, scale)

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        of_y, x, scale = ctx.saved_tensors

        def define(x: Any, scale: Any, bias: Any) -> Any:
            found = take_moments(xp, x, reduce_along(xp, _list_axes(x)), ctx.epsilon)
            return found.centered / torch.sqrt(found.var + found.epsilon) * scale + bias

        found = differentiate_gradient(define, (x, scale, torch.zeros_like(scale)), of_y, cotangents)
        return *found[:3], None, None, None, None, None


def _look(x: torch.Tensor, mean: torch.Tensor, var: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Check moments of x; return six stacked rows.

    Rows: a shift and a unit, which is a power of 2, such that the squares of z = (x - shift) unit neither over- nor
    underflow; the mean of z; 1 / sqrt(var + epsilon) of z; the mean and the variance of x.
    """
    factor = (var + epsilon).rsqrt()
    if is_usual(mean, factor, epsilon):
        return torch.stack([torch.zeros_like(mean), torch.ones_like(mean), mean, factor, mean, var])
    shift, unit, added = find_scaling(xp, x, reduce_along(xp, _list_axes(x)), epsilon)
    assert shift is not None
    var, mean = torch.var_mean((x - shift) * unit, _list_axes(x), correction=0, keepdim=True)
    return torch.stack([shift, unit, mean, (var + added).rsqrt(), mean / unit + shift, var / unit / unit])


define_operator(
    "look_at_moments(Tensor x, Tensor mean, Tensor var, float epsilon) -> Tensor",
    _look,
    lambda x, mean, *_: mean.new_empty(6, *mean.shape),
)
