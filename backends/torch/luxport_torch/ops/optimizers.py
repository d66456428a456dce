"""PyTorch's overrides of optimizers' steps: one call of a fused or `foreach` kernel for all arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from luxport.ops import definition_of
from luxport.optimizers import _adam as adam
from luxport.optimizers import _clip as clip
from luxport.optimizers import _descent as descent
from luxport.optimizers._rule_arithmetic import in_dtype_of, is_number
from luxport_torch.fused_adam import step_adam

__all__ = ["adam_step", "adam_update", "descent_update", "finite_norm", "momentum_update"]

_define_adam_step = definition_of(adam.adam_step)
_define_adam_update = definition_of(adam.adam_update)
_define_descent_update = definition_of(descent.descent_update)
_define_finite_norm = definition_of(clip.finite_norm)
_define_momentum_update = definition_of(descent.momentum_update)
_KINDS = {torch.Tensor}
_torch: Any = torch
"""PyTorch's `foreach` functions, which its stubs do not declare."""


def adam_update(*arrays: torch.Tensor, decay: Any, in_place: bool, **numbers: Any) -> tuple[torch.Tensor, ...]:
    """Call PyTorch's fused kernel, one pass over memory, for plain tensors on the CPU; otherwise the definition."""
    n = len(arrays) // 4
    if not _are_plain(arrays, n, 2 * n) or not _are_known(*numbers.values()):
        return _define_adam_update(*arrays, decay=decay, in_place=in_place, **numbers)
    xs, dxs, ms, vs = list(arrays[:n]), list(arrays[n : 2 * n]), list(arrays[2 * n : 3 * n]), list(arrays[3 * n :])
    known = _read_numbers(xs[0], **numbers)
    if not in_place:
        ms, vs = [m.clone() for m in ms], [v.clone() for v in vs]
    if decay is None:
        xs = xs if in_place else [x.clone() for x in xs]
        step_adam(xs, dxs, ms, vs, *known)
        return (*xs, *ms, *vs)
    steps = [torch.zeros_like(x) for x in xs]
    step_adam(steps, dxs, ms, vs, *known)  # parameters of 0 become minus the steps
    _torch._foreach_sub_(steps, _torch._foreach_mul(xs, _read_number(xs[0], decay)))
    if in_place:
        _torch._foreach_add_(xs, steps)
    else:
        xs = _torch._foreach_add(xs, steps)
    return (*xs, *ms, *vs)


def adam_step(
    dx: torch.Tensor, m: torch.Tensor, v: torch.Tensor, *, eta: Any, **numbers: Any
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Call PyTorch's fused kernel, as `adam_update` does."""
    if not _are_plain((dx, m, v), 0, 1) or not _are_known(eta, *numbers.values()):
        return _define_adam_step(dx, m, v, eta=eta, **numbers)
    step, m, v = torch.zeros_like(m), m.clone(), v.clone()
    # The kernel subtracts the step from parameters of 0; with -eta that leaves the step, which the caller subtracts.
    step_adam([step], [dx], [m], [v], *_read_numbers(m, eta=-eta, **numbers))
    return m, v, step


def descent_update(*arrays: torch.Tensor, eta: Any, in_place: bool) -> tuple[torch.Tensor, ...]:
    """Update all arrays with a few calls of `foreach` kernels."""
    n = len(arrays) // 2
    if not _are_plain(arrays, n, 2 * n) or not _are_known(eta):
        return _define_descent_update(*arrays, eta=eta, in_place=in_place)
    xs, dxs = list(arrays[:n]), list(arrays[n:])
    steps = _torch._foreach_mul(dxs, _read_number(xs[0], eta))
    if not in_place:
        return tuple(_torch._foreach_sub(xs, steps))
    _torch._foreach_sub_(xs, steps)
    return tuple(xs)


def momentum_update(*arrays: torch.Tensor, eta: Any, rho: Any, in_place: bool) -> tuple[torch.Tensor, ...]:
    """Update all arrays with a few calls of `foreach` kernels."""
    n = len(arrays) // 3
    if not _are_plain(arrays, n, 2 * n) or not _are_known(eta, rho):
        return _define_momentum_update(*arrays, eta=eta, rho=rho, in_place=in_place)
    xs, dxs, vs = list(arrays[:n]), list(arrays[n : 2 * n]), list(arrays[2 * n :])
    steps = _torch._foreach_mul(dxs, _read_number(xs[0], eta))
    if in_place:
        _torch._foreach_mul_(vs, _read_number(xs[0], rho))
        _torch._foreach_add_(vs, steps)
        _torch._foreach_sub_(xs, vs)
    else:
        vs = _torch._foreach_mul(vs, _read_number(xs[0], rho))
        _torch._foreach_add_(vs, steps)
        xs = _torch._foreach_sub(xs, vs)
    return (*xs, *vs)


def finite_norm(size: torch.Tensor, *, p: float, shape: tuple[int, ...]) -> torch.Tensor:
    """Raise an error if the norm is not finite; return it unchecked while its value is unknown."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return size
    return _define_finite_norm(size, p=p, shape=shape)


def _read_numbers(
    x: torch.Tensor, *, powers: tuple[Any, Any], eta: Any, beta: tuple[Any, Any], epsilon: Any
) -> tuple[Any, ...]:
    """Return the hyperparameters as floats, in the order of the arguments of `step_adam`."""
    one, two, rate, first, second, small = [_read_number(x, n) for n in (*powers, eta, *beta, epsilon)]
    return (one, two), rate, (first, second), small


def _read_number(x: torch.Tensor, value: Any) -> float:
    return in_dtype_of(x, value) if is_number(value) else value.item()


def _are_known(*values: Any) -> bool:
    """Return whether numbers can be read without waiting: on the CPU, and requiring no gradient."""
    for value in values:
        if isinstance(value, tuple):
            if not _are_known(*value):
                return False
        elif not is_number(value) and (value.requires_grad or not value.is_cpu):
            return False
    return True


def _are_plain(tensors: Sequence[torch.Tensor], first: int, last: int) -> bool:
    """Return whether all are plain CPU tensors of one dtype, float32 or float64, in C order, and none is recorded.

    The gradients, at indices from `first` to before `last`, may have another memory order.
    """
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    dtype = tensors[0].dtype
    if dtype is not torch.float32 and dtype is not torch.float64:
        return False
    return (
        set(map(type, tensors)) == _KINDS
        and [tensor.dtype for tensor in tensors].count(dtype) == len(tensors)
        and False not in [tensor.is_cpu for tensor in tensors]
        and all(map(torch.Tensor.is_contiguous, (*tensors[:first], *tensors[last:])))
        and not (torch.is_grad_enabled() and any([tensor.requires_grad for tensor in tensors]))
    )
