"""Copy a module's tensors to NumPy arrays, and find which class of `torch.nn` it is."""

from __future__ import annotations

from typing import Any, TypeAlias

from luxport.backend import get_backend
from luxport.core.layer import Layer

__all__ = ["Ported", "collect_arrays", "find_class", "copy_to_host"]

Ported: TypeAlias = tuple[Layer, dict[str, Any], dict[str, Any]]
"""A layer, its parameters, and those entries of its state that the module has."""


def copy_to_host(tensor: Any) -> Any:
    """Return a NumPy array with the values of a tensor."""
    return get_backend("torch").to_numpy(tensor.detach())


def collect_arrays(module: Any, **names: str) -> dict[str, Any]:
    """Return the module's tensors as NumPy arrays by luxport's names, without those that are None."""
    found = {ours: getattr(module, theirs) for ours, theirs in names.items()}
    return {ours: copy_to_host(tensor) for ours, tensor in found.items() if tensor is not None}


def find_class(module: Any) -> type:
    """Return the class of `torch.nn` that computes what a module does: its own class, or the one it inherits from.

    A subclass counts only if it inherits `forward` unchanged, as classes that parametrizations make do.

    Raises: ValueError for a module with its own `forward`
    """
    kinds = type(module).__mro__
    for kind in kinds:
        if kind.__module__.startswith("torch.nn.modules."):
            if kind.__name__ != "Module" and kind.forward is type(module).forward:  # type: ignore[attr-defined]
                return kind
            break
    raise ValueError("it is no class of torch.nn, or has its own forward")
