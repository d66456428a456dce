"""Opening a file that others named: a regular one, read whole, and nothing else is touched."""

from __future__ import annotations

import os
import stat
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from luxport.errors import LayerTypeError
from luxport.porting.errors import FileFormatError
from luxport.text import show

__all__ = ["read_bytes", "check_path", "expect_regular"]

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def expect_regular(path: str | PathLike[str]) -> None:
    """Refuse what is no regular file, without opening it: devices and pipes may never end, or wait for ever.

    Raises: FileFormatError; OSError if there is nothing
    """
    check_path(path)
    _refuse(os.stat(path).st_mode, path)


def check_path(path: Any) -> None:
    """Expect a path.

    Raises: TypeError; ValueError for one that no file can have
    """
    if not isinstance(path, (str, bytes, PathLike)) or isinstance(path, np.ndarray):
        raise LayerTypeError(f"expects a path, a string or an os.PathLike, got {show(path)}")
    if "\0" in os.fsdecode(path):
        raise ValueError(f"a path expected, and none holds a character NUL, got {show(path)}")


def read_bytes(path: str | PathLike[str], at_most: int = -1) -> bytes:
    """Return the bytes of a regular file, or the first so many of them.

    Raises: FileFormatError if it is something else; OSError if it cannot be opened
    """
    expect_regular(path)
    # Another thing may have come to this path since: nothing waits for the other end of a pipe here.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:
        _refuse(os.fstat(descriptor).st_mode, path)
        return file.read(at_most)


def _refuse(mode: int, path: str | PathLike[str]) -> None:
    if not stat.S_ISREG(mode):
        what = next((name for test, name in _KINDS if test(mode)), "something else")
        raise FileFormatError(f"not a regular file but {what}", path=str(Path(os.fsdecode(path))))
