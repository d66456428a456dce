"""`Patience`: a timeout for arrays whose computation waits for other processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

import jax

from luxport.distributed._budget import Budget

__all__ = ["Patience"]


class Patience:
    """Waits for arrays in a thread, with a timeout: JAX itself would wait forever for a process that has stopped."""

    def __init__(self, budget: Budget, given_up: Callable[[], bool]) -> None:
        self._budget, self._given_up = budget, given_up
        self._begin()

    def _begin(self) -> None:
        self._asked: Any = SimpleQueue()
        self._answers: Any = SimpleQueue()
        threading.Thread(target=_answer, args=(self._asked, self._answers), daemon=True).start()

    def wait(self, arrays: Any) -> None:
        """Wait until the arrays are computed.

        Raises: TimeoutError if the deadline is over, or another process reported a failure
        """
        self._asked.put(arrays)
        deadline = time.monotonic() + self._budget.waiting
        while True:
            left = deadline - time.monotonic()
            try:
                error = self._answers.get(timeout=max(min(left, self._budget.look), 1e-3))
                break
            except Empty:
                if left < 0 or self._given_up():
                    self._begin()  # a new thread: the old one cannot be interrupted
                    raise TimeoutError(f"no answer within {self._budget.timeout:g} s") from None
        if error is not None:
            raise error

    def end(self) -> None:
        """End the thread."""
        self._asked.put(None)


def _answer(asked: Any, answers: Any) -> None:
    while (arrays := asked.get()) is not None:
        try:
            jax.block_until_ready(arrays)
        except Exception as error:
            answers.put(error)
        else:
            answers.put(None)
        del arrays
