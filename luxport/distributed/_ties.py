"""Connections along a tree of processes, by which they ask whether all do the same: `Ties`."""

from __future__ import annotations

import secrets
import socket
import time
from typing import Any

from luxport.distributed._rows import StoredRows

__all__ = ["Ties"]

_SECRET = 16


class Ties:
    """A binary tree with rank 0 as its root: one small message up and one down for each process, of any number.

    Args:
        rows: the store in which processes find each other once
    """

    def __init__(self, rows: StoredRows) -> None:
        self._rows, self._world, self._timeout = rows, rows.world, rows.timeout
        self._up: socket.socket | None = None
        self._down: list[socket.socket] = []
        self._tied = False

    def agree(self, digest: bytes) -> bool:
        """Tell whether every process asks with the same digest.

        Raises: TimeoutError, ConnectionError where a process is late or gone
        """
        deadline = time.monotonic() + self._timeout
        if not self._tied:
            self._tie(deadline)
        same = b"\1"
        for one in self._down:
            told = _received(one, 1 + len(digest), deadline)
            if told != same + digest:
                same = b"\0"
        if self._up is not None:
            _send(self._up, same + digest, deadline)
            same = _received(self._up, 1, deadline)
        for one in self._down:
            _send(one, same, deadline)
        return same == b"\1"

    def cut(self) -> None:
        """Close all connections."""
        for one in (*self._down, *([self._up] if self._up is not None else [])):
            one.close()
        self._up, self._down, self._tied = None, [], False

    def _tie(self, deadline: float) -> None:
        """Connect to the one above, and take the connections of those below: others who come are sent away."""
        rank, family, own = self._world.rank, *_own_place(self._world.address)
        below = [one for one in (2 * rank + 1, 2 * rank + 2) if one < self._world.size]
        secret = secrets.token_hex(_SECRET // 2)
        with socket.create_server(("", 0), family=family) as listener:
            if below:
                self._rows.write(self._key(rank), f"{own} {listener.getsockname()[1]} {secret}".encode())
            if rank:
                above = (rank - 1) // 2
                host, port, told = self._rows.read(self._key(above), _milliseconds(deadline), above).decode().split()
                self._up = _quick(socket.create_connection((host, int(port)), timeout=_left(deadline)))
                _send(self._up, told.encode() + rank.to_bytes(4, "big"), deadline)
            came: dict[int, socket.socket] = {}
            while len(came) < len(below):
                listener.settimeout(_left(deadline))
                one = _quick(listener.accept()[0])
                try:
                    greeting = _received(one, _SECRET + 4, min(deadline, time.monotonic() + 5))
                except OSError:
                    greeting = b""
                if greeting[:_SECRET] == secret.encode():
                    came[int.from_bytes(greeting[_SECRET:], "big")] = one
                else:
                    one.close()
        self._down = [came[one] for one in below]
        self._tied = True

    def _key(self, rank: int) -> str:
        return f"{self._rows.prefix}/ties/{rank}"


def _own_place(address: str) -> tuple[Any, str]:
    """Return the family of addresses by which rank 0 is met, and this host's own one."""
    host, _, port = address.rpartition(":")
    family, _, _, _, place = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.connect(place)  # which sends nothing, but chooses a way
        return family, one.getsockname()[0]


def _quick(one: socket.socket) -> socket.socket:
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 1e-3)


def _milliseconds(deadline: float) -> int:
    return int(1000 * _left(deadline))


def _send(one: socket.socket, message: bytes, deadline: float) -> None:
    one.settimeout(_left(deadline))
    one.sendall(message)


def _received(one: socket.socket, length: int, deadline: float) -> bytes:
    """Return the next bytes.

    Raises: ConnectionError where the other process has closed
    """
    found = b""
    while len(found) < length:
        one.settimeout(_left(deadline))
        part = one.recv(length - len(found))
        if not part:
            raise ConnectionError("a process has closed its connection")
        found += part
    return found
