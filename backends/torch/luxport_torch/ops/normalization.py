"""PyTorch's overrides of normalizations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from luxport import ops
from luxport.ops import definition_of
from luxport.ops._normalize import blend, choose_epsilon, expect_several_values
from luxport.ops.averages import take_mean
from luxport_torch import xp
from luxport_torch.ops.compiled_batch_norm import compiled_batch_norm, takes_compiled_batch_norm
from luxport_torch.ops.conv import does_sum_in_half
from luxport_torch.ops.usual_sizes import is_usual
from luxport_torch.readable_values import may_look

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm"]

_define_batch_norm = definition_of(ops.batch_norm)
_define_instance_norm = definition_of(ops.instance_norm)
_define_group_norm = definition_of(ops.group_norm)
_define_layer_norm = definition_of(ops.layer_norm)


def batch_norm(
    x: torch.Tensor,
    scale: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    running_mean: torch.Tensor | None = None,
    running_var: torch.Tensor | None = None,
    *,
    training: bool,
    momentum: float = 0.1,
    epsilon: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
    """Call PyTorch's kernel on copies of the running statistics, which it changes in place."""
    if epsilon is None:
        epsilon = choose_epsilon(x, epsilon)
    running = running_mean, running_var
    if (training or running_mean is None) and takes_compiled_batch_norm(x, scale, bias, *running):
        expect_several_values(x, (0, *range(2, x.ndim)), training, running_mean)
        return _batch_norm_compiled(x, scale, bias, running, momentum, epsilon)
    if not _is_native(x, running, scale, bias):
        return _define_batch_norm(
            *(x, scale, bias, running_mean, running_var), training=training, momentum=momentum, epsilon=epsilon
        )
    if x.numel() < 2 * x.shape[1]:
        expect_several_values(x, (0, *range(2, x.ndim)), training, running_mean)
    if not training and running_mean is not None:
        y = torch.batch_norm(*(x, scale, bias, running_mean, running_var), False, momentum, epsilon, True)
        return y, running_mean, running_var
    looks = may_look(x)
    if looks or not _is_seen_by_none(x):
        new_mean, new_var = running_mean, running_var
        if running_mean is not None and running_var is not None:
            new_mean, new_var = running_mean.clone(), running_var.clone()
        if not looks:
            y = torch.batch_norm(*(x, scale, bias, new_mean, new_var), True, momentum, epsilon, True)
            return y, new_mean, new_var
        y, means, factors = torch.native_batch_norm(*(x, scale, bias, new_mean, new_var), True, momentum, epsilon)
        if is_usual(means, factors, epsilon):
            return y, new_mean, new_var
    return _define_batch_norm(
        *(x, scale, bias, running_mean, running_var), training=training, momentum=momentum, epsilon=epsilon
    )


def _batch_norm_compiled(
    x: torch.Tensor,
    scale: torch.Tensor | None,
    bias: torch.Tensor | None,
    running: tuple[torch.Tensor | None, torch.Tensor | None],
    momentum: float,
    epsilon: float,
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
    y, mean, var = compiled_batch_norm(x, scale, bias, epsilon)
    running_mean, running_var = running
    if running_mean is None or running_var is None:
        return y, running_mean, running_var
    n = x.numel() // x.shape[1]
    running_mean = blend(xp, running_mean, mean, momentum, True)
    return y, running_mean, blend(xp, running_var, var * (n / (n - 1)), momentum, True)


def instance_norm(
    x: torch.Tensor,
    scale: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    running_mean: torch.Tensor | None = None,
    running_var: torch.Tensor | None = None,
    *,
    training: bool,
    momentum: float = 0.1,
    epsilon: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
    """Call `group_norm` with groups of one channel; with running statistics, PyTorch's kernel on copies of them."""
    if epsilon is None:
        epsilon = choose_epsilon(x, epsilon)
    if running_mean is None or running_var is None:
        y = group_norm(x, scale, bias, groups=max(1, x.shape[1]), epsilon=epsilon)
        return y, running_mean, running_var
    options = {"training": training, "momentum": momentum, "epsilon": epsilon}
    if not training:
        return batch_norm(x, scale, bias, running_mean, running_var, **options)
    if not _is_native(x, (running_mean, running_var), scale, bias) or 0 in x.shape or _is_seen_by_none(x):
        return _define_instance_norm(x, scale, bias, running_mean, running_var, **options)
    expect_several_values(x, tuple(range(2, x.ndim)), training, running_mean)
    # As in PyTorch's own instance norm: each channel of each sample becomes a channel of one sample.
    samples, channels = x.shape[:2]
    given = scale, bias, running_mean, running_var
    repeated: Any = [None if part is None else part.repeat(samples) for part in given]
    apart = x.reshape(1, samples * channels, *x.shape[2:])
    y, means, factors = torch.native_batch_norm(apart, *repeated, True, momentum, epsilon)  # type: ignore[call-arg]
    if may_look(x) and not is_usual(means, factors, epsilon):
        return _define_instance_norm(x, scale, bias, running_mean, running_var, **options)
    new_mean, new_var = [take_mean(xp, part.view(samples, channels), 0) for part in repeated[2:]]
    return y.view(x.shape), new_mean, new_var


def group_norm(
    x: torch.Tensor,
    scale: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    *,
    groups: int,
    epsilon: float | None = None,
) -> torch.Tensor:
    """Call PyTorch's kernel if all arrays have one dtype; otherwise the definition."""
    if epsilon is None:
        epsilon = choose_epsilon(x, epsilon)
    if _have_one_dtype(x, scale, bias) and not does_sum_in_half(x) and not _is_seen_by_none(x):
        if not may_look(x) or x.ndim < 2 or x.numel() == 0 or x.shape[1] % groups:
            return torch.group_norm(x, groups, scale, bias, epsilon)
        samples, channels = x.shape[:2]
        places = x.numel() // (samples * channels)
        options = (samples, channels, places, groups, epsilon)
        y, means, factors = torch.native_group_norm(x.contiguous(), scale, bias, *options)
        if is_usual(means, factors, epsilon):
            return y
    return _define_group_norm(x, scale, bias, groups=groups, epsilon=epsilon)


def layer_norm(
    x: torch.Tensor,
    scale: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    *,
    axes: tuple[int, ...] = (-1,),
    epsilon: float | None = None,
) -> torch.Tensor:
    """Call PyTorch's kernel for the last axes, if scale and bias have exactly their shape."""
    if epsilon is None:
        epsilon = choose_epsilon(x, epsilon)
    shape = x.shape[x.ndim - len(axes) :]
    shaped = all([parameter is None or parameter.shape == shape for parameter in (scale, bias)])
    if shaped and _are_last(axes, x.ndim) and _have_one_dtype(x, scale, bias) and not does_sum_in_half(x):
        looks = may_look(x)
        if looks or not _is_seen_by_none(x):
            y, means, factors = torch.native_layer_norm(x, shape, scale, bias, epsilon)
            if not looks or is_usual(means, factors, epsilon):
                return y
    return _define_layer_norm(x, scale, bias, axes=axes, epsilon=epsilon)


def _are_last(axes: tuple[int, ...], ndim: int) -> bool:
    """Return whether these are the last axes."""
    return axes == (-1,) or sorted([axis - ndim if axis >= 0 else axis for axis in axes]) == list(range(-len(axes), 0))


def _is_seen_by_none(x: torch.Tensor) -> bool:
    """Return whether x is traced, so that values cannot be checked for overflow; the definition prevents overflow.

    Compiled, the definition was measured to be as fast as the kernels: the numbers that it reads once more are in the
    cache. Eager calls on an accelerator use the kernels, without a check.
    """
    return torch.compiler.is_compiling() or (x.is_cpu and torch._C._are_functorch_transforms_active())


def _have_one_dtype(x: torch.Tensor, *parameters: torch.Tensor | None) -> bool:
    return all([parameter is None or parameter.dtype == x.dtype for parameter in parameters])


def _is_native(x: torch.Tensor, running: Sequence[torch.Tensor | None], *others: torch.Tensor | None) -> bool:
    """Return whether the kernel supports these: one dtype, no transform, and statistics that require no gradient.

    PyTorch's compiler does not check that arrays are floating, and the kernel would read out of bounds if an array had
    fewer numbers than channels. For such arrays the definition raises an error that tells what is wrong.
    """
    if x.ndim < 2 or not x.is_floating_point() or does_sum_in_half(x) or torch._C._are_functorch_transforms_active():
        return False
    shape, kind = x.shape[1:2], x.dtype
    for parameter in (*running, *others):
        if parameter is not None and (parameter.dtype is not kind or parameter.shape != shape):
            return False
    return not any([part is not None and part.requires_grad for part in running])
