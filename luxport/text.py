"""Text from outside (names in a file, source code, paths, values) made safe to print in messages."""

from __future__ import annotations

import reprlib
import sys
import warnings
from typing import Any

import numpy as np

__all__ = ["is_from_luxport", "name_kind", "make_printable", "make_safe", "read_message", "show", "warn"]


def make_safe(text: str, longest: int = 400) -> str:
    """Return text on one line: white space as single spaces, and whatever is not printable written as its escape.

    Control characters, line separators, marks of text direction, invisible letters and lone surrogates are escaped:
    the text cannot control a terminal, end a comment or reverse a line. Longer text is cut and ends in an ellipsis.

    >>> make_safe("a name\\nwith \\x1b[2J and \\u202e in it")
    'a name with \\\\x1b[2J and \\\\u202e in it'
    """
    cut = text[: 4 * longest + 4]  # the text may be huge: only its beginning is processed
    line = " ".join(cut.split())
    line = line if line.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    return line if len(line) <= longest and len(cut) == len(text) else f"{line[: longest - 1]}…"


def show(value: Any, longest: int = 80) -> str:
    """Write any value on one line, the same on every backend: an array by its shape, long values shortened.

    It never raises, so that an error message about the value can always be written: not for a number of a million
    digits, a list that contains itself, or a `repr` that raises.

    >>> import numpy as np
    >>> show((1.5, "a\\nb", {"x": np.zeros((2, 3))})), show(10**5000), show([0] * 1000)
    ("(1.5, 'a\\\\nb', {'x': an array (2, 3)})", 'an int of 16610 bits', '[0, 0, 0, 0, 0, 0, 0, 0, ...]')
    """
    try:
        text = _short.repr(value)
    except Exception:
        text = f"<{_name_type(value)} object>"
    return make_safe(text, longest)


_LONGEST_MESSAGE = 2000


def make_printable(error: BaseException) -> None:
    """Escape control characters in an error's message, which may contain names from a file or a user.

    A message of luxport becomes one line; messages of other libraries keep their lines. An error stays as it is if its
    class, which may be a user's, does not let `args` be read or set.
    """
    try:
        message = error.args[0] if error.args else None
        if not isinstance(message, str) or message.isprintable():
            return
        lines = [message] if is_from_luxport(error) else message.split("\n")
        safe = [line if line.isprintable() else make_safe(line, _LONGEST_MESSAGE) for line in lines]
        error.args = ("\n".join(safe), *error.args[1:])
    except Exception:
        return


def read_message(error: BaseException) -> str:
    """Return the message of an error, whoever raised it: nothing if its own class cannot write it.

    >>> read_message(ValueError("too long"))
    'too long'
    """
    try:
        return str(error)
    except Exception:
        return ""


def is_from_luxport(error: BaseException) -> bool:
    """Return whether an error was raised in a module of luxport."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return at is not None and str(at.tb_frame.f_globals.get("__name__")).startswith("luxport")


def warn(message: str) -> None:
    """Issue a one-line warning, control characters escaped, that points at the user's line that called luxport."""
    level, frame = 1, sys._getframe(0)
    while frame is not None and str(frame.f_globals.get("__name__")).startswith(_OWN):
        level, frame = level + 1, frame.f_back
    warnings.warn(make_safe(message, _LONGEST_MESSAGE), stacklevel=level)


_OWN = ("luxport.", "luxport_")


def name_kind(value: Any) -> str:
    """Return what kind of value this is: an array by its shape, the same on every backend, others by their type.

    >>> import numpy as np
    >>> name_kind(np.zeros((2, 3))), name_kind(None), name_kind("x"), name_kind((1, 2)), name_kind(dict)
    ('an array (2, 3)', 'NoneType', 'str', 'a tuple of 2', 'the class dict')
    """
    if isinstance(value, type):
        return f"the class {make_safe(value.__name__, 60)}"
    if type(value) is tuple:
        return f"a tuple of {len(value)}"
    shape = _write_array_shape(value)
    return _name_type(value) if shape is None else f"an array {shape}"


def _name_type(value: Any) -> str:
    return make_safe(type(value).__name__, 60)


def _write_array_shape(value: Any) -> str | None:
    """Write the shape of a value that looks like an array; None for others, and for numbers, NumPy's included."""
    if isinstance(value, (type, int, float, complex, np.generic)):
        return None
    try:
        shape, _ = value.shape, value.dtype
        dims = ["?" if n is None else f"{int(n)}" for n in shape]
    except Exception:
        return None
    return f"({', '.join(dims)}{',' if len(dims) == 1 else ''})"


class _Short(reprlib.Repr):
    """`repr` of bounded length: only the beginning of long values, and the shape of arrays."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxlong, self.maxother = 4, 200, 60, 400
        self.maxtuple = self.maxlist = self.maxdict = self.maxset = self.maxfrozenset = self.maxdeque = 8

    def repr1(self, x: Any, level: int) -> str:
        shape = _write_array_shape(x)
        return super().repr1(x, level) if shape is None else f"an array {shape}"

    def repr_int(self, x: int, level: int) -> str:
        return f"an int of {x.bit_length()} bits" if x.bit_length() > 10_000 else super().repr_int(x, level)

    def repr_instance(self, x: Any, level: int) -> str:
        text = repr(x)
        return text if len(text) <= self.maxother else f"{text[: self.maxother]}..."


_short = _Short()
