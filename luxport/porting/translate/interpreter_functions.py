"""Python's functions and operators for `interpreter`: they count their steps and bound the size of their results."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from luxport.porting.translate.interpreter_names import BINARY, OPERATORS
from luxport.porting.translate.interpreter_values import Budget, TooExpensive, WouldRaise

__all__ = ["COUNTED", "BoundedValues"]

_BITS = 4096
_LONGEST = 10_000
_AGAIN = 100
"""Steps for each part of a layer that is used again: luxport walks it again, which takes some microseconds."""


class BoundedValues:
    """Operations on values that spend steps of a budget and bound the size of results.

    `weights` has the number of parts in each layer, by id.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.weights: dict[int, tuple[Any, int]] = {}
        self.used: set[int] = set()

    def expect_mapping(self, value: Any) -> Mapping[str, Any]:
        """Return a dict, and spend a step for each entry."""
        if not isinstance(value, (dict, MappingProxyType)):
            raise WouldRaise("not a mapping of names to values")
        self.budget.spend(len(value))
        return value

    def expect_entries(self, value: Any) -> Iterable[Any]:
        """Return a sequence to iterate over; the caller counts the steps."""
        if not isinstance(value, (list, tuple, str, range, dict, MappingProxyType)):
            raise WouldRaise(f"a {type(value).__name__} is not a sequence")
        return value

    def list_entries(self, value: Any) -> list[Any]:
        """Return the entries of a sequence as a list, and spend a step for each."""
        entries = self.expect_entries(value)
        self.budget.spend(len(entries))  # type: ignore[arg-type]
        return list(entries)

    def check_size(self, value: Any) -> Any:
        """Return a value, or raise TooExpensive if it is a too large integer or a too long sequence."""
        if isinstance(value, int) and value.bit_length() > _BITS:
            raise TooExpensive("a whole number that grows too long")
        if isinstance(value, (str, list, tuple)) and len(value) > _LONGEST:
            raise TooExpensive("a sequence that grows too long")
        return value

    def compute(self, op: type[ast.operator], left: Any, right: Any) -> Any:
        """Return the result of a binary operator; the size of a large result is checked before it is computed."""
        sequence = (str, list, tuple)
        if isinstance(left, sequence) or isinstance(right, sequence):
            if op is ast.Mult:
                times = right if isinstance(left, sequence) else left
                longest = left if isinstance(left, sequence) else right
                self.budget.spend(max(0, times) * len(longest) if isinstance(times, int) else 0)
            elif op is ast.Add and isinstance(left, sequence) and isinstance(right, sequence):
                self.budget.spend(len(left) + len(right))
            else:
                raise WouldRaise("a sequence is not a number")
        elif op is ast.BitOr and isinstance(left, dict) and isinstance(right, dict):
            return {**self.expect_mapping(left), **self.expect_mapping(right)}
        elif not (isinstance(left, (int, float)) and isinstance(right, (int, float))):
            raise WouldRaise(f"{type(left).__name__} and {type(right).__name__} are no numbers")
        if op is ast.Pow and _take_whole(left).bit_length() * abs(_take_whole(right)) > _BITS:
            raise TooExpensive("a power that grows too long")
        return self.check_size(BINARY[op](left, right))

    def weigh(self, values: Iterable[Any]) -> int:
        """Return the number of parts in values, and spend as many steps; shared parts count each time."""
        total = 0
        for value in values:
            found = 1
            if isinstance(value, (list, tuple)):
                found += self.weigh(value)
            elif isinstance(value, (dict, MappingProxyType)):
                found += self.weigh(value.values())
            elif isinstance(value, str):
                found += len(value) // 10
            elif id(value) in self.weights:
                found = self.weights[id(value)][1]
                self.budget.spend(_AGAIN * found if id(value) in self.used else 0)
                self.used.add(id(value))
            total += found
            self.budget.spend(found)
        return total

    def note_weight(self, made: Any, given: Iterable[Any]) -> Any:
        """Record the number of parts in a layer, which is counted again for each layer around it."""
        self.weights[id(made)] = made, 1 + self.weigh(given)
        return made

    def reduce(self, function: Any, values: Any) -> Any:
        """Return the value of ``functools.reduce``."""
        op = OPERATORS[function]
        first, *rest = self.list_entries(values)
        for value in rest:
            first = self.compute(op, first, value)
        return first

    def add_up(self, values: Any, op: type[ast.operator], start: Any) -> Any:
        """Return the value of ``sum`` or ``math.prod``."""
        for value in self.list_entries(values):
            start = self.compute(op, start, value)
        return start

    def find_extreme(self, function: Callable[..., Any], *given: Any) -> Any:
        """Return the value of ``min`` or ``max``."""
        entries = self.list_entries(given[0]) if len(given) == 1 else list(given)
        self.weigh(entries)
        return function(entries)

    def get_attribute(self, value: Any, name: str, default: Any) -> Any:
        """Return the value of ``getattr``, which only helpers call; attributes of arrays have the default."""
        if name == "trainable":
            return getattr(value, name, default)
        if name not in ("ndim", "shape"):
            raise TooExpensive("an attribute by its name")
        return default


def _take_whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


COUNTED: dict[str, Callable[..., Any]] = {
    "abs": lambda bounded, value: abs(bounded.check_size(value)),
    "enumerate": lambda bounded, values, start=0: list(enumerate(bounded.list_entries(values), start)),
    "float": lambda bounded, value: float(bounded.check_size(value)),
    "functools.reduce": BoundedValues.reduce,
    "getattr": BoundedValues.get_attribute,
    "int": lambda bounded, value: bounded.check_size(int(bounded.check_size(value))),
    "isinstance": lambda bounded, value, kinds: isinstance(value, kinds),  # only helpers call it
    "len": lambda bounded, value: len(value),
    "list": lambda bounded, values=(): bounded.list_entries(values),
    "luxport.backend.is_array": lambda bounded, value: False,  # an import makes none
    "math.prod": lambda bounded, values: bounded.add_up(values, ast.Mult, 1),
    "max": lambda bounded, *given: bounded.find_extreme(max, *given),
    "min": lambda bounded, *given: bounded.find_extreme(min, *given),
    "range": lambda bounded, *given: range(*map(bounded.check_size, given)),
    "reversed": lambda bounded, values: (
        values[::-1] if isinstance(values, range) else bounded.list_entries(values)[::-1]
    ),
    "round": lambda bounded, *given: round(*map(bounded.check_size, given)),
    "slice": lambda bounded, *given: slice(*given),
    "sum": lambda bounded, values, start=0: bounded.add_up(values, ast.Add, start),
    "tuple": lambda bounded, values=(): tuple(bounded.list_entries(values)),
    "zip": lambda bounded, *values, strict=False: list(zip(*map(bounded.list_entries, values), strict=strict)),
}
