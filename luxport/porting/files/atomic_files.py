"""`open_atomic`: files that are written completely or not at all. Every writer in luxport opens its files with it."""

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
except ModuleNotFoundError:  # Windows, where a file that another process has open cannot be removed
    fcntl = None  # type: ignore[assignment]

from luxport.porting.files.opening import check_path

__all__ = ["open_atomic"]

_UNFINISHED = re.compile(r"\.luxport-[0-9a-f]{16}\.unfinished")
"""The temporary names of files that are being written."""

_FOLDERS_OF_OPEN_FILES = re.compile(r"/dev/fd|/proc/(\d+)(/task/\d+)?/fd")

_MOST_LINKS = 40


@contextmanager
def open_atomic(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing that replaces the file at `path` once it is complete and on the disk.

    Until then it has a temporary name in the same folder. After an error the temporary file is removed, and the old
    file stays as it was. A killed writer leaves its temporary file behind without a lock: the next writer in that
    folder removes it, but never one that is still locked by its writer. Of several writers at the same time, the last
    to finish wins.

    A new file gets the mode that the umask gives, a replaced file keeps its mode except setuid and setgid. A symbolic
    link stays, and its target is replaced. A pipe, a terminal and ``/dev/null`` are written to directly, and so is an
    open file by its number (``/dev/stdout``).

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
    """Return the path to which symbolic links lead, or the number of an open file of this process."""
    place = path
    for _ in range(_MOST_LINKS):
        folder, name = os.path.split(place)
        if not name:
            raise OSError(errno.EISDIR if os.path.isdir(place) else errno.ENOENT, "expected the name of a file")
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
        raise OSError(errno.EINVAL, "expected a file, a pipe or a terminal, and this is a disk")
    return not stat.S_ISREG(mode)


@contextmanager
def _write_directly(place: str | int) -> Iterator[BinaryIO]:
    # A duplicate of an open descriptor continues at its position, which matters if it was opened for appending.
    descriptor = os.dup(place) if isinstance(place, int) else os.open(place, os.O_WRONLY | getattr(os, "O_BINARY", 0))
    file = open(descriptor, "wb", buffering=1 << 16)  # noqa: SIM115
    try:
        yield file
        file.flush()
    finally:
        with suppress(OSError):  # the flush has already raised it
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
        # Closed last, since closing releases the lock.
        with suppress(OSError):
            file.close()


def _make_file(folder: str, place: str) -> tuple[int, str]:
    """Create a locked temporary file, with the mode and the owner of the file at `place`; return it and its path."""
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
        # Before the lock was taken, another writer may have removed the file as a leftover.
        if not _try_lock(descriptor) or not _is_at(descriptor, unfinished):
            os.close(descriptor)
            with suppress(OSError):
                os.unlink(unfinished)
            continue
        if old is not None:
            with suppress(OSError, AttributeError):  # only a privileged process may change the owner
                os.fchown(descriptor, old.st_uid, old.st_gid)
            with suppress(OSError, AttributeError):
                # The new content must not run with the rights of the old program's owner or group.
                os.fchmod(descriptor, stat.S_IMODE(old.st_mode) & ~(stat.S_ISUID | stat.S_ISGID))
        return descriptor, unfinished


def _remove_leftovers(folder: str) -> None:
    """Remove the temporary files of a folder that no process has locked."""
    with suppress(OSError):  # a folder may be writable but not readable
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
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError while its writer has it
            os.unlink(unfinished)
        finally:
            os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    """Lock a file until it is closed or the process ends; return False if another process has locked it."""
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # the file system has no locks: no other writer can lock the file to remove it, either
            pass
    return True


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _sync_folder(folder: str) -> None:
    """Flush a folder to the disk, so that the new name survives a crash, where the system can open folders."""
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
                raise
        finally:
            os.close(descriptor)
