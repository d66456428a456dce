"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike

__all__ = ["replacing"]


@contextmanager
def replacing(path: str | PathLike[str]) -> Iterator[str]:
    """Make a file under another name in the same folder, which takes the place of the one at `path` when it is written.

    If anything goes wrong the one that was there stays, and the other goes away.

    Raises: OSError
    """
    path = os.path.realpath(path)
    folder, name = os.path.split(path)
    unfinished = os.path.join(folder, f".{name}.{secrets.token_hex(4)}")
    with open(unfinished, "xb"):  # what the file system has against it, in Python's own errors
        pass
    try:
        yield unfinished
        with open(unfinished, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(unfinished)
