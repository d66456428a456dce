"""`StoredRows`: gather bytes from all processes through a key-value store; and digests as integers for reductions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from luxport.distributed._budget import Budget
from luxport.distributed._launch import World

__all__ = ["StoredRows", "are_all_the_same", "convert_digest"]


@dataclass
class StoredRows:
    """Rounds in which each process writes a row of bytes and reads the rows of all others; old rows are deleted.

    Args:
        world: this process's rank and the number of processes
        budget: the time that a round may take
        prefix: the beginning of all keys
        write: a function ``(key, row)``
        read: a function ``(key, milliseconds, rank) -> row`` that waits, and raises if that rank writes nothing
        delete: a function ``(key)``
    """

    world: World
    budget: Budget
    prefix: str
    write: Callable[[str, bytes], object]
    read: Callable[[str, int, int], bytes]
    delete: Callable[[str], object]
    _round: int = field(default=0, init=False)

    def gather(self, row: bytes) -> list[bytes]:
        """Return the rows of all processes, by rank."""
        self._round += 1
        deadline = time.monotonic() + self.budget.waiting
        self.write(self._make_key(self._round, self.world.rank), row)
        rows = []
        for rank in range(self.world.size):
            if rank == self.world.rank:
                rows.append(row)
                continue
            left = max(1, int(1000 * (deadline - time.monotonic())))
            rows.append(self.read(self._make_key(self._round, rank), left, rank))
        # All have written in this round, and so have read all rows of the previous one.
        if self._round > 1:
            self.delete(self._make_key(self._round - 1, self.world.rank))
        return rows

    def _make_key(self, number: int, rank: int) -> str:
        return f"{self.prefix}/{number}/{rank}"


def convert_digest(digest: bytes) -> list[int]:
    """Return a digest as integers and their negatives, whose maxima over processes show whether all are the same."""
    numbers = [int.from_bytes(digest[i : i + 8], "big") >> 1 for i in range(0, len(digest), 8)]
    return [*numbers, *[-number for number in numbers]]


def are_all_the_same(largest: list[int]) -> bool:
    """Return whether all digests were the same, from the maxima of their `convert_digest`.

    >>> a, b = convert_digest(b"a"), convert_digest(b"b")
    >>> are_all_the_same(a), are_all_the_same([max(pair) for pair in zip(a, b)])
    (True, False)
    """
    half = len(largest) // 2
    return all([low == -high for low, high in zip(largest[:half], largest[half:], strict=True)])
