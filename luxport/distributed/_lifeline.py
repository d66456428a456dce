"""`Lifeline`: the connections over which processes met rank 0, kept to tell of its end."""

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
from luxport.distributed._watcher import wait_for

__all__ = ["Lifeline"]

_FAREWELL = b"."
_WATCHER = Path(__file__).with_name("_watcher.py")


class Lifeline:
    """Connections to rank 0 that are cut where it ends: beside each other process a line is written about that.

    It is for an engine that ends processes at once where rank 0 is gone, before they can raise an error. A thread of
    such a process would come too late on a machine that has much to do, so that a small process of its own watches.

    Args:
        world: the place of this process
        connections: of rank 0 those to all others, of others the one to rank 0
        consequence: what the engine does, for the line
    """

    def __init__(self, world: World, connections: Sequence[socket.socket], consequence: str) -> None:
        self._world, self._connections = world, connections
        self._watcher: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        if world.rank:
            place = f"rank {world.rank} of {world.size}"
            self._watch(f"{place} lost rank 0, which ended: {consequence}. Start all of them again")
        atexit.register(self.end)
        # What is forked from a process, such as a loader's workers, may live on a while.
        os.register_at_fork(after_in_child=self._close)

    def _watch(self, line: str) -> None:
        (connection,) = self._connections
        connection.settimeout(None)
        pipe, self._pipe = os.pipe()
        handed = connection.fileno(), pipe
        numbers = [str(number) for number in handed]
        # Without a session of its own Ctrl-C and launchers would end it first.
        self._watcher = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_WATCHER), *numbers, line],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=handed,
            start_new_session=True,
        )
        os.close(pipe)

    def join(self, seconds: float) -> None:
        """Wait until what watches has nothing to wait for any more."""
        if self._watcher is not None:
            self._watcher.wait(seconds)

    def end(self) -> None:
        """Let the others know that nothing is wrong."""
        atexit.unregister(self.end)
        if self._watcher is not None and self._watcher.poll() is None:
            # What is to be said of rank 0 is said, as the engine may end this process while it raises an error.
            if not wait_for([one.fileno() for one in self._connections], 0):
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
