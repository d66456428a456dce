"""Calling PyTorch's modules with parameters passed as arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport_conformance.peers.counterpart import Counterpart
from luxport_conformance.peers.layer_tools import pick_activation

__all__ = ["find_activation", "find_module", "wrap_module"]


def find_module(name: str, axes: int | None = None) -> Any:
    """Return the class of this name in `torch.nn`, such as ``Conv2d`` for "Conv" and 2 spatial axes."""
    from torch import nn

    return getattr(nn, name if axes is None else f"{name}{axes}d")


def find_activation(layer: Any) -> Callable[[Any], Any]:
    """Return PyTorch's function for a layer's activation, because its modules apply none.

    Raises: NoCounterpartError if the activation is unknown
    """
    import torch

    return pick_activation(layer, {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh})


def wrap_module(
    built: Any, parameters: Callable[[Any], dict[str, Any]] = lambda ps: {}, layer: Any = None
) -> Counterpart:
    """Return a counterpart that calls a module, and then applies the activation of luxport's `layer`.

    `parameters` converts luxport's parameters to PyTorch's by name; None is ignored. The module is set to evaluation
    mode; for training the caller sets it to training mode afterward.
    """
    import torch

    built.eval()
    activation = find_activation(layer)

    def call(x: Any, ps: Any) -> Any:
        given = {name: value for name, value in parameters(ps).items() if value is not None}
        first = x[0] if isinstance(x, tuple) else x
        if first.is_floating_point():
            built.to(first.dtype)  # the running statistics too
        return activation(torch.func.functional_call(built, given, x if isinstance(x, tuple) else (x,)))

    return Counterpart(call)
