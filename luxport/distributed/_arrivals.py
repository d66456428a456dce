"""`yield_arrivals`: accept connections that begin with a secret token, and close any other without delaying these."""

from __future__ import annotations

import hmac
import selectors
import socket
import time
from collections.abc import Iterator
from typing import Any

__all__ = ["TOKEN", "yield_arrivals"]

TOKEN = 16
"""The length of a token in bytes."""

_PATIENCE = 5.0
"""After how many seconds a connection without a complete greeting is closed."""


def yield_arrivals(
    listener: socket.socket, token: bytes, rest: int, deadline: float
) -> Iterator[tuple[socket.socket, bytes]]:
    """Yield each connection that sends the token, with the bytes that follow it, until the deadline.

    The caller closes the connections that it gets.

    Args:
        listener: the listening socket
        token: the bytes that a connection must send first
        rest: the number of bytes that follow the token
        deadline: when to stop, in the time of `time.monotonic`
    """
    length = len(token) + rest
    heard: dict[socket.socket, tuple[bytes, float]] = {}
    listener.setblocking(False)
    with selectors.DefaultSelector() as ready:
        ready.register(listener, selectors.EVENT_READ)

        def forget(one: socket.socket) -> None:
            ready.unregister(one)
            del heard[one]

        try:
            while time.monotonic() < deadline:
                ends = min([deadline, *[until for _, until in heard.values()]])
                for key, _ in ready.select(max(ends - time.monotonic(), 0)):
                    one: Any = key.fileobj
                    if one is listener:
                        new = _accept(listener)
                        if new is not None:
                            heard[new] = b"", time.monotonic() + _PATIENCE
                            ready.register(new, selectors.EVENT_READ)
                        continue
                    said, until = heard[one]
                    part = _get_part(one, length - len(said))
                    said += part
                    heard[one] = said, until
                    if part and len(said) < length:
                        continue
                    forget(one)
                    # Compared in constant time, so that a stranger cannot measure how many bytes were right.
                    if len(said) == length and hmac.compare_digest(said[: len(token)], token):
                        yield one, said[len(token) :]
                    else:
                        one.close()
                now = time.monotonic()
                for one in [one for one, (_, until) in heard.items() if until < now]:
                    forget(one)
                    one.close()
        finally:
            for one in heard:
                one.close()


def _accept(listener: socket.socket) -> socket.socket | None:
    """Return a waiting connection, or None if it is gone."""
    try:
        new, _ = listener.accept()
    except OSError:
        return None
    new.setblocking(False)
    return new


def _get_part(one: socket.socket, length: int) -> bytes:
    try:
        return one.recv(length)
    except OSError:
        return b""
