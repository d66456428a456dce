"""Rules for options: what an option of an operation or a loss may be, in words and as a test."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Integral, Number, Real
from typing import Any, SupportsInt

from luxport.backend._protocol import Backend

__all__ = [
    "ANNOTATED",
    "ANY_INT",
    "AXES",
    "AXIS",
    "BACKEND",
    "FINITE",
    "FLAG",
    "FUNCTION",
    "LABEL",
    "LARGEST_INT32",
    "LONGEST",
    "MOST",
    "NON_NEGATIVE",
    "NUMBER",
    "POSITIVE",
    "PROBABILITY",
    "SHAPE",
    "SOME_AXES",
    "SPATIAL_SIZES",
    "TEXT",
    "Rule",
    "allow_choice",
    "count",
    "allow_each",
    "is_finite",
    "is_int",
    "is_number",
    "defer_rule",
    "allow_number",
    "allow_none",
]

Shape = tuple[Any, ...]

LONGEST = 2**20
"""No axis that is computed place by place is longer than this."""

LARGEST_INT32 = 2**31 - 1
"""What kernels hold in 32 bits is no larger than this: TensorFlow's end the process for a stride beyond it."""

MOST = 2**40
"""No array has more elements than this: a larger size is refused before memory is asked for."""


@dataclass(frozen=True)
class Rule:
    """What an option may be: in words, and as a test of a value, given the shape of the first array or None.

    Whatever has a shape itself (a number that only the running program knows) passes for a number. One in `defer_rule`
    explains a call that has failed, and is not looked at before: where a wrong value always makes a call fail.
    """

    wanted: str
    holds: Callable[[Any, Any], bool]
    late: bool = False

    @property
    def tells_axes(self) -> bool:
        """Whether it is about axes of the first array, whose shape a message then tells."""
        return "axis" in self.wanted or "axes" in self.wanted


def defer_rule(rule: Rule) -> Rule:
    """Leave a rule until a call has failed."""
    return replace(rule, late=True)


def allow_none(rule: Rule) -> Rule:
    """Allow None too."""
    return Rule(f"{rule.wanted}, or None", lambda value, shape: value is None or rule.holds(value, shape))


def allow_choice(*values: Any) -> Rule:
    """Allow some values only."""
    *others, last = [repr(value) for value in values]
    return Rule(f"{', '.join(others)} or {last}", lambda value, shape: any(_is(value, other) for other in values))


def count(least: int, most: int = MOST) -> Rule:
    """Allow ints of at least `least`."""
    bounds = f"from {least} to {most}" if most < MOST else f"of at least {least}"
    wanted = f"an int {bounds}"
    return Rule(wanted, lambda value, shape: (is_int(value) and least <= value <= most) or is_running_number(value))


def allow_number(wanted: str, test: Callable[[float], bool]) -> Rule:
    """Allow the numbers that pass a test; NaN passes none."""
    return Rule(wanted, lambda value, shape: (is_number(value) and test(value)) or is_running_number(value))


def is_int(value: Any) -> bool:
    """Tell whether a value is a whole number, booleans aside."""
    return type(value) is int or (isinstance(value, Integral) and not isinstance(value, bool))


def is_number(value: Any) -> bool:
    """Tell whether a value is a real number, booleans aside; not all frameworks take ints of more than 64 bits."""
    if type(value) is float:
        return True
    if isinstance(value, int):
        return not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63
    return isinstance(value, Real)


def is_finite(value: Any) -> bool:
    """Tell whether a value is a finite real number, booleans aside."""
    return is_number(value) and math.isfinite(value)


def is_running_number(value: Any) -> bool:
    """Tell whether a value is an array of one number, which only the running program may know."""
    shape = getattr(value, "shape", None)
    return shape is not None and len(shape) == 0 and not isinstance(value, Real)


def _is_open(size: Any) -> bool:
    """Tell whether a size is an expression that a compiler computes with and leaves open, as `jax.export` does."""
    return isinstance(size, SupportsInt) and not isinstance(size, Number) and getattr(size, "shape", None) is None


def _is(value: Any, other: Any) -> bool:
    return type(value) is type(other) and value == other


def _is_axis(value: Any, shape: Shape | None) -> bool:
    return is_int(value) and (shape is None or -len(shape) <= value < len(shape))


def _are_axes(value: Any, shape: Shape | None) -> bool:
    if value is None or _is_axis(value, shape):
        return True
    if not isinstance(value, tuple) or not all([_is_axis(axis, shape) for axis in value]):
        return False
    return len({axis if shape is None else axis % len(shape) for axis in value}) == len(value)


def _is_shape(value: Any, shape: Shape) -> bool:
    if not isinstance(value, tuple):
        return False
    # Integers first: PyTorch's compiler has sizes of which it cannot tell whether they have a shape.
    if not all([(is_int(n) and 0 <= n <= MOST) or n is None or is_running_number(n) or _is_open(n) for n in value]):
        return False
    return math.prod([n for n in value if is_int(n)]) <= _MOST_DRAWN


_MOST_DRAWN = 2**32
"""The cipher numbers pairs of them by an int32: more would begin again."""


FLAG = Rule("True or False", lambda value, shape: value is True or value is False or _is_bool(value))
FUNCTION = Rule("a function", lambda value, shape: callable(value))
NUMBER = allow_number("a number", lambda value: value == value)
FINITE = allow_number("a finite number", math.isfinite)
POSITIVE = allow_number("a positive finite number", lambda value: 0 < value < math.inf)
NON_NEGATIVE = allow_number("a finite number of at least 0", lambda value: 0 <= value < math.inf)
PROBABILITY = allow_number("a number in [0, 1]", lambda value: 0 <= value <= 1)
AXIS = Rule("an axis of the array", _is_axis)
AXES = Rule("an axis of the array, a tuple of axes that differ, or None", _are_axes)
SOME_AXES = Rule(
    "a tuple of axes of the array that differ", lambda v, shape: isinstance(v, tuple) and _are_axes(v, shape)
)
SHAPE = Rule(f"a tuple of sizes of at least 0, of {_MOST_DRAWN} numbers at most", _is_shape)


def allow_each(wanted: str, test: Callable[[Any], bool]) -> Rule:
    """Allow one for all spatial axes, or a tuple with one for each of some: what passes a test."""
    return Rule(
        f"{wanted}, or a tuple of such",
        lambda value, shape: test(value) or (isinstance(value, tuple) and len(value) > 0 and all(map(test, value))),
    )


def _are_sizes(value: Any, shape: Shape | None) -> bool:
    return (
        isinstance(value, tuple)
        and (shape is None or len(value) == len(shape) - 2)
        and all([is_int(n) and 1 <= n <= LONGEST for n in value])
    )


SPATIAL_SIZES = Rule(f"a tuple of ints from 1 to {LONGEST}, one for each spatial axis", _are_sizes)


ANY_INT = Rule("an int", lambda value, shape: is_int(value) or is_running_number(value))
LABEL = count(-LARGEST_INT32 - 1, LARGEST_INT32)  # what arrays of labels hold
TEXT = Rule("a string", lambda value, shape: isinstance(value, str))

BACKEND = Rule(
    "a backend or its name, or None", lambda value, shape: value is None or isinstance(value, (str, Backend))
)

ANNOTATED = {
    "bool": FLAG,
    "bool | None": allow_none(FLAG),
    "float": NUMBER,
    "float | None": allow_none(NUMBER),
    "int": ANY_INT,
    "int | None": allow_none(ANY_INT),
    "str": TEXT,
    "str | None": allow_none(TEXT),
}
"""What an option's annotation alone says that it may be."""


def _is_bool(value: Any) -> bool:
    return type(value).__name__ in ("bool", "bool_")
