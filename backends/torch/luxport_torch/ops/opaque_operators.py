"""Defines operators that PyTorch's compiler does not trace into, and computes gradients of their gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

__all__ = ["define_operator", "differentiate_gradient"]

_library = torch.library.Library("luxport", "DEF")


def define_operator(schema: str, kernel: Callable[..., Any], make_outputs: Callable[..., Any]) -> None:
    """Define ``torch.ops.luxport.NAME``.

    Args:
        schema: its name, arguments and results, in the schema language of `torch.library`
        kernel: the function that computes it, on every device
        make_outputs: takes the arguments of the kernel; returns empty arrays like its results
    """
    name = schema.partition("(")[0]
    _library.define(schema)
    _library.impl(name, kernel, "CompositeExplicitAutograd")
    torch.library.register_fake(f"luxport::{name}", make_outputs, lib=_library)


def differentiate_gradient(
    define: Callable[..., Any], arrays: Sequence[torch.Tensor], of_values: Any, cotangents: tuple[torch.Tensor, ...]
) -> tuple[Any, ...]:
    """Return the second-order gradients of a function: with respect to the cotangents of its values, and each array.

    Args:
        define: the function, composed of operations that PyTorch can differentiate twice
        arrays: its arguments
        of_values: the cotangents of its values that its gradient was computed for
        cotangents: the cotangents of that gradient, one for each array
    """

    def pull(of_values: Any, *arrays: torch.Tensor) -> Any:
        return torch.func.vjp(define, *arrays)[1](of_values)  # type: ignore[misc]

    return torch.func.vjp(pull, of_values, *arrays)[1](tuple(cotangents))  # type: ignore[misc]
