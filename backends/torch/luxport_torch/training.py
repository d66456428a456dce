"""Steps of training by PyTorch: gradients by autograd or one compiled graph, then the optimizer in the same memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch

from luxport_torch.transforms import jit as compiled

__all__ = ["train_program"]


def train_program(
    gradients: Callable[..., Any], finish: Callable[..., Any], *, jit: bool, donate: bool
) -> Callable[[Any, Any], Any]:
    """Return a step as a function of data and state; if it may `donate`, in the memory of the state.

    What the optimizer does is one call of a fused kernel, which a compiler's graph would not be faster than, and
    which may write over the parameters: in a graph they would be copied.
    """
    compute = _compiled(gradients) if jit else gradients

    def program(data: Any, state: Any) -> Any:
        with torch.no_grad():
            grads, loss, stats, st = compute(state.program, state.ps, state.st, state.scale, data)
            ask = loss.is_cpu  # where there is nothing to wait for
            return finish(state, state._replace(st=st), grads, loss, stats, in_place=donate, ask=ask)

    return program


@lru_cache(maxsize=64)
def _compiled(gradients: Callable[..., Any]) -> Callable[..., Any]:
    """Compile once what several programs begin with: they differ in what they do with gradients."""
    return compiled(gradients)
