"""A model with its parameters and states as a `torch.nn.Module`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.core.modes import test_mode, train_mode
from luxport.tree.static import Static

__all__ = ["Entries", "TorchModule"]


class TorchModule(torch.nn.Module):
    """A layer, its parameters and its current state as a PyTorch module, made by `luxport.to_torch`.

    >>> import luxport
    >>> model = luxport.Chain(luxport.Dense(2, 3, luxport.relu), luxport.Dense(3, 1, use_bias=False))
    >>> module = luxport.to_torch(model, *luxport.setup(0, model))
    >>> list(module.state_dict()), module(torch.ones(4, 2)).shape
    (['ps.layer_1.weight', 'ps.layer_1.bias', 'ps.layer_2.weight'], torch.Size([4, 1]))
    """

    def __init__(self, model: Layer, ps: Parameters, st: States) -> None:
        super().__init__()
        self.model = model
        self.ps = Entries(ps, trained=True)
        self.st = Entries(st, trained=False)
        modes = _list_modes(st)
        if modes and not any(modes):
            self.eval()

    def forward(self, *inputs: Any) -> Any:
        """Call the model, and store its new state in `self.st`."""
        st = self.st.tree()
        y, st = self.model(
            inputs[0] if len(inputs) == 1 else inputs,
            self.ps.tree(),
            train_mode(st) if self.training else test_mode(st),
        )
        self.st.keep(st)
        return y

    def extra_repr(self) -> str:
        """Return the model's representation, for `print`."""
        return repr(self.model)


class Entries(torch.nn.Module):
    """A tree of arrays as a tree of modules: dicts and sequences are modules, arrays their parameters or buffers.

    Leaves that are not arrays (`Static`, None, numbers) are constants, and are not in `state_dict`.
    """

    def __init__(self, tree: Any, *, trained: bool) -> None:
        super().__init__()
        self._trained = trained
        self._kind = dict if isinstance(tree, Mapping) else type(tree)
        self._constants: dict[str, Any] = {}
        self._names: tuple[str, ...] = ()
        for name, value in _list_items(tree):
            self._set(name, value)

    def tree(self) -> Any:
        """Return the tree, with the parameters and buffers as its leaves."""
        values = [self._get(name) for name in self._names]
        if self._kind is dict:
            return dict(zip(self._names, values, strict=True))
        # A named tuple takes its entries one by one.
        return self._kind(values) if self._kind in (tuple, list) else self._kind(*values)

    def keep(self, tree: Any) -> None:
        """Replace the values by those of another tree, detached; values that are the same object are kept."""
        for name, value in _list_items(tree):
            inner = self._modules.get(name)
            if isinstance(inner, Entries) and inner._takes(value):
                inner.keep(value)
            elif name not in self._names or self._get(name) is not value:
                self._set(name, value)

    # Entries are stored in the dicts of `torch.nn.Module` and not set as attributes, because they may have the names of
    # its methods, such as "type" or "forward".

    def _get(self, name: str) -> Any:
        if name in self._parameters:
            return self._parameters[name]
        if name in self._buffers:
            return self._buffers[name]
        if name in self._modules:
            inner: Any = self._modules[name]
            return inner.tree()
        return self._constants[name]

    def _set(self, name: str, value: Any) -> None:
        if isinstance(value, torch.Tensor) and name in self._buffers:
            self._buffers[name] = value.detach()
            return
        for held in (self._parameters, self._buffers, self._modules, self._constants):
            held.pop(name, None)
        if name not in self._names:
            self._names = (*self._names, name)
        if isinstance(value, (Mapping, tuple, list)):
            self._modules[name] = Entries(value, trained=self._trained)
        elif not isinstance(value, torch.Tensor):
            self._constants[name] = value
        elif self._trained:
            differentiable = value.is_floating_point() or value.is_complex()
            self._parameters[name] = torch.nn.Parameter(value.detach(), requires_grad=differentiable)
        else:
            self._buffers[name] = value.detach()

    def _takes(self, value: Any) -> bool:
        """Return whether a value is a tree with entries of the same names."""
        if not isinstance(value, (Mapping, tuple, list)):
            return False
        return tuple([name for name, _ in _list_items(value)]) == self._names


def _list_items(tree: Any) -> list[tuple[str, Any]]:
    if isinstance(tree, Mapping):
        return [(str(name), value) for name, value in tree.items()]
    return [(str(i), value) for i, value in enumerate(tree)]


def _list_modes(st: Any) -> list[bool]:
    """Return the values of all entries ``training`` in a tree of states."""
    if not isinstance(st, (Mapping, tuple, list)):
        return []
    here = [bool(st["training"])] if isinstance(st, Mapping) and isinstance(st.get("training"), Static) else []
    return here + [mode for _, value in _list_items(st) for mode in _list_modes(value)]
