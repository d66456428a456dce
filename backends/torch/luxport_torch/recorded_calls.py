"""Decorators for functions that Dynamo must not trace; the marks are set when Dynamo is imported."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from luxport.when_imported import when_imported

__all__ = ["record_as_call", "take_for_constant"]

F = TypeVar("F", bound=Callable[..., Any])


def record_as_call(function: F) -> F:
    """Make Dynamo record a call of a module's function as one node instead of tracing into it.

    The function may take only numbers and arrays. If Dynamo traced a `torch.autograd.Function`, its `forward` would be
    differentiated and its `backward` ignored; the later stages of compilation, which do trace the call, use `backward`.
    """
    return _mark(function, lambda: torch._dynamo.nonstrict_trace(function))


def take_for_constant(function: F) -> F:
    """Make Dynamo call a module's function while it traces, and use the result as a constant of the program."""
    return _mark(function, lambda: torch._dynamo.assume_constant_result(function))


def _mark(function: F, mark: Callable[[], Any]) -> F:
    """Replace a function by a marked one when Dynamo is imported; to import it here would double PyTorch's time."""
    marked: list[Any] = []

    def put() -> None:
        marked.append(mark())
        setattr(sys.modules[function.__module__], function.__name__, marked[0])

    when_imported("torch._dynamo", put)
    return marked[0] if marked else function
