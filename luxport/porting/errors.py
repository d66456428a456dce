"""The exceptions of `luxport.porting`, and `show`, which makes text from a file safe to print."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["FileFormatError", "NoCounterpartError", "NotReadError", "refuse_file", "show"]

_LONGEST = 400


def show(text: str, longest: int | None = _LONGEST) -> str:
    """Return text from a file as one line that is safe to print: no character of it can control a terminal.

    Each run of white space becomes one space. Control characters, marks that change the direction of writing, line
    separators and all other characters that do not print become escapes.

    >>> show("Flux.\\x1b[2JDense\\n{Float32}")
    'Flux.\\\\x1b[2JDense {Float32}'
    """
    line = " ".join(text.split())
    cut = line if longest is None else line[:longest]
    return cut if cut.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


class FileFormatError(ValueError):
    """A file has another format than expected, is damaged, or holds values that only Julia can read.

    >>> raise FileFormatError("the file ends inside a string", offset=120, path="model.bson")
    Traceback (most recent call last):
    luxport.porting.errors.FileFormatError: model.bson at byte 120: the file ends inside a string
    """

    def __init__(self, reason: str, *, offset: int | None = None, path: str | None = None) -> None:
        # The reason may quote names from the file, which can be long or contain control characters.
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
    """One value is of an unsupported kind, or nested too deep; the rest of the file can be read."""


class NoCounterpartError(ValueError):
    """A layer has no counterpart in another framework. The message already has the layer's path."""


@contextmanager
def refuse_file(path: str | None, what: str = "damaged, or of a form that is not read") -> Iterator[None]:
    """Raise a `FileFormatError` with the file's path for any error inside, which becomes its cause.

    Errors that are not about the file's content pass unchanged: a file that cannot be opened, a package that is not
    installed, a warning that the user turned into an error.
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
