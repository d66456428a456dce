"""A module's arrays on the host, and which of PyTorch's classes it is."""

from __future__ import annotations

from typing import Any, TypeAlias

from luxport.backend import get_backend
from luxport.core.layer import Layer

__all__ = ["Ported", "collect_arrays", "find_class", "copy_to_host"]

Ported: TypeAlias = tuple[Layer, dict[str, Any], dict[str, Any]]
"""A layer, its parameters, and those of its states that the module has."""


def copy_to_host(tensor: Any) -> Any:
    """Copy a tensor to the host."""
    return get_backend("torch").to_numpy(tensor.detach())


def collect_arrays(module: Any, **names: str) -> dict[str, Any]:
    """Return the module's arrays that are there, by our names."""
    found = {ours: getattr(module, theirs) for ours, theirs in names.items()}
    return {ours: copy_to_host(tensor) for ours, tensor in found.items() if tensor is not None}


def find_class(module: Any) -> type:
    """Return the class of PyTorch's own that a module is: also of one that only has another name, or parametrizations.

    Raises: ValueError for a module with a `forward` of its own
    """
    kinds = type(module).__mro__
    for kind in kinds:
        if kind.__module__.startswith("torch.nn.modules."):
            if kind.__name__ != "Module" and kind.forward is type(module).forward:  # type: ignore[attr-defined]
                return kind
            break
    raise ValueError("is no class of torch.nn")
