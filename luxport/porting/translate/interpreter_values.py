"""Values and exceptions of `interpreter`: its budget, control flow, stand-ins for classes and their objects."""

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
    """The import would compute too much, or something of unknown cost."""


class WouldRaise(Exception):
    """Python would raise here; `missing` is the name that it would not find, "" for other errors."""

    def __init__(self, why: str, missing: str = "") -> None:
        super().__init__(why)
        self.missing = missing


class Budget:
    """A number of steps that may still be spent."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self, steps: int) -> None:
        """Subtract steps, and raise TooExpensive if none are left."""
        self.left -= steps
        if self.left < 0:
            raise TooExpensive("it computes too much when it is imported")


class ReturnSignal(Exception):
    """Ends a function, at a ``return`` with this value."""

    def __init__(self, value: Any) -> None:
        self.value = value


class BreakSignal(Exception):
    """Ends a loop, at a ``break``."""


class ContinueSignal(Exception):
    """Ends an iteration of a loop, at a ``continue``."""


class OwnLayer(luxport.Layer):
    """Stands for an object of a layer class that the module defines."""

    title: str

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        """Refuse to be called: no import calls a layer."""
        raise TooExpensive(f"{self.title} is called")


class OwnRecord:
    """Stands for an object of a dataclass that the module defines: its fields by name."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.fields = fields


class OwnClass:
    """Stands for a class that the module defines: its name and the signature of its constructor."""

    def __init__(self, name: str, layer: bool, signature: inspect.Signature) -> None:
        self.name = name
        self.layer = layer
        self.signature = signature

    def make(self, given: list[Any], named: dict[str, Any]) -> OwnLayer | OwnRecord:
        """Return a stand-in for an object of the class."""
        bound = self.signature.bind(*given, **named)
        bound.apply_defaults()
        values = {
            key: value.make() if isinstance(value, DefaultFactory) else value for key, value in bound.arguments.items()
        }
        return OwnLayer(self.name) if self.layer else OwnRecord(values)


class DefaultFactory:
    """A field's default that is computed for each object."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


class LocalNames(dict[str, Any]):
    """The local names of a function, which falls back on the names around it."""

    def __init__(self, around: Mapping[str, Any], own: Mapping[str, Any]) -> None:
        super().__init__(own)
        self.around = around

    def __missing__(self, name: str) -> Any:
        return self.around[name]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self.around
