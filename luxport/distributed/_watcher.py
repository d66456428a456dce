"""What `Lifeline` starts beside a process: it waits until rank 0 ends, and writes a line if that was no farewell.

A program without imports of luxport's: ``python _watcher.py CONNECTION PIPE LINE``, the first two as numbers of open
files. The pipe has nothing to say: it is closed where the process beside this one ends.
"""

from __future__ import annotations

import os
import select
import sys

__all__ = ["wait_for"]

_SHORTLY = 2.0
"""If the process beside this one ends because rank 0 did, so many seconds are enough to hear of that, too."""

_STANDARD_ERROR = 2


def wait_for(files: list[int], seconds: float | None = None) -> list[int]:
    """Return those of the files of which there is something to read, or which are closed at their other end."""
    waiting = select.poll()
    for file in files:
        waiting.register(file, select.POLLIN)
    return [file for file, _ in waiting.poll(None if seconds is None else 1000 * seconds)]


def main() -> None:
    connection, pipe, line = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    ready = wait_for([connection, pipe])
    if connection not in ready:
        ready = wait_for([connection], _SHORTLY)
    if connection in ready and not _hear(connection):
        os.write(_STANDARD_ERROR, f"{line}\n".encode())


def _hear(connection: int) -> bytes:
    try:
        return os.read(connection, 1)
    except OSError:  # cut by force
        return b""


if __name__ == "__main__":
    main()
