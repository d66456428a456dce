"""Recurrent networks over time in compiled programs: one operator for all steps, for any number of steps.

An unrolled loop would be compiled anew for each length, for minutes. Instead the loop is an operator that the compiler
does not trace into, and so is its gradient; see `sweep_kernels`. The input products are computed outside of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from luxport import ops
from luxport.ops import _recurrent as definitions
from luxport_torch.ops.opaque_operators import define_operator, differentiate_gradient
from luxport_torch.ops.sweep_kernels import backward, forward, make_backward_outputs, make_forward_outputs
from luxport_torch.readable_values import is_in_program
from luxport_torch.recorded_calls import record_as_call, take_for_constant

__all__ = ["is_compiled", "sweep_in_one_call"]

_Tensors = tuple[torch.Tensor, ...]
_KINDS = ("rnn", "lstm", "gru", "gru_v3")
_ACTIVATIONS: dict[str, Any] = {"tanh": ops.tanh, "relu": ops.relu, "sigmoid": ops.sigmoid, "identity": ops.identity}


def is_compiled(x: torch.Tensor, activation: Any = ops.tanh) -> bool:
    """Return whether a program is compiled in which the sweep can be one operator; exported programs cannot have it."""
    if not is_in_program() or x.shape[0] == 0:
        return False
    return any([activation is known for known in _ACTIVATIONS.values()]) and _is_differentiated_once()


def sweep_in_one_call(
    kind: str,
    projected: torch.Tensor,
    weight: torch.Tensor,
    other: torch.Tensor | None,
    carry: _Tensors,
    mask: torch.Tensor | None,
    reverse: bool,
    activation: Any = ops.tanh,
) -> Any:
    """Run ``kind``, "rnn", "lstm", "gru" or "gru_v3", over input products; return all outputs, and the last carry.

    `other` is the second bias of a "gru", or the candidate's weight of a "gru_v3".
    """
    alone = projected.ndim == 2
    if alone:
        projected, mask = projected.unsqueeze(1), None if mask is None else mask.unsqueeze(1)
        carry = tuple([part.unsqueeze(0) for part in carry])
    samples = projected.shape[1]
    carry = tuple([part.expand(samples, part.shape[-1]) for part in carry])
    number = next(n for n, known in enumerate(_ACTIVATIONS.values()) if activation is known)
    # A function recorded as a call may take only numbers and arrays.
    there = tuple([part for part in (projected, weight, other, *carry, mask) if part is not None])
    results = _run(_KINDS.index(kind), number, int(reverse), int(other is not None), int(mask is not None), there)
    if alone:
        y, *ends = results
        results = y.squeeze(1), *[end.squeeze(0) for end in ends]
    return results


@record_as_call
def _run(kind: int, activation: int, reverse: int, has_other: int, has_mask: int, there: _Tensors) -> _Tensors:
    projected, weight, *rest = there
    other = rest.pop(0) if has_other else None
    mask = rest.pop() if has_mask else None
    hidden, memory = rest if len(rest) == 2 else (*rest, None)
    options = _KINDS[kind], list(_ACTIVATIONS)[activation], bool(reverse)
    states, end, *_ = _Sweep.apply(*options, projected, weight, other, hidden, memory, mask)  # type: ignore[misc]
    last = states[0 if reverse else -1]
    y = states if mask is None else torch.where(mask.unsqueeze(-1), states, 0.0)
    return (y, last) if memory is None else (y, last, end)


def _make_step(kind: str, activation: str, weight: torch.Tensor, other: Any) -> Callable[..., Any]:
    if kind == "rnn":
        return lambda x, hidden: (definitions.step_rnn(x, hidden, weight, _ACTIVATIONS[activation]),)
    if kind == "lstm":
        return lambda x, hidden, memory: definitions.step_lstm(x, hidden, memory, weight)
    if kind == "gru":
        return lambda x, hidden: (definitions.step_gru(x, hidden, weight, other),)
    return lambda x, hidden: (definitions.step_gru_v3(x, hidden, weight, other),)


@take_for_constant
def _is_differentiated_once() -> bool:
    """Return whether the only transform here is at most one gradient; for others the sweep must be unrolled."""
    levels = torch._C._functorch.get_interpreter_stack() or []  # type: ignore[attr-defined]
    return not levels or (len(levels) == 1 and levels[0].key().name == "Grad")


class _Sweep(torch.autograd.Function):
    """The sweep as an autograd function."""

    @staticmethod
    def forward(kind: str, activation: str, reverse: bool, *arrays: Any) -> _Tensors:  # type: ignore[override]
        return torch.ops.luxport.sweep(kind, activation, reverse, *arrays)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        *ctx.options, projected, weight, other, hidden, memory, mask = inputs
        states, _, *kept = output
        ctx.mark_non_differentiable(*kept)
        ctx.save_for_backward(projected, weight, other, hidden, memory, mask, states, *kept)

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        gradients = _SweepBack.apply(*ctx.options, *cotangents[:2], *ctx.saved_tensors)
        _, _, other, _, memory, *_ = ctx.saved_tensors
        projected, weight, of_other, hidden, of_memory = gradients  # type: ignore[misc]
        return (
            *(None, None, None, projected, weight, None if other is None else of_other),
            *(hidden, None if memory is None else of_memory, None),
        )


class _SweepBack(torch.autograd.Function):
    """The gradient of `_Sweep` as an autograd function; its own gradient is computed from the definition."""

    @staticmethod
    def forward(kind: str, activation: str, reverse: bool, of_states: Any, of_end: Any, *arrays: Any) -> _Tensors:  # type: ignore[override]
        return torch.ops.luxport.sweep_back(kind, activation, reverse, of_states, of_end, *arrays[1:])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        *ctx.options, _, _, _, _, _, _, _, _, _, _, _ = inputs
        ctx.save_for_backward(*inputs[3:11])

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        kind, activation, reverse = ctx.options
        of_states, of_end, *arguments, mask = ctx.saved_tensors
        there = [argument is not None for argument in arguments]

        def fill_in(present: Sequence[torch.Tensor]) -> list[Any]:
            left = iter(present)
            return [next(left) if is_there else None for is_there in there]

        def define(*present: torch.Tensor) -> _Tensors:
            projected, weight, other, hidden, memory = fill_in(present)
            carry = (hidden,) if memory is None else (hidden, memory)
            return _hold_states(_make_step(kind, activation, weight, other), projected, carry, mask, reverse)

        present = [argument for argument in arguments if argument is not None]
        wanted = tuple([one for one, is_there in zip(cotangents, there, strict=True) if is_there])
        of_values = (of_states,) if arguments[-1] is None else (of_states, of_end)
        of_values, *found = differentiate_gradient(define, present, of_values, wanted)
        of_end = of_values[1] if len(of_values) > 1 else None
        return None, None, None, of_values[0], of_end, *fill_in(found), None, None, None, None


def _hold_states(
    step: Callable[..., _Tensors],
    projected: torch.Tensor,
    carry: _Tensors,
    mask: torch.Tensor | None,
    reverse: bool,
) -> _Tensors:
    """Return the results of the operator, all hidden states and the last memory, by differentiable steps."""
    rows, keep = projected.unbind(0), None if mask is None else mask.unbind(0)
    states: dict[int, torch.Tensor] = {}
    for t in range(len(rows) - 1, -1, -1) if reverse else range(len(rows)):
        carry = definitions.hold_masked(None if keep is None else keep[t], step(rows[t], *carry), carry)
        states[t] = carry[0]
    return torch.stack([states[t] for t in range(len(rows))]), *carry[1:]


define_operator(
    "sweep(str kind, str activation, bool reverse, Tensor projected, Tensor weight, Tensor? other, Tensor hidden, "
    "Tensor? memory, Tensor? mask) -> (Tensor, Tensor, Tensor, Tensor)",
    forward,
    make_forward_outputs,
)
define_operator(
    "sweep_back(str kind, str activation, bool reverse, Tensor of_states, Tensor of_end, Tensor weight, Tensor? other, "
    "Tensor hidden, Tensor? memory, Tensor? mask, Tensor states, Tensor gates, Tensor memories) "
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor)",
    backward,
    make_backward_outputs,
)
