"""`Lifeline`: connections to rank 0 by which its end is noticed and reported."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from luxport.distributed._launch import World
from luxport.distributed._watcher import SHORTLY, wait_for

__all__ = ["Lifeline"]

_FAREWELL = b"."
_WATCHER = Path(__file__).with_name("_watcher.py")


class Lifeline:
    """Connections between rank 0 and all others; when they break, a line is written in the name of each other process.

    It is for an engine that kills its process at once if rank 0 is gone, before an error can be raised. A thread would
    be too late on a busy machine, so that a separate small process watches the connection.

    Args:
        world: this process's rank and the number of processes
        connections: for rank 0 those to all others, for others the one to rank 0
        consequence: what the engine does then, for the line
    """

    def __init__(self, world: World, connections: Sequence[socket.socket], consequence: str) -> None:
        self._world, self._connections = world, connections
        self._watcher: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._seconds = 0.0
        if world.rank:
            place = f"rank {world.rank} of {world.size}"
            self._watch(f"{place} lost rank 0, which ended: {consequence}. Start all of them again")
        atexit.register(self.end)
        # A forked process, such as a data loader's worker, may live longer and must not keep the connections open.
        os.register_at_fork(after_in_child=self._close)

    def _watch(self, line: str) -> None:
        (connection,) = self._connections
        connection.settimeout(None)
        pipe, self._pipe = os.pipe()
        handed = connection.fileno(), pipe
        numbers = [str(number) for number in handed]
        # In its own session, as Ctrl-C and launchers would otherwise end it together with this process.
        self._watcher = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_WATCHER), *numbers, line],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=handed,
            start_new_session=True,
        )
        os.close(pipe)

    def join(self, seconds: float) -> None:
        """Wait until the watching process ends."""
        if self._watcher is not None:
            self._watcher.wait(seconds)

    def note_missing(self, ranks: list[int]) -> list[int]:
        """Return the ranks. If rank 0 is among them, `end` waits for its connection to close, which may come later."""
        self._seconds = SHORTLY if 0 in ranks else self._seconds
        return ranks

    def end(self) -> None:
        """Say goodbye to the others, so that the end of this process is not reported as a failure."""
        atexit.unregister(self.end)
        if self._watcher is not None and self._watcher.poll() is None:
            # If rank 0 is already gone, let the watcher report it, as the engine may kill this process meanwhile.
            if not wait_for([one.fileno() for one in self._connections], self._seconds):
                self._watcher.kill()
            self._watcher.wait()
        for one in self._connections:
            with suppress(OSError):
                if self._world.rank == 0:
                    one.settimeout(1)
                    one.sendall(_FAREWELL)
                one.shutdown(socket.SHUT_RDWR)
        self._close()

    def _close(self) -> None:
        for one in self._connections:
            one.close()
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
