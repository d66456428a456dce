"""`Patience`: a timeout for TensorFlow's operations that wait for other processes."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context as eager

from luxport.distributed._budget import Budget

__all__ = ["Patience"]


class Patience(threading.Thread):
    """A thread that aborts collective operations which wait too long for another process.

    TensorFlow's own timeout is not safe: after it, TensorFlow may still write into results that it has returned.
    """

    def __init__(self, budget: Budget, given_up: Callable[[], bool]) -> None:
        super().__init__(name="luxport's patience with other processes", daemon=True)
        self._budget, self._given_up = budget, given_up
        self._deadline, self._look, self._ended = math.inf, math.inf, threading.Event()
        self.start()

    def run(self) -> None:
        """Check at intervals whether the deadline is over, or another process reported a failure."""
        while not self._ended.wait(self._budget.look / 2):
            now, waited_for = time.monotonic(), self._deadline
            late = now > waited_for
            if now > self._look:
                self._look = now + self._budget.look
                late = self._given_up() or late
            if late and self._deadline == waited_for:
                self.pause()
                text = f"no answer within {self._budget.timeout:g} s"
                context: Any = eager.context()
                context.abort_collective_ops(tf.errors.DEADLINE_EXCEEDED, text)

    def begin(self) -> None:
        """Start the timeout."""
        now = time.monotonic()
        self._deadline, self._look = now + self._budget.waiting, now + self._budget.look

    def pause(self) -> None:
        """Stop the timeout."""
        self._deadline = self._look = math.inf

    def end(self) -> None:
        """End the thread."""
        self._ended.set()

    def __enter__(self) -> None:
        self.begin()

    def __exit__(self, *error: object) -> None:
        self.pause()
