"""The program that `Lifeline` starts beside a process: it writes a line if rank 0 ends without a farewell.

It imports nothing of luxport: ``python _watcher.py CONNECTION PIPE LINE``, where the first two are file descriptors.
Nothing is sent through the pipe, which is closed when the process beside this one ends.
"""

from __future__ import annotations

import os
import select
import sys

__all__ = ["SHORTLY", "wait_for"]

SHORTLY = 2.0
"""The seconds to wait for news of rank 0 after the process beside this one has ended, perhaps because rank 0 did."""

_STANDARD_ERROR = 2


def wait_for(files: list[int], seconds: float | None = None) -> list[int]:
    """Wait until a file is readable or closed at its other end, and return all such files."""
    waiting = select.poll()
    for file in files:
        waiting.register(file, select.POLLIN)
    return [file for file, _ in waiting.poll(None if seconds is None else 1000 * seconds)]


def main() -> None:
    connection, pipe, line = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    ready = wait_for([connection, pipe])
    if connection not in ready:
        ready = wait_for([connection], SHORTLY)
    if connection in ready and not _read_byte(connection):
        os.write(_STANDARD_ERROR, f"{line}\n".encode())


def _read_byte(connection: int) -> bytes:
    try:
        return os.read(connection, 1)
    except OSError:  # the connection was reset
        return b""


if __name__ == "__main__":
    main()
