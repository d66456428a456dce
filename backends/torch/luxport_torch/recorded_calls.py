"""Functions that Dynamo does not trace: they are marked for it as soon as it is imported."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from luxport.when_imported import when_imported

__all__ = ["record_as_call", "take_for_constant"]

F = TypeVar("F", bound=Callable[..., Any])


def record_as_call(function: F) -> F:
    """Let Dynamo record calls of a module's function, which take numbers and arrays alone, without tracing into it.

    Traced by Dynamo, a `torch.autograd.Function` would be differentiated as its forward is written. The later stages of
    compilation respect its backward, and trace through the call.
    """
    return _mark(function, lambda: torch._dynamo.nonstrict_trace(function))


def take_for_constant(function: F) -> F:
    """Let Dynamo call a module's function as it traces, and make the result a constant of the program."""
    return _mark(function, lambda: torch._dynamo.assume_constant_result(function))


def _mark(function: F, mark: Callable[[], Any]) -> F:
    """Replace a function by a marked one once Dynamo is imported, which takes as long as all the rest of PyTorch."""
    marked: list[Any] = []

    def put() -> None:
        marked.append(mark())
        setattr(sys.modules[function.__module__], function.__name__, marked[0])

    when_imported("torch._dynamo", put)
    return marked[0] if marked else function
