"""Processes that are threads: calls side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from socket import socket
from typing import Any

__all__ = ["in_threads", "is_closed"]


def in_threads(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Make each call in a thread of its own; return what each returned, or the error that it raised."""
    with ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(call) for call in calls]
    return [one.result() if one.exception() is None else one.exception() for one in running]


def is_closed(connection: socket) -> bool:
    """Tell whether the other side has closed a connection, in five seconds at most, and close this one."""
    with connection:
        connection.settimeout(5)
        try:
            return connection.recv(1) == b""
        except ConnectionResetError:  # what it is where the other side did not read all
            return True
        except TimeoutError:
            return False
