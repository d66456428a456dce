"""Operators that are opaque to PyTorch's compiler: how they are defined, and gradients of their gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

__all__ = ["define_operator", "differentiate_gradient"]

_library = torch.library.Library("luxport", "DEF")


def define_operator(schema: str, kernel: Callable[..., Any], make_outputs: Callable[..., Any]) -> None:
    """Define ``torch.ops.luxport.NAME``.

    Args:
        schema: its name, arguments and results, in PyTorch's words
        kernel: computes it, on every device
        make_outputs: returns new arrays of the sizes that the kernel returns, from the same arguments
    """
    name = schema.partition("(")[0]
    _library.define(schema)
    _library.impl(name, kernel, "CompositeExplicitAutograd")
    torch.library.register_fake(f"luxport::{name}", make_outputs, lib=_library)


def differentiate_gradient(
    define: Callable[..., Any], arrays: Sequence[torch.Tensor], of_values: Any, cotangents: tuple[torch.Tensor, ...]
) -> tuple[Any, ...]:
    """Return the gradient of a function's gradient: of the values' cotangents, and of each array.

    Args:
        define: the function, written so that PyTorch can differentiate it twice
        arrays: its arguments
        of_values: cotangents of its values, at which its gradient was taken
        cotangents: those of the gradient, one for each array
    """

    def pull(of_values: Any, *arrays: torch.Tensor) -> Any:
        return torch.func.vjp(define, *arrays)[1](of_values)  # type: ignore[misc]

    return torch.func.vjp(pull, of_values, *arrays)[1](tuple(cotangents))  # type: ignore[misc]
