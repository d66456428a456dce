"""`ProcessTree`: connections between processes along a binary tree, to check quickly that all make the same call.

An engine's key-value store and its collective operations take several times as long for such a check, see
docs/scaling.md. The store is used only to exchange addresses.
"""

from __future__ import annotations

import atexit
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

from luxport.distributed._arrivals import TOKEN, yield_arrivals
from luxport.distributed._stored_rows import StoredRows

__all__ = ["ProcessTree"]

_RANK = 4
"""The number of bytes in which a rank is sent."""


class ProcessTree:
    """A binary tree of processes with rank 0 as its root: a check is one small message up and one down per process.

    A process listens only at the address from which its host reaches rank 0, only until its children have connected,
    and closes every connection that does not send the token that it wrote into the store.

    Args:
        rows: the store through which addresses are exchanged
        given_up: returns whether another process has given up, so that this one need not wait any longer
    """

    def __init__(self, rows: StoredRows, given_up: Callable[[], bool]) -> None:
        self._rows, self._world, self._budget, self._given_up = rows, rows.world, rows.budget, given_up
        self._up: socket.socket | None = None
        self._down: list[socket.socket] = []
        self._connected = self._broken = False
        self._seen_closed = False

    def has_lost_process(self) -> bool:
        """Return whether a connected process has ended, as seen by two calls in a row.

        At the first one, messages that the process sent before its end may still be on their way.
        """
        before, self._seen_closed = self._seen_closed, any([_is_closed(c) for c in self._list_all()])
        return before and self._seen_closed

    def _list_all(self) -> list[socket.socket]:
        return [*self._down, *([self._up] if self._up is not None else [])]

    def agree(self, digest: bytes) -> bool:
        """Return whether every process calls this with the same digest.

        Raises: TimeoutError, ConnectionError if a process is late or gone
        """
        if self._broken:
            raise ConnectionError("the connections of these processes are closed")
        try:
            return self._ask(digest, time.monotonic() + self._budget.waiting)
        except OSError:
            self._broken = True
            self.close()  # so that the others notice at once
            raise

    def _ask(self, digest: bytes, deadline: float) -> bool:
        if not self._connected:
            self._connect_all(deadline)
        same = b"\1"
        for child in self._down:
            if self._receive(child, 1 + len(digest), deadline) != same + digest:
                same = b"\0"
        if self._up is not None:
            _send(self._up, same + digest, deadline)
            same = self._receive(self._up, 1, deadline)
        for child in self._down:
            _send(child, same, deadline)
        return same == b"\1"

    def close(self) -> None:
        """Close all connections."""
        atexit.unregister(self.close)
        for connection in self._list_all():
            connection.close()
        self._up, self._down, self._connected = None, [], False

    def _connect_all(self, deadline: float) -> None:
        """Connect to the parent, and accept the connections of the children."""
        # When a process ends, its engine may wait for the others, which must notice before that it has left.
        atexit.register(self.close)
        rank = self._world.rank
        children = [child for child in (2 * rank + 1, 2 * rank + 2) if child < self._world.size]
        if children:
            family, own = _find_own_address(self._world.address)
            token = secrets.token_bytes(TOKEN)
            with socket.create_server((own, 0), family=family) as listener:
                address = f"{own} {listener.getsockname()[1]} {token.hex()}"
                self._rows.write(f"{self._rows.prefix}/ties/{rank}", address.encode())
                self._connect_to_parent(deadline)
                self._down = _accept(listener, token, children, deadline)
        else:
            self._connect_to_parent(deadline)
        self._connected = True

    def _connect_to_parent(self, deadline: float) -> None:
        rank = self._world.rank
        if rank == 0:
            return
        parent = (rank - 1) // 2
        key = f"{self._rows.prefix}/ties/{parent}"
        address = self._rows.read(key, int(1000 * _count_seconds_left(deadline)), parent)
        host, port, token = address.decode().split()
        left = _count_seconds_left(deadline)
        self._up = _disable_buffering(socket.create_connection((host, int(port)), timeout=left))
        _send(self._up, bytes.fromhex(token) + _pack_rank(rank), deadline)

    def _receive(self, connection: socket.socket, length: int, deadline: float) -> bytes:
        """Return the next bytes of a connection.

        Raises: ConnectionError if the other process has closed it; TimeoutError
        """
        found = b""
        while len(found) < length:
            connection.settimeout(min(_count_seconds_left(deadline), self._budget.look))
            try:
                part = connection.recv(length - len(found))
            except TimeoutError:
                if time.monotonic() > deadline or self._given_up():
                    raise
                continue
            if not part:
                raise ConnectionError("a process has closed its connection")
            found += part
        return found


def _accept(listener: socket.socket, token: bytes, children: Sequence[int], deadline: float) -> list[socket.socket]:
    """Return the connections of the children, by rank.

    Raises: TimeoutError if some do not connect
    """
    accepted: dict[int, socket.socket] = {}
    for connection, said in yield_arrivals(listener, token, _RANK, deadline):
        rank = int.from_bytes(said, "big")
        if rank in accepted or rank not in children:
            connection.close()
            continue
        accepted[rank] = _disable_buffering(connection)
        if len(accepted) == len(children):
            return [accepted[rank] for rank in children]
    for connection in accepted.values():
        connection.close()
    missing = [str(rank) for rank in children if rank not in accepted]
    raise TimeoutError(f"no connection came from rank {', '.join(missing)}")


def _find_own_address(address: str) -> tuple[Any, str]:
    """Return the address family of rank 0's address, and the address of this host from which it is reached."""
    host, _, port = address.rpartition(":")
    family, _, _, _, target = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(target)  # sends nothing over UDP, but chooses the route
        return family, probe.getsockname()[0]


def _disable_buffering(connection: socket.socket) -> socket.socket:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0)
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _pack_rank(rank: int) -> bytes:
    return rank.to_bytes(_RANK, "big")


def _count_seconds_left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 1e-3)


def _send(connection: socket.socket, message: bytes, deadline: float) -> None:
    connection.settimeout(_count_seconds_left(deadline))
    connection.sendall(message)
