"""`meet`: exchange the addresses of all processes, which at first know only that of rank 0."""

from __future__ import annotations

import errno
import ipaddress
import json
import os
import socket
import time
from contextlib import ExitStack, suppress
from typing import Any

from luxport.distributed._arrivals import yield_arrivals
from luxport.distributed._budget import Budget
from luxport.distributed._launch import World

__all__ = ["meet", "find_meeting_address"]

_NUMBER = 4
"""The bytes of a number in a greeting, which is the token of the run and three numbers: rank, size and a free port."""


def find_meeting_address(world: World) -> tuple[str, int]:
    """Return the host and port at which rank 0 listens: the next port under torchrun, which uses its own itself."""
    host, _, port = world.address.rpartition(":")
    taken = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    return host, int(port) + taken


def meet(world: World, timeout: float, *, kept: list[socket.socket] | None = None) -> list[str]:
    """Return an address ``host:port`` of each process, by rank, whose ports were free a moment ago.

    Args:
        world: this process's rank and the address of rank 0
        timeout: how many seconds to wait until all have connected
        kept: a list that receives connections that stay open: for rank 0 those to all others, for others the one to it

    Raises: TimeoutError if some do not connect, with their ranks; OSError if rank 0 cannot be reached
    """
    with ExitStack() as open_until_then:
        own = open_until_then.enter_context(socket.socket())
        own.bind(("", 0))  # bound until all have a port, so that no two processes on a host get the same
        port = own.getsockname()[1]
        host, meeting = find_meeting_address(world)
        begin = time.monotonic()
        if world.rank:
            connection, places = _ask(host, meeting, world, port, begin + timeout, open_until_then)
            connections = [connection]
        else:
            # Rank 0 stops earlier than the others, so that it can still tell them who did not connect.
            deadline = begin + Budget(timeout).waiting
            connections, places = _answer(host, meeting, world, port, deadline, open_until_then)
        if kept is not None:
            kept += [connection.dup() for connection in connections]
        return places


def _ask(
    host: str, meeting: int, world: World, port: int, deadline: float, open_until_then: ExitStack
) -> tuple[socket.socket, list[str]]:
    """Send rank 0 the port of this process, once it listens; return the connection and the addresses of all."""
    while True:
        left = deadline - time.monotonic()
        try:
            connection = socket.create_connection((host, meeting), timeout=max(left, 0.1))
            break
        except OSError:
            if left < 0:
                raise TimeoutError(f"rank 0 did not connect to {host}:{meeting}") from None
            time.sleep(0.05)
    open_until_then.enter_context(connection)
    with connection.makefile(encoding="utf-8") as stream:
        connection.settimeout(max(deadline - time.monotonic(), 0.1))
        connection.sendall(world.token + b"".join([_pack_number(number) for number in (world.rank, world.size, port)]))
        try:
            reply = json.loads(stream.readline() or "[]")
        except ConnectionError:  # rank 0 closed the connection before it read everything
            reply = []
    if len(reply) != world.size:
        raise TimeoutError(
            str(reply[0])
            if reply
            else f"rank 0 at {host}:{meeting} closed the connection: it has ended, or belongs to another run "
            "(LUXPORT_TOKEN and the launcher's number of the run are to be the same)"
        )
    return connection, reply


def _answer(
    host: str, meeting: int, world: World, port: int, deadline: float, open_until_then: ExitStack
) -> tuple[list[socket.socket], list[str]]:
    """Receive the ports of the others and send each the addresses of all; return the connections and the addresses."""
    listener = open_until_then.enter_context(_listen(host, meeting))
    connections: list[socket.socket] = []
    places: dict[int, str] = {}
    refusal = ""
    for connection, said in yield_arrivals(listener, world.token, 3 * _NUMBER, deadline) if world.size > 1 else ():
        connections.append(open_until_then.enter_context(connection))
        rank, size, its_port = [int.from_bytes(said[i : i + _NUMBER], "big") for i in range(0, len(said), _NUMBER)]
        if size != world.size or rank in places or not 0 < rank < size:
            refusal = f"rank {rank} of {size} came to rank 0 of {world.size}: start all of them together"
            break
        places[rank] = _write_place(connection.getpeername()[0], its_port)
        if len(places) == world.size - 1:
            break
    else:
        missing = [str(rank) for rank in range(1, world.size) if rank not in places]
        refusal = f"rank {', '.join(missing)} did not connect to {host}:{meeting}" if missing else ""
    reached = [connection.getsockname()[0] for connection in connections]
    places[0] = _write_place(_find_known_name(host, reached), port)
    reply = [refusal] if refusal else [places[rank] for rank in range(world.size)]
    for connection in connections:
        with suppress(OSError):  # the other process is gone, which starting the engine will report
            connection.settimeout(5)
            connection.sendall((json.dumps(reply) + "\n").encode())
    if refusal:
        raise TimeoutError(refusal)
    return connections, reply


def _listen(host: str, port: int) -> socket.socket:
    """Listen at the address by which others reach this host, or at all addresses if its name has none."""
    try:
        family, _, _, _, (address, *_) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        return socket.create_server(("", port), backlog=socket.SOMAXCONN)
    if _is_loopback(address) and not _is_this_host(host):
        # A host may resolve its own name to 127.0.1.1, which others cannot reach.
        return socket.create_server(("", port), family=family, backlog=socket.SOMAXCONN)
    try:
        return socket.create_server((str(address), port), family=family, backlog=socket.SOMAXCONN)
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise
        # The address is not one of this host's, but connections to it are forwarded here.
        return socket.create_server(("", port), family=family, backlog=socket.SOMAXCONN)


def _find_known_name(host: str, reached: list[str]) -> str:
    """Return the name of rank 0's host, or an address by which it was reached if only the host resolves the name."""
    others = [address for address in reached if not _is_loopback(address)]
    try:
        own_only = _is_loopback(str(socket.getaddrinfo(host, None)[0][4][0]))
    except OSError:
        own_only = False
    return others[0] if own_only and others else host


def _is_this_host(host: str) -> bool:
    return host == "localhost" or _is_loopback(host)


def _is_loopback(address: Any) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _pack_number(number: int) -> bytes:
    return number.to_bytes(_NUMBER, "big")


def _write_place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
