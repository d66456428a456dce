"""Checks whether a tensor's values can be read now, and whether a program is being compiled."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["is_in_program", "may_look"]

_compiler: Any = torch.compiler


def may_look(x: torch.Tensor) -> bool:
    """Return whether x can be read at once: on the CPU, outside of transforms and compiled programs."""
    return (
        # The checks of `torch.compiler.is_compiling`, inlined for speed.
        not _compiler.is_dynamo_compiling()
        and not _compiler._is_compiling_flag
        and not torch._C._are_functorch_transforms_active()
        and type(x) is torch.Tensor
        and x.is_cpu
    )


def is_in_program() -> bool:
    """Return whether a program is being compiled to run here, and not exported.

    Only the former may use luxport's own operators, which are not defined where an exported program is loaded.
    """
    return _compiler.is_compiling() and not _compiler.is_exporting()
