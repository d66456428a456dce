"""What a counted run works with: its steps, how statements end, and what stands for classes and their objects."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import luxport

__all__ = [
    "BreakSignal",
    "Budget",
    "OwnClass",
    "ContinueSignal",
    "DefaultFactory",
    "LocalNames",
    "OwnLayer",
    "WouldRaise",
    "OwnRecord",
    "ReturnSignal",
    "TooExpensive",
]


class TooExpensive(Exception):
    """More than an import may compute, or something whose cost nobody knows."""


class WouldRaise(Exception):
    """What Python would raise, and the name that it would look for in vain."""

    def __init__(self, why: str, missing: str = "") -> None:
        super().__init__(why)
        self.missing = missing


class Budget:
    """Steps that are left."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self, steps: int) -> None:
        """Raise if more is spent than there is."""
        self.left -= steps
        if self.left < 0:
            raise TooExpensive("it computes too much when it is imported")


class ReturnSignal(Exception):
    """A ``return``, with its value."""

    def __init__(self, value: Any) -> None:
        self.value = value


class BreakSignal(Exception):
    """A ``break``."""


class ContinueSignal(Exception):
    """A ``continue``."""


class OwnLayer(luxport.Layer):
    """What stands for a layer of a class that the module defines."""

    title: str

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        """Refuse: an import calls no layer."""
        raise TooExpensive(f"{self.title} is called")


class OwnRecord:
    """What stands for an object of a dataclass that the module defines: its fields."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.fields = fields


class OwnClass:
    """What stands for a class: how it is called, and what draws up the defaults of its fields."""

    def __init__(self, name: str, layer: bool, signature: inspect.Signature) -> None:
        self.name = name
        self.layer = layer
        self.signature = signature

    def make(self, given: list[Any], named: dict[str, Any]) -> OwnLayer | OwnRecord:
        """Make an object of it."""
        bound = self.signature.bind(*given, **named)
        bound.apply_defaults()
        values = {
            key: value() if isinstance(value, DefaultFactory) else value for key, value in bound.arguments.items()
        }
        return OwnLayer(self.name) if self.layer else OwnRecord(values)


class DefaultFactory:
    """A default that is made for each object."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def __call__(self) -> Any:
        """Make it."""
        return self.make()


class LocalNames(dict[str, Any]):
    """The names of a function, and those around it."""

    def __init__(self, around: Mapping[str, Any], own: Mapping[str, Any]) -> None:
        super().__init__(own)
        self.around = around

    def __missing__(self, name: str) -> Any:
        return self.around[name]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self.around
