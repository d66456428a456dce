"""Threads in place of processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from socket import socket
from typing import Any

__all__ = ["in_threads", "is_closed"]


def in_threads(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run each call in a thread of its own; return the results, or the errors that were raised."""
    with ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(call) for call in calls]
    return [one.result() if one.exception() is None else one.exception() for one in running]


def is_closed(connection: socket) -> bool:
    """Return whether the other side closes the connection within five seconds, and close this one."""
    with connection:
        connection.settimeout(5)
        try:
            return connection.recv(1) == b""
        except ConnectionResetError:  # raised if the other side closed without reading everything
            return True
        except TimeoutError:
            return False
