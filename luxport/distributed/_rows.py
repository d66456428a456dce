"""Rows of bytes that processes show each other by a store of keys that all of them reach: `StoredRows`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from luxport.distributed._launch import World

__all__ = ["StoredRows"]


@dataclass
class StoredRows:
    """Rounds in which each process writes a row and reads those of all others; what was read is deleted.

    Args:
        world: the place of this process
        timeout: how many seconds the others may take
        prefix: what the keys begin with
        write: a function ``(key, row)``
        read: a function ``(key, milliseconds, rank) -> row`` that waits, and raises if nothing comes of that rank
        delete: a function ``(key)``
    """

    world: World
    timeout: float
    prefix: str
    write: Callable[[str, bytes], object]
    read: Callable[[str, int, int], bytes]
    delete: Callable[[str], object]
    _round: int = field(default=0, init=False)

    def gather(self, row: bytes) -> list[bytes]:
        """Return the rows of all, by rank."""
        self._round += 1
        deadline = time.monotonic() + self.timeout
        self.write(self._key(self._round, self.world.rank), row)
        rows = []
        for rank in range(self.world.size):
            if rank == self.world.rank:
                rows.append(row)
                continue
            left = max(1, int(1000 * (deadline - time.monotonic())))
            rows.append(self.read(self._key(self._round, rank), left, rank))
        # Whoever wrote for this round has read all of the one before.
        if self._round > 1:
            self.delete(self._key(self._round - 1, self.world.rank))
        return rows

    def _key(self, number: int, rank: int) -> str:
        return f"{self.prefix}/{number}/{rank}"
