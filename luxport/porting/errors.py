"""Errors of porting: a file that cannot be read, why, and where in it; a layer that has no counterpart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["FileFormatError", "NoCounterpartError", "NotReadError", "refuse_file", "show"]

_LONGEST = 400


def show(text: str, longest: int | None = _LONGEST) -> str:
    """Return text from a file as one line that is safe on any screen: nothing in it can move, color or hide.

    Spaces and line breaks become one space each; control characters, marks that turn the direction of writing,
    separators of lines and whatever else does not print become escapes.

    >>> show("Flux.\\x1b[2JDense\\n{Float32}")
    'Flux.\\\\x1b[2JDense {Float32}'
    """
    line = " ".join(text.split())
    cut = line if longest is None else line[:longest]
    return cut if cut.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


class FileFormatError(ValueError):
    """A file is not what it should be, is damaged, or holds what no reader outside Julia can read.

    >>> raise FileFormatError("the file ends inside a string", offset=120, path="model.bson")
    Traceback (most recent call last):
    luxport.porting.errors.FileFormatError: model.bson at byte 120: the file ends inside a string
    """

    def __init__(self, reason: str, *, offset: int | None = None, path: str | None = None) -> None:
        # Names from the file may be in it: whatever these are, the message is one line, and not a long one.
        self.reason: str = show(reason)
        super().__init__(self.reason)
        self.offset = offset
        self.path = path

    def __str__(self) -> str:
        place = [show(self.path, None)] if self.path else []
        if self.offset is not None:
            place.append(f"at byte {self.offset}")
        return f"{' '.join(place)}: {self.reason}" if place else self.reason


class NotReadError(FileFormatError):
    """One value is of a kind that is not read, or nested too deep; the file is sound, and the rest can be read."""


class NoCounterpartError(ValueError):
    """A layer cannot be written in another framework. The message has its path already."""


@contextmanager
def refuse_file(path: str | None, what: str = "damaged, or of a form that is not read") -> Iterator[None]:
    """Make whatever goes wrong with a file the one documented error, with the file's path and the first error as cause.

    What is not about the file's content passes: a file that cannot be opened, a package that is not installed, a
    warning that the user made an error.
    """
    try:
        yield
    except FileFormatError as error:
        if error.path is None:
            error.path = path
        raise
    except MemoryError as error:
        raise FileFormatError("its values need more memory than there is", path=path) from error
    except RecursionError as error:
        raise FileFormatError("values are nested too deep for this Python's stack", path=path) from error
    except (OSError, ImportError, Warning):
        raise
    except Exception as error:
        raise FileFormatError(f"{what}: {type(error).__name__}: {error}", path=path) from error
