"""PyTorch's override of CTC's recursion: in compiled programs one operator for all steps, see `sweeps`."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn.functional import pad

from luxport.ops._ctc import ctc_sweep as _ctc_sweep
from luxport.ops._operation import definition_of
from luxport_torch.ops.opaque_operators import define_operator, differentiate_gradient
from luxport_torch.ops.sweeps import is_compiled
from luxport_torch.recorded_calls import record_as_call

__all__ = ["ctc_sweep"]

_definition: Any = definition_of(_ctc_sweep)


def ctc_sweep(scores: torch.Tensor, skips: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
    """Call one operator in compiled programs, with a hand-written gradient; otherwise the definition."""
    if not is_compiled(scores):
        return _definition(scores, skips, lengths)
    # A function recorded as a call must not get None.
    return _run((scores, skips) if lengths is None else (scores, skips, lengths))


@record_as_call
def _run(there: tuple[torch.Tensor, ...]) -> torch.Tensor:
    scores, skips, *lengths = there
    return _Sweep.apply(scores, skips, *(lengths or [None]))[0]  # type: ignore[index]


class _Sweep(torch.autograd.Function):
    """All steps as one autograd function."""

    @staticmethod
    def forward(scores: Any, skips: Any, lengths: Any) -> tuple[torch.Tensor, torch.Tensor]:  # type: ignore[override]
        return torch.ops.luxport.ctc_sweep(scores, skips, lengths)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        _, reached = output
        ctx.mark_non_differentiable(reached)
        ctx.save_for_backward(*inputs, reached)

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        return _SweepBack.apply(cotangents[0], *ctx.saved_tensors), None, None


class _SweepBack(torch.autograd.Function):
    """The gradient of `_Sweep` as an autograd function; its own gradient is computed from the definition."""

    @staticmethod
    def forward(of_last: Any, scores: Any, skips: Any, lengths: Any, reached: Any) -> torch.Tensor:  # type: ignore[override]
        return torch.ops.luxport.ctc_sweep_back(of_last, skips, lengths, reached)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(*inputs[:4])

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        of_last, scores, skips, lengths = ctx.saved_tensors

        def define(scores: torch.Tensor) -> torch.Tensor:
            return _definition(scores, skips, lengths)

        return *differentiate_gradient(define, [scores], of_last, cotangents), None, None, None


def _forward(
    scores: torch.Tensor, skips: torch.Tensor, lengths: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the log-probabilities after the last step (N, P), and after each step (T, N, P)."""
    reached = torch.empty_like(scores, memory_format=torch.contiguous_format)
    last = scores[0].clone()
    last[:, 2:] = -math.inf
    reached[0] = last
    for t, here in enumerate(scores.unbind(0)[1:], 1):
        further = torch.stack(_weigh_ways(last, skips)).logsumexp(0).add_(here)
        last = further if lengths is None else torch.where((t < lengths).unsqueeze(-1), further, last)
        reached[t] = last
    # Both contiguous, as the outputs that are declared to the compiler below.
    return reached[-1].clone(), reached


def _weigh_ways(reached: torch.Tensor, skips: torch.Tensor) -> list[torch.Tensor]:
    """Return the log-probabilities before a step at each place, one place before, and two where a skip is allowed."""
    one, two = [pad(reached, (places, 0), value=-math.inf)[..., : reached.shape[-1]] for places in (1, 2)]
    return [reached, one, torch.where(skips, two, -math.inf)]


def _backward(
    of_last: torch.Tensor, skips: torch.Tensor, lengths: torch.Tensor | None, reached: torch.Tensor
) -> torch.Tensor:
    """Return the gradient of the scores: each place passes its gradient back to the places that led to it."""
    gradient = torch.empty_like(reached, memory_format=torch.contiguous_format)
    # Places that cannot be reached have gradient 0; without `where`, -inf - -inf would make it NaN.
    ways = torch.stack(_weigh_ways(reached[:-1], skips))
    total = ways.logsumexp(0)
    shares = torch.where(total > -math.inf, (ways - total).exp(), 0.0).unbind(1)
    slope = of_last
    for t in range(len(reached) - 1, 0, -1):
        stay, one, two = (shares[t - 1] * slope).unbind(0)
        before = stay + pad(one[:, 1:], (0, 1)) + pad(two[:, 2:], (0, min(2, two.shape[1])))
        if lengths is None:
            gradient[t], slope = slope, before
            continue
        counts = (t < lengths).unsqueeze(-1)
        gradient[t], slope = torch.where(counts, slope, 0.0), torch.where(counts, before, slope)
    gradient[0] = slope
    gradient[0, :, 2:] = 0.0
    return gradient


define_operator(
    "ctc_sweep(Tensor scores, Tensor skips, Tensor? lengths) -> (Tensor, Tensor)",
    _forward,
    lambda scores, skips, lengths: (scores.new_empty(scores.shape[1:]), scores.new_empty(scores.shape)),
)
define_operator(
    "ctc_sweep_back(Tensor of_last, Tensor skips, Tensor? lengths, Tensor reached) -> Tensor",
    _backward,
    lambda of_last, skips, lengths, reached: reached.new_empty(reached.shape),
)
