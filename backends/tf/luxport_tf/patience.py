"""`Patience`: TensorFlow's operations end where another process stands still."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context as eager

from luxport.distributed._alarm import LOOK

__all__ = ["Patience"]


class Patience(threading.Thread):
    """Ends operations that wait for another process for too long.

    Operations have a time-out of their own, after which TensorFlow may still write into what it has given back.
    """

    def __init__(self, timeout: float, given_up: Callable[[], bool]) -> None:
        super().__init__(name="luxport's patience with other processes", daemon=True)
        self._timeout, self._given_up = timeout, given_up
        self._deadline, self._look, self._ended = math.inf, math.inf, threading.Event()
        self.start()

    def run(self) -> None:
        """Look at the clock now and then, and whether another process has given up."""
        while not self._ended.wait(min(0.2, self._timeout / 4)):
            now, waited_for = time.monotonic(), self._deadline
            late = now > waited_for
            if now > self._look:
                self._look = now + LOOK
                late = self._given_up() or late
            if late and self._deadline == waited_for:
                self.pause()
                text = f"no answer within {self._timeout:g} s"
                context: Any = eager.context()
                context.abort_collective_ops(tf.errors.DEADLINE_EXCEEDED, text)

    def begin(self) -> None:
        """Wait from now on."""
        now = time.monotonic()
        self._deadline, self._look = now + self._timeout, now + LOOK

    def pause(self) -> None:
        """Wait no longer."""
        self._deadline = self._look = math.inf

    def end(self) -> None:
        """Never wait again."""
        self._ended.set()

    def __enter__(self) -> None:
        self.begin()

    def __exit__(self, *error: object) -> None:
        self.pause()
