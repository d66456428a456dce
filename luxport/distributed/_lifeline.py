"""`Lifeline`: the connections over which processes met rank 0, kept to tell of its end."""

from __future__ import annotations

import atexit
import os
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress

from luxport.distributed._launch import World

__all__ = ["Lifeline"]

_FAREWELL = b"."
_STANDARD_ERROR = 2


class Lifeline:
    """Connections to rank 0 that are cut where it ends: each other process then writes a line about that.

    It is for an engine that ends processes at once where rank 0 is gone, before they can raise an error. A process
    that is killed closes its connections in the order in which they were made: these were the first.

    Args:
        world: the place of this process
        connections: of rank 0 those to all others, of others the one to rank 0
        consequence: what the engine does, for the line
    """

    def __init__(self, world: World, connections: Sequence[socket.socket], consequence: str) -> None:
        self._world, self._connections, self._ends = world, connections, False
        place = f"rank {world.rank} of {world.size}"
        self._line = f"{place} lost rank 0, which ended: {consequence}. Start all of them again"
        atexit.register(self.end)
        self._watching = threading.Thread(target=self._watch, daemon=True)
        if world.rank:
            self._watching.start()

    def _watch(self) -> None:
        (connection,) = self._connections
        heard = b""
        with suppress(OSError):
            connection.settimeout(None)
            heard = connection.recv(len(_FAREWELL))
        if not heard and not self._ends:
            # At once, whatever Python's own streams are doing.
            os.write(_STANDARD_ERROR, f"{self._line}\n".encode())

    def join(self, seconds: float) -> None:
        """Wait until the connection to rank 0 is closed."""
        self._watching.join(seconds)

    def end(self) -> None:
        """Let the others know that nothing is wrong."""
        atexit.unregister(self.end)
        self._ends = True
        for one in self._connections:
            with suppress(OSError):
                if self._world.rank == 0:
                    one.settimeout(1)
                    one.sendall(_FAREWELL)
                one.shutdown(socket.SHUT_RDWR)
            one.close()
