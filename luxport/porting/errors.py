"""Errors of porting: a file that cannot be read, why, and where in it; a layer that has no counterpart."""

from __future__ import annotations

__all__ = ["FileFormatError", "NoCounterpartError"]


class FileFormatError(ValueError):
    """A file is not what it should be, is damaged, or holds what no reader outside Julia can read.

    >>> raise FileFormatError("the file ends inside a string", offset=120, path="model.bson")
    Traceback (most recent call last):
    luxport.porting.errors.FileFormatError: model.bson at byte 120: the file ends inside a string
    """

    def __init__(self, reason: str, *, offset: int | None = None, path: str | None = None) -> None:
        # Names from the file may be in it: whatever these are, the message is one line, and not a long one.
        self.reason = " ".join(reason.split())[:400]
        super().__init__(self.reason)
        self.offset = offset
        self.path = path

    def __str__(self) -> str:
        place = [self.path] if self.path else []
        if self.offset is not None:
            place.append(f"at byte {self.offset}")
        return f"{' '.join(place)}: {self.reason}" if place else self.reason


class NoCounterpartError(ValueError):
    """A layer cannot be written in another framework. The message has its path already."""
