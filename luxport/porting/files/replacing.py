"""Files that are there whole or not at all: what every writer of luxport's opens its files by."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from typing import BinaryIO

try:
    import fcntl
except ModuleNotFoundError:  # Windows, where nobody can remove a file that another has open
    fcntl = None  # type: ignore[assignment]

from luxport.porting.files.opening import check_path

__all__ = ["replacing"]

_UNFINISHED = re.compile(r"\.luxport-[0-9a-f]{16}\.unfinished")
"""The names of files that are being written, whoever writes them and for which name."""

_FOLDERS_OF_OPEN_FILES = re.compile(r"/dev/fd|/proc/(\d+)(/task/\d+)?/fd")

_MOST_LINKS = 40


@contextmanager
def replacing(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file to write, which takes the place of the one at `path` when all of it is written and on the disk.

    Until then it has another name in the same folder, and the one that was there stays; if anything goes wrong it
    stays for good, and the other goes away. A writer that is killed leaves its unfinished file, locked by nobody: the
    next one in that folder removes it, and never one that somebody is still writing. Of several at once the
    last that finishes wins.

    A new file has the mode that the umask gives, an old one keeps its own, without setuid and setgid; a link stays,
    and what it points to is replaced. What is no regular file (a pipe, a terminal, ``/dev/null``) is written to as it
    is, and so is an open file by its number (``/dev/stdout``).

    Raises: OSError that names `path` as it was given
    """
    check_path(path)
    given = os.fsdecode(path)
    try:
        place = _follow_links(given)
        opened = _write_directly if isinstance(place, int) or _is_special(place) else _write_aside
        with opened(place) as file:
            yield file
    except OSError as error:
        if error.errno is None:
            raise OSError(f"{given} could not be written: {error}") from None
        raise OSError(error.errno, error.strerror, given) from None


def _follow_links(path: str) -> str | int:
    """Follow links to the place itself, or to the number of an open file of this process."""
    place = path
    for _ in range(_MOST_LINKS):
        folder, name = os.path.split(place)
        if not name:
            raise OSError(errno.EISDIR if os.path.isdir(place) else errno.ENOENT, "a file's name expected")
        folder = os.path.realpath(folder or os.curdir)
        open_files = _FOLDERS_OF_OPEN_FILES.fullmatch(folder)
        if open_files and name.isdecimal() and open_files[1] in (None, str(os.getpid())):
            return int(name)
        place = os.path.join(folder, name)
        if open_files or not os.path.islink(place):
            return place
        place = os.path.join(folder, os.readlink(place))
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _is_special(place: str) -> bool:
    try:
        mode = os.stat(place).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if stat.S_ISBLK(mode):
        raise OSError(errno.EINVAL, "a file, a pipe or a terminal expected, and this is a disk")
    return not stat.S_ISREG(mode)


@contextmanager
def _write_directly(place: str | int) -> Iterator[BinaryIO]:
    # An open file goes on where it is: it may have been opened to append.
    descriptor = os.dup(place) if isinstance(place, int) else os.open(place, os.O_WRONLY | getattr(os, "O_BINARY", 0))
    file = open(descriptor, "wb", buffering=1 << 16)  # noqa: SIM115
    try:
        yield file
        file.flush()
    finally:
        with suppress(OSError):  # raised by the flush already
            file.close()


@contextmanager
def _write_aside(place: str | int) -> Iterator[BinaryIO]:
    place = str(place)
    folder = os.path.dirname(place)
    _remove_leftovers(folder)
    descriptor, unfinished = _make_file(folder, place)
    file = open(descriptor, "wb", buffering=1 << 16)  # noqa: SIM115
    try:
        yield file
        file.flush()
        os.fsync(descriptor)
        if fcntl is None:
            file.close()
        os.replace(unfinished, place)
        _sync_folder(folder)
    finally:
        with suppress(OSError):
            os.unlink(unfinished)
        # Closed last, since this ends the lock.
        with suppress(OSError):
            file.close()


def _make_file(folder: str, place: str) -> tuple[int, str]:
    """Make a locked file in a folder, with the mode and the owner that the one at a place has or would get."""
    try:
        old = os.stat(place)
    except FileNotFoundError:
        old = None
    if old is not None and not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        unfinished = os.path.join(folder, f".luxport-{secrets.token_hex(8)}.unfinished")
        descriptor = os.open(unfinished, flags, 0o666 if old is None else 0o600)
        # Another writer may have found the file before its lock, and taken it for a leftover.
        if not _locks(descriptor) or not _is_at(descriptor, unfinished):
            os.close(descriptor)
            with suppress(OSError):
                os.unlink(unfinished)
            continue
        if old is not None:
            with suppress(OSError, AttributeError):  # who may not give files away keeps them
                os.fchown(descriptor, old.st_uid, old.st_gid)
            with suppress(OSError, AttributeError):
                # A file that is written to is no program any more that runs as its owner.
                os.fchmod(descriptor, stat.S_IMODE(old.st_mode) & ~(stat.S_ISUID | stat.S_ISGID))
        return descriptor, unfinished


def _remove_leftovers(folder: str) -> None:
    """Remove the unfinished files that nobody holds a lock of."""
    with suppress(OSError):  # a folder may be written to and not listed
        for name in os.listdir(folder):
            if _UNFINISHED.fullmatch(name):
                _remove_leftover(os.path.join(folder, name))


def _remove_leftover(unfinished: str) -> None:
    with suppress(OSError):
        if fcntl is None:
            os.unlink(unfinished)
            return
        if not stat.S_ISREG(os.lstat(unfinished).st_mode):
            return
        descriptor = os.open(unfinished, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError if somebody writes it
            os.unlink(unfinished)
        finally:
            os.close(descriptor)


def _locks(descriptor: int) -> bool:
    """Lock a file until it is closed or its process ends, and tell whether nobody else did before."""
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks: then nobody else can lock it either, and it is left alone
            pass
    return True


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _sync_folder(folder: str) -> None:
    """Put the new name itself on the disk, where folders can be opened and have that."""
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
                raise
        finally:
            os.close(descriptor)
