"""`Alarm`: find out which processes are missing after a failure, with the same result in all that remain."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from luxport.distributed._budget import Budget
from luxport.distributed._launch import World

__all__ = ["Alarm", "ask_store", "find_silent_ranks"]

_QUICK = 0.1
"""How many seconds a store may take to return a key that it has."""

_AT_ONCE = 0.02
"""How many seconds the store is asked once the time is over: enough to read a key that exists."""


@dataclass
class Alarm:
    """An agreement, by keys in a store that all processes reach, on which processes are missing after a failure.

    The first process that gives up raises the alarm and finds the missing ones for all. If each process looked by
    itself, it would also name those that are still waiting.

    Args:
        world: this process's rank and the number of processes
        budget: the time that this may take
        prefix: the beginning of all keys
        put: a function ``(key, text)`` that writes a key if it does not exist, and returns whether it has
        has: a function ``(key)`` that returns whether a key exists
        get: a function ``(key, seconds) -> text`` that waits for a key, and raises TimeoutError
        failures: the errors of these functions if the store is gone
    """

    world: World
    budget: Budget
    prefix: str
    put: Callable[[str, str], bool]
    has: Callable[[str], bool]
    get: Callable[[str, float], str]
    failures: tuple[type[Exception], ...]

    def __post_init__(self) -> None:
        # A thread asks the store, as a call may never return if the store is unreachable.
        self._seen = False
        self._looking: threading.Thread | None = None

    def is_raised(self) -> bool:
        """Return whether another process has given up, so that this one need not wait any longer."""
        if self._looking is None or not self._looking.is_alive():
            self._looking = threading.Thread(target=self._look, daemon=True)
            self._looking.start()
        self._looking.join(min(_QUICK, self.budget.look / 2))
        return self._seen

    def _look(self) -> None:
        with suppress(*self.failures):  # the operation that this process waits for will fail as well, and report it
            self._seen = self.has(f"{self.prefix}/alarm")

    def find_missing_ranks(self) -> list[int]:
        """Return the ranks that do not answer after a failure; rank 0 if the store, which it hosts, does not."""
        if self._looking is not None:
            self._looking.join(self.budget.look)
            if self._looking.is_alive():
                return [0]
        longest = self.budget.listening + self.budget.look
        found = ask_store(self._find_failed, self.failures, longest + self.budget.ending)
        if self.world.rank == 0:
            self._wait_for_others(found)
        return found

    def _wait_for_others(self, missing: list[int]) -> None:
        """Wait briefly until the remaining processes have read the result, as the store may end with this process."""

        def wait(rank: int, seconds: float) -> None:
            if rank not in missing:
                self.get(f"{self.prefix}/knows/{rank}", seconds)

        ask_store(lambda: find_silent_ranks(self.world, wait, self.budget.look), self.failures, self.budget.look)

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
            except TimeoutError:  # the process that gave up first is gone, too
                patience = 0.0
        found = find_silent_ranks(self.world, lambda rank, s: self.get(f"{self.prefix}/waits/{rank}", s), patience)
        self.put(f"{self.prefix}/missing", json.dumps(found))
        return found


def find_silent_ranks(world: World, hear: Callable[[int, float], object], seconds: float) -> list[int]:
    """Return the ranks that do not answer in time.

    Args:
        world: this process's rank and the number of processes
        hear: a function ``(rank, seconds)`` that waits for a rank's answer, and raises TimeoutError
        seconds: how long all of them together may take
    """
    silent, deadline = [], time.monotonic() + seconds
    for rank in [rank for rank in range(world.size) if rank != world.rank]:
        try:
            hear(rank, max(deadline - time.monotonic(), _AT_ONCE))
        except TimeoutError:
            silent.append(rank)
    return silent


def ask_store(ask: Callable[[], list[int]], failures: tuple[type[Exception], ...], seconds: float) -> list[int]:
    """Return the ranks that `ask` finds in a store; rank 0, which hosts the store, if that fails or takes too long.

    It is called in a thread, as a call may never return if the store is unreachable.
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
