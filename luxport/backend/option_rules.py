"""Rules for the options of operations and losses: which values are allowed, as a test and in words for the error."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Integral, Number, Real
from typing import Any, SupportsInt

import numpy as np

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
    "LONGEST_AXIS",
    "MOST_ELEMENTS",
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
    "allow_count",
    "allow_each",
    "is_finite",
    "is_int",
    "is_number",
    "defer_rule",
    "allow_number",
    "allow_none",
]

Shape = tuple[Any, ...]

LONGEST_AXIS = 2**20
"""The longest axis whose positions are computed one by one, such as an upsampled one."""

LARGEST_INT32 = 2**31 - 1
"""The largest number for options that kernels hold in 32 bits: TensorFlow's crash the process for a larger stride."""

MOST_ELEMENTS = 2**40
"""The largest number of elements of an array: a larger size is refused before any memory is allocated."""


@dataclass(frozen=True)
class Rule:
    """The allowed values of an option: in words, and as a test of the value and the shape of the first array or None.

    An array without axes passes as a number, since only the running program may know its value. A rule that is `late`,
    see `defer_rule`, is used only to explain a call that has failed.
    """

    wanted: str
    holds: Callable[[Any, Any], bool]
    late: bool = False

    @property
    def tells_axes(self) -> bool:
        """Whether the rule is about axes of the first array, whose shape the message then contains."""
        return "axis" in self.wanted or "axes" in self.wanted


def defer_rule(rule: Rule) -> Rule:
    """Return the rule as one that is tested only after a call has failed, as a wrong value always makes it fail."""
    return replace(rule, late=True)


def allow_none(rule: Rule) -> Rule:
    """Allow None too."""
    return Rule(f"{rule.wanted}, or None", lambda value, shape: value is None or rule.holds(value, shape))


def allow_choice(*values: Any) -> Rule:
    """Allow only these values."""
    *others, last = [repr(value) for value in values]
    return Rule(f"{', '.join(others)} or {last}", lambda value, shape: any(_is(value, other) for other in values))


def allow_count(least: int, most: int = MOST_ELEMENTS) -> Rule:
    """Allow ints from `least` to `most`."""
    bounds = f"from {least} to {most}" if most < MOST_ELEMENTS else f"of at least {least}"
    wanted = f"an int {bounds}"
    return Rule(wanted, lambda value, shape: (is_int(value) and least <= value <= most) or is_scalar_array(value))


def allow_number(wanted: str, test: Callable[[float], bool]) -> Rule:
    """Allow numbers that pass a test, which should be False for NaN."""
    return Rule(wanted, lambda value, shape: (is_number(value) and test(value)) or is_scalar_array(value))


def is_int(value: Any) -> bool:
    """Return whether a value is an integer, booleans excluded."""
    return type(value) is int or (isinstance(value, Integral) and not isinstance(value, bool))


def is_number(value: Any) -> bool:
    """Return whether a value is a real number, excluding booleans and ints of more than 64 bits.

    Not all frameworks accept longer ints.
    """
    if type(value) is float:
        return True
    if isinstance(value, int):
        return not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63
    return isinstance(value, Real)


def convert_scalars(value: Any) -> Any:
    """Convert NumPy scalars, alone or in tuples, to Python numbers, which leave the dtypes of arrays as they are."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) is tuple and any([isinstance(entry, (np.generic, tuple)) for entry in value]):
        return tuple([convert_scalars(entry) for entry in value])
    return value


def convert_arguments(
    built: Any, args: tuple[Any, ...], options: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Convert NumPy scalars among the arguments of a class of luxport, so that equal options make equal objects.

    A custom class may give its fields any meaning: its arguments are returned unchanged.
    """
    if not is_of_luxport(built):
        return args, options
    return tuple([convert_scalars(value) for value in args]), {n: convert_scalars(v) for n, v in options.items()}


def is_of_luxport(built: Any) -> bool:
    """Return whether the class of a layer, loss or rule comes with luxport, and its options have known meanings."""
    return type(built).__module__.startswith("luxport.")


def is_finite(value: Any) -> bool:
    """Return whether a value is a finite real number, booleans excluded."""
    return is_number(value) and math.isfinite(value)


def is_scalar_array(value: Any) -> bool:
    """Return whether a value is an array without axes, whose number may be known only when the program runs."""
    shape = getattr(value, "shape", None)
    return shape is not None and len(shape) == 0 and not isinstance(value, Real)


def _is_open(size: Any) -> bool:
    """Return whether a size is a symbolic expression, as in `jax.export` with free sizes."""
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


def _is_size(n: Any) -> bool:
    # Integers first: for some sizes PyTorch's compiler cannot determine whether they have a shape.
    return (is_int(n) and 0 <= n <= MOST_ELEMENTS) or n is None or is_scalar_array(n) or _is_open(n)


def _is_shape(value: Any, shape: Shape) -> bool:
    if not isinstance(value, tuple):
        return False
    if not all([_is_size(n) for n in value]):
        return False
    return math.prod([n for n in value if is_int(n)]) <= _MOST_DRAWN


_MOST_DRAWN = 2**32
"""The most random numbers in one draw: the cipher counts pairs of them in an int32, and more would repeat."""


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
    """Allow a value that passes a test, for all spatial axes, or a tuple of such values, one for each axis."""
    return Rule(
        f"{wanted}, or a tuple of such",
        lambda value, shape: test(value) or (isinstance(value, tuple) and len(value) > 0 and all(map(test, value))),
    )


def _are_sizes(value: Any, shape: Shape | None) -> bool:
    return (
        isinstance(value, tuple)
        and (shape is None or len(value) == len(shape) - 2)
        and all([is_int(n) and 1 <= n <= LONGEST_AXIS for n in value])
    )


SPATIAL_SIZES = Rule(f"a tuple of ints from 1 to {LONGEST_AXIS}, one for each spatial axis", _are_sizes)


ANY_INT = Rule("an int", lambda value, shape: is_int(value) or is_scalar_array(value))
LABEL = allow_count(-LARGEST_INT32 - 1, LARGEST_INT32)  # the range of int32, in which arrays of labels may be
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
"""The rule that follows from an option's annotation."""


def _is_bool(value: Any) -> bool:
    return type(value).__name__ in ("bool", "bool_")
