"""Connections along a tree of processes, by which they ask whether all do the same: `Ties`.

An engine's own store takes several times as long for a question, and so do its collective operations: see
docs/scaling.md. The store is what the connections are made by.
"""

from __future__ import annotations

import atexit
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

from luxport.distributed._arrivals import TOKEN, yield_arrivals
from luxport.distributed._rows import StoredRows

__all__ = ["Ties"]

_RANK = 4
"""How many bytes the number of a rank has."""


class Ties:
    """A binary tree with rank 0 as its root: one small message up and one down for each process, of any number.

    A process listens at the one address by which rank 0 is reached from its host, only until those below it are there,
    and drops every connection that does not begin with the token which it wrote into the store.

    Args:
        rows: the store in which processes find each other once
        given_up: whether another process waits no longer, so that this one need not, either
    """

    def __init__(self, rows: StoredRows, given_up: Callable[[], bool]) -> None:
        self._rows, self._world, self._budget, self._given_up = rows, rows.world, rows.budget, given_up
        self._up: socket.socket | None = None
        self._down: list[socket.socket] = []
        self._tied = self._broken = False
        self._seen_cut = False

    def left(self) -> bool:
        """Tell whether another process has ended; not at first, as what it sent before may still be on its way."""
        before, self._seen_cut = self._seen_cut, any([_is_cut(one) for one in self._list_all()])
        return before and self._seen_cut

    def _list_all(self) -> list[socket.socket]:
        return [*self._down, *([self._up] if self._up is not None else [])]

    def agree(self, digest: bytes) -> bool:
        """Tell whether every process asks with the same digest.

        Raises: TimeoutError, ConnectionError where a process is late or gone
        """
        if self._broken:
            raise ConnectionError("the connections of these processes are cut")
        try:
            return self._ask(digest, time.monotonic() + self._budget.waiting)
        except OSError:
            self._broken = True
            self.cut()  # so that others need not find out by themselves
            raise

    def _ask(self, digest: bytes, deadline: float) -> bool:
        if not self._tied:
            self._tie(deadline)
        same = b"\1"
        for one in self._down:
            told = self._receive(one, 1 + len(digest), deadline)
            if told != same + digest:
                same = b"\0"
        if self._up is not None:
            _send(self._up, same + digest, deadline)
            same = self._receive(self._up, 1, deadline)
        for one in self._down:
            _send(one, same, deadline)
        return same == b"\1"

    def cut(self) -> None:
        """Close all connections."""
        atexit.unregister(self.cut)
        for one in self._list_all():
            one.close()
        self._up, self._down, self._tied = None, [], False

    def _tie(self, deadline: float) -> None:
        """Connect to the one above, and take the connections of those below."""
        # When a process ends, an engine may wait for the others: they must have heard by then that it has left.
        atexit.register(self.cut)
        rank = self._world.rank
        below = [one for one in (2 * rank + 1, 2 * rank + 2) if one < self._world.size]
        if below:
            family, own = _find_own_place(self._world.address)
            token = secrets.token_bytes(TOKEN)
            with socket.create_server((own, 0), family=family) as listener:
                place = f"{own} {listener.getsockname()[1]} {token.hex()}"
                self._rows.write(f"{self._rows.prefix}/ties/{rank}", place.encode())
                self._connect(deadline)
                self._down = _accept(listener, token, below, deadline)
        else:
            self._connect(deadline)
        self._tied = True

    def _connect(self, deadline: float) -> None:
        rank = self._world.rank
        if rank == 0:
            return
        above = (rank - 1) // 2
        place = self._rows.read(f"{self._rows.prefix}/ties/{above}", int(1000 * _count_seconds_left(deadline)), above)
        host, port, token = place.decode().split()
        self._up = _send_at_once(socket.create_connection((host, int(port)), timeout=_count_seconds_left(deadline)))
        _send(self._up, bytes.fromhex(token) + _pack_rank(rank), deadline)

    def _receive(self, one: socket.socket, length: int, deadline: float) -> bytes:
        """Return the next bytes.

        Raises: ConnectionError where the other process has closed; TimeoutError
        """
        found = b""
        while len(found) < length:
            one.settimeout(min(_count_seconds_left(deadline), self._budget.look))
            try:
                part = one.recv(length - len(found))
            except TimeoutError:
                if time.monotonic() > deadline or self._given_up():
                    raise
                continue
            if not part:
                raise ConnectionError("a process has closed its connection")
            found += part
        return found


def _accept(listener: socket.socket, token: bytes, below: Sequence[int], deadline: float) -> list[socket.socket]:
    """Return the connections of the ranks below, by rank.

    Raises: TimeoutError if some do not come
    """
    came: dict[int, socket.socket] = {}
    for one, said in yield_arrivals(listener, token, _RANK, deadline):
        rank = int.from_bytes(said, "big")
        if rank in came or rank not in below:
            one.close()
            continue
        came[rank] = _send_at_once(one)
        if len(came) == len(below):
            return [came[rank] for rank in below]
    for one in came.values():
        one.close()
    raise TimeoutError(f"no connection came from rank {', '.join([str(rank) for rank in below if rank not in came])}")


def _find_own_place(address: str) -> tuple[Any, str]:
    """Return the family of addresses by which rank 0 is met, and this host's own one."""
    host, _, port = address.rpartition(":")
    family, _, _, _, place = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.connect(place)  # which sends nothing, but chooses a way
        return family, one.getsockname()[0]


def _send_at_once(one: socket.socket) -> socket.socket:
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one


def _is_cut(one: socket.socket) -> bool:
    one.settimeout(0)
    try:
        return not one.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _pack_rank(rank: int) -> bytes:
    return rank.to_bytes(_RANK, "big")


def _count_seconds_left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 1e-3)


def _send(one: socket.socket, message: bytes, deadline: float) -> None:
    one.settimeout(_count_seconds_left(deadline))
    one.sendall(message)
