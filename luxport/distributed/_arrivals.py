"""`yield_arrivals`: connections that begin with a token; any other at the port is closed and delays nobody."""

from __future__ import annotations

import hmac
import selectors
import socket
import time
from collections.abc import Iterator
from typing import Any

__all__ = ["TOKEN", "yield_arrivals"]

TOKEN = 16
"""How many bytes a token has."""

_PATIENCE = 5.0
"""How many seconds a connection has for a whole greeting: then it is dropped, so that others need not wait for it."""


def yield_arrivals(
    listener: socket.socket, token: bytes, rest: int, deadline: float
) -> Iterator[tuple[socket.socket, bytes]]:
    """Yield each connection that begins with the token, and what it says then; end at the deadline.

    Whoever asks for one closes it.

    Args:
        listener: where they come
        token: what they say first
        rest: how many bytes follow
        deadline: when the last may come, by `time.monotonic`
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
                    # Compared in constant time, which does not tell how much of it is right.
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
    """Return a connection that waits, if it does so still."""
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
