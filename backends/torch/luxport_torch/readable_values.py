"""Whether values can be read while a program runs, and whether it is being compiled."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["is_in_program", "may_look"]

_compiler: Any = torch.compiler


def may_look(x: torch.Tensor) -> bool:
    """Tell whether x can be read at once: on the CPU, outside of transforms and compiled programs."""
    return (
        # What `torch.compiler.is_compiling` checks, without the rest of it.
        not _compiler.is_dynamo_compiling()
        and not _compiler._is_compiling_flag
        and not torch._C._are_functorch_transforms_active()
        and type(x) is torch.Tensor
        and x.is_cpu
    )


def is_in_program() -> bool:
    """Tell whether a program is compiled to run here; an exported one may hold no operators of luxport's."""
    return _compiler.is_compiling() and not _compiler.is_exporting()
