"""Training steps in PyTorch: gradients from autograd or a compiled graph, then an optimizer that works in place."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import torch

from luxport import tree
from luxport.backend import backend_of
from luxport.training._loss_scaling import all_finite
from luxport.transforms import value_and_grad
from luxport.transforms._gradients import check_scalar, cut
from luxport_torch.compiling import jit as compiled
from luxport_torch.plain_dicts import build_like, collect_tensors
from luxport_torch.repeated_steps import Ongoing, begin_plan
from luxport_torch.transforms import cut_off, differentiating

__all__ = ["train_program"]

_run_backward: Any = torch.autograd.Variable._execution_engine.run_backward
_set_recording: Any = torch._C._set_grad_enabled
_torch: Any = torch
"""PyTorch as Any: its stubs do not declare the `_foreach` functions."""


def train_program(
    gradients: Callable[..., Any],
    finish: Callable[..., Any],
    *,
    jit: bool,
    donate: bool,
    exchange: Callable[..., Any] | None = None,
    nonfinite: str | None = None,
) -> Callable[[Any, Any], Any]:
    """Return a training step as a function of data and state.

    The optimizer's step is one call of a fused kernel. It is not compiled: a graph would be no faster, and would copy
    the parameters, which the kernel can update in place.

    Args:
        gradients: computes gradients, loss, statistics and the new state of the model
        finish: takes the optimizer's step
        jit: whether to compile `gradients`
        donate: whether the step may update the memory of the given state in place
        exchange: combines the results of `gradients` with those of other processes
        nonfinite: the option of `train_step`; if given, `finish` does nothing but the optimizer's step
    """
    compute = _compile(gradients) if jit else gradients
    if donate and not jit:
        compute = partial(gradients, differentiate=_differentiate_at_leaves)

    def program(data: Any, state: Any) -> Any:
        with torch.no_grad():
            grads, loss, stats, st = compute(state.program, state.ps, state.st, state.scale, data)
            if exchange is not None:
                grads, loss, stats, st = exchange(grads, loss, stats, st)
            ask = loss.is_cpu  # on a GPU, reading the loss would wait for the computation
            return finish(state, state._replace(st=st), grads, loss, stats, in_place=donate, ask=ask)

    def run_ongoing(data: Any, state: Any) -> Any:
        known = state.lazy
        if _is_followed():
            return program(data, state)
        if type(known) is not Ongoing or known.is_seen:
            known = begin_plan(backend_of(state.step), state)
            if known is None:
                return program(data, state)
        recorded = torch.is_grad_enabled()
        _set_recording(False)
        try:
            grads, loss, stats, st = gradients(
                state.program,
                known.ps,
                known.st,
                None,
                data,
                differentiate=partial(_differentiate_at_list, known.leaves),
            )
            if nonfinite == "ignore":
                return loss, stats, known.take_step(state.program, grads, st), None
            finite = _are_finite([loss, *grads])
            new = known.take_step(state.program, grads, st) if finite else known.skip_step(state.program)
            return loss, stats, new, finite
        finally:
            _set_recording(recorded)

    return run_ongoing if nonfinite is not None and donate and not jit and exchange is None else program


@lru_cache(maxsize=64)
def _compile(gradients: Callable[..., Any]) -> Callable[..., Any]:
    """Compile the computation of gradients, once for all programs that share it."""
    return compiled(gradients)


def _differentiate_at_leaves(f: Callable[..., Any], ps: tree.Tree) -> tuple[Any, tree.Tree]:
    """Differentiate with respect to the parameters themselves, not copies: the step may change them in place."""
    leaves: list[torch.Tensor] = []
    if type(ps) is not dict or _is_followed() or not collect_tensors(ps, leaves) or not _are_plain(leaves):
        return value_and_grad(f, has_aux=True)(ps)
    try:
        for leaf in leaves:
            leaf.requires_grad_()
        with differentiating():
            value, more = f(cut(ps))
        check_scalar(value)
        found = _find_gradients(value, leaves)
    finally:
        for leaf in leaves:
            leaf.requires_grad_(False)
    return (value.detach(), _make_constants(more)), build_like(ps, iter(found))


def _differentiate_at_list(leaves: list[torch.Tensor], f: Callable[..., Any], ps: tree.Tree) -> tuple[Any, Any]:
    """Differentiate with respect to a list of tensors that require gradients; return a list of gradients."""
    with differentiating():
        value, more = f(ps)
    if value.dtype is not torch.float32 or value.ndim:
        check_scalar(value)
    return (None, _make_constants(more)), _find_gradients(value, leaves)


def _find_gradients(value: torch.Tensor, leaves: list[torch.Tensor]) -> Any:
    if not value.requires_grad:
        return [torch.zeros_like(leaf) for leaf in leaves]
    found = _call_autograd(value, leaves)
    if any([dx is None for dx in found]):
        return [torch.zeros_like(x) if dx is None else dx for x, dx in zip(leaves, found, strict=True)]
    return found


def _call_autograd(value: torch.Tensor, leaves: list[torch.Tensor]) -> Any:
    """Call the function that `torch.autograd.grad` calls after checking every leaf, which takes time."""
    if type(value) is not torch.Tensor:
        return torch.autograd.grad(value, leaves, allow_unused=True)
    to = {"allow_unreachable": True, "accumulate_grad": False}
    return _run_backward((value,), (torch.ones_like(value),), False, False, tuple(leaves), **to)


def _are_finite(tensors: list[torch.Tensor]) -> bool:
    """Return whether all numbers are finite; they are tested one by one only if the sum of norms overflows."""
    norms = _torch._foreach_norm(tensors)
    return math.isfinite(torch.stack(norms).sum().item()) or bool(all_finite(tensors))


def _is_followed() -> bool:
    return torch._C._are_functorch_transforms_active() or torch.is_inference_mode_enabled()


def _are_plain(leaves: list[torch.Tensor]) -> bool:
    """Return whether these are distinct floating or complex tensors, at least one, that require no gradient yet."""
    return (
        0 < len(leaves) == len(set(map(id, leaves)))
        and all([leaf.is_floating_point() or leaf.is_complex() for leaf in leaves])
        and not any([leaf.requires_grad or leaf.is_inference() for leaf in leaves])
    )


def _make_constants(value: Any) -> Any:
    kind = type(value)
    if kind is torch.Tensor:
        return value.detach() if value.requires_grad else value
    if kind is dict:
        return {key: _make_constants(entry) for key, entry in value.items()} if value else value
    if kind is tuple:
        return tuple([_make_constants(entry) for entry in value])
    return tree.map(cut_off, value)
