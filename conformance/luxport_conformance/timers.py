"""Timers that a test ends by a call, so that the test does not depend on the machine's load."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

__all__ = ["hold_timers"]


@contextmanager
def hold_timers() -> Iterator[Callable[[], None]]:
    """Replace `threading.Timer` in this context; started timers end when the yielded function is called."""
    waiting: list[Callable[[], Any]] = []

    class ByHand(threading.Timer):
        def start(self) -> None:
            waiting.append(lambda: self.function(*self.args, **self.kwargs))

    def end_all() -> None:
        ended = waiting.copy()
        waiting.clear()
        for function in ended:
            function()

    with mock.patch.object(threading, "Timer", ByHand):
        yield end_all
