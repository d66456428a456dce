"""Calling a module of PyTorch's with parameters that are given to the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport_conformance.peers.counterpart import Counterpart
from luxport_conformance.peers.layer_tools import pick_activation

__all__ = ["find_activation", "find_module", "wrap_module"]


def find_module(name: str, axes: int | None = None) -> Any:
    """Return the class of this name, for so many spatial axes."""
    from torch import nn

    return getattr(nn, name if axes is None else f"{name}{axes}d")


def find_activation(layer: Any) -> Callable[[Any], Any]:
    """Return PyTorch's own function for a layer's activation, as its modules have none.

    Raises: NoCounterpartError
    """
    import torch

    return pick_activation(layer, {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh})


def wrap_module(
    built: Any, parameters: Callable[[Any], dict[str, Any]] = lambda ps: {}, layer: Any = None
) -> Counterpart:
    """Call a module with parameters by PyTorch's names, those that are not None, and then luxport's layer's activation.

    The module is put out of training; whoever wants it in training puts it there afterward.
    """
    import torch

    built.eval()
    activation = find_activation(layer)

    def call(x: Any, ps: Any) -> Any:
        given = {name: value for name, value in parameters(ps).items() if value is not None}
        first = x[0] if isinstance(x, tuple) else x
        if first.is_floating_point():
            built.to(first.dtype)  # statistics, too
        return activation(torch.func.functional_call(built, given, x if isinstance(x, tuple) else (x,)))

    return Counterpart(call)
