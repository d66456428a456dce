"""Read the bytes of a file whose path the user gave; folders, pipes and devices are refused without opening them."""

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

__all__ = ["read_bytes", "check_path", "check_regular_file"]

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_regular_file(path: str | PathLike[str]) -> None:
    """Refuse anything but a regular file, without opening it: reading a pipe or a device may never end.

    Raises: FileFormatError; OSError if there is no file
    """
    check_path(path)
    _check_mode(os.stat(path).st_mode, path)


def check_path(path: Any) -> None:
    """Refuse anything but a path.

    Raises: TypeError; ValueError for a path with a NUL character, which no file can have
    """
    if not isinstance(path, (str, bytes, PathLike)) or isinstance(path, np.ndarray):
        raise LayerTypeError(f"expects a path, a string or an os.PathLike, got {show(path)}")
    if "\0" in os.fsdecode(path):
        raise ValueError(f"a path cannot contain a NUL character, got {show(path)}")


def read_bytes(path: str | PathLike[str], at_most: int = -1) -> bytes:
    """Return the bytes of a regular file, all of them or the first `at_most`.

    Raises: FileFormatError if it is no regular file; OSError if it cannot be opened
    """
    check_regular_file(path)
    # A pipe may have replaced the file since the check: without blocking, opening it does not wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:
        _check_mode(os.fstat(descriptor).st_mode, path)
        return file.read(at_most)


def _check_mode(mode: int, path: str | PathLike[str]) -> None:
    if not stat.S_ISREG(mode):
        what = next((name for test, name in _KINDS if test(mode)), "something else")
        raise FileFormatError(f"not a regular file but {what}", path=str(Path(os.fsdecode(path))))
