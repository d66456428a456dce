"""`Alarm`: where an operation fails, processes ask each other who waited for it, and all name the same ones."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from luxport.distributed._budget import Budget
from luxport.distributed._launch import World

__all__ = ["Alarm", "find_by_a_store", "find_silent_ranks"]

_QUICK = 0.1
"""How many seconds a store may take to return a key that it has."""

_AT_ONCE = 0.02
"""How many seconds a store is still asked when time is over: enough for a key that is there."""


@dataclass
class Alarm:
    """Keys in a store that all processes reach. The first process that gives up finds out who did not wait with it.

    If each process looked by itself, it would also name those that have not given up yet.

    Args:
        world: the place of this process
        budget: how much time all of it may take
        prefix: what the keys begin with
        put: a function ``(key, text)`` that writes where nothing is, and tells whether it has
        there: a function ``(key)`` that tells whether something is there
        get: a function ``(key, seconds) -> text`` that waits, and raises TimeoutError
        failures: what these raise where the store is gone
    """

    world: World
    budget: Budget
    prefix: str
    put: Callable[[str, str], bool]
    there: Callable[[str], bool]
    get: Callable[[str, float], str]
    failures: tuple[type[Exception], ...]

    def __post_init__(self) -> None:
        # A thread looks, as a store out of reach may be waited for without end.
        self._seen = False
        self._looking: threading.Thread | None = None

    def raised(self) -> bool:
        """Tell whether another process has given up, so that this one need not wait any longer."""
        if self._looking is None or not self._looking.is_alive():
            self._looking = threading.Thread(target=self._look, daemon=True)
            self._looking.start()
        self._looking.join(min(_QUICK, self.budget.look / 2))
        return self._seen

    def _look(self) -> None:
        with suppress(*self.failures):  # what this process waits for will fail, too, and say so
            self._seen = self.there(f"{self.prefix}/alarm")

    def missing(self) -> list[int]:
        """Return the ranks that did not wait, after a failure."""
        if self._looking is not None:
            self._looking.join(self.budget.look)
            if self._looking.is_alive():
                return [0]
        longest = self.budget.listening + self.budget.look
        found = find_by_a_store(self._find_failed, self.failures, longest + self.budget.ending)
        if self.world.rank == 0:
            self._stay(found)
        return found

    def _stay(self, found: list[int]) -> None:
        """Wait briefly until all know: with this process its store may go."""
        there = [rank for rank in range(self.world.size) if rank not in found]

        def hear() -> list[int]:
            return find_silent_ranks(self.world, lambda rank, s: self._is_told(rank, there, s), self.budget.look)

        find_by_a_store(hear, self.failures, self.budget.look)

    def _is_told(self, rank: int, there: list[int], seconds: float) -> None:
        if rank in there:
            self.get(f"{self.prefix}/knows/{rank}", seconds)

    def _find_failed(self) -> list[int]:
        found = self._agree()
        self.put(f"{self.prefix}/knows/{self.world.rank}", "1")
        return found

    def _agree(self) -> list[int]:
        self.put(f"{self.prefix}/waits/{self.world.rank}", "1")
        first = self.put(f"{self.prefix}/alarm", "1")
        patience = self.budget.listening
        if not first:
            try:
                return json.loads(self.get(f"{self.prefix}/missing", patience + self.budget.look))
            except TimeoutError:  # the first one is gone, too
                patience = 0.0
        found = find_silent_ranks(self.world, lambda rank, s: self.get(f"{self.prefix}/waits/{rank}", s), patience)
        self.put(f"{self.prefix}/missing", json.dumps(found))
        return found


def find_silent_ranks(world: World, hear: Callable[[int, float], object], seconds: float) -> list[int]:
    """Return the ranks that do not answer in time.

    Args:
        world: the place of this process
        hear: a function ``(rank, seconds)`` that waits for what a rank tells, and raises TimeoutError
        seconds: how long all of them together may take
    """
    silent, deadline = [], time.monotonic() + seconds
    for rank in [rank for rank in range(world.size) if rank != world.rank]:
        try:
            hear(rank, max(deadline - time.monotonic(), _AT_ONCE))
        except TimeoutError:
            silent.append(rank)
    return silent


def find_by_a_store(ask: Callable[[], list[int]], failures: tuple[type[Exception], ...], seconds: float) -> list[int]:
    """Return the ranks that are found by asking a store, or rank 0, where the store is, if it does not answer.

    A thread asks, as in `Alarm`.
    """
    found: list[list[int]] = []

    def answer() -> None:
        try:
            found.append(ask())
        except failures:
            found.append([0])

    asking = threading.Thread(target=answer, daemon=True)
    asking.start()
    asking.join(seconds)
    return found[0] if found else [0]
