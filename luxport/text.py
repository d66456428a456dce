"""Text of strangers (names in a file, source code, paths) as it can be shown anywhere."""

from __future__ import annotations

__all__ = ["safe_to_show"]


def safe_to_show(text: str, longest: int = 400) -> str:
    """Return text on one line: white space as single spaces, and whatever is not printable written as its escape.

    So it drives no terminal, ends no comment and turns no line around: control characters, every separator of lines,
    marks of direction, invisible letters and lone surrogates are escaped. Longer text is cut and ends in an ellipsis.

    >>> safe_to_show("a name\\nwith \\x1b[2J and \\u202e in it")
    'a name with \\\\x1b[2J and \\\\u202e in it'
    """
    cut = text[: 4 * longest + 4]  # what is cut away anyway is not looked at
    line = " ".join(cut.split())
    line = line if line.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    return line if len(line) <= longest and len(cut) == len(text) else f"{line[: longest - 1]}…"
