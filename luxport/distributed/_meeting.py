"""`meet`: processes that know the place of rank 0 alone tell each other where they are."""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import ExitStack
from typing import Any

from luxport.distributed._launch import World

__all__ = ["meet", "place_of_rank_0"]

_GREETING = "luxport"
"""What a process says first, so that whoever else comes to the port is not taken for one."""

_LONGEST = 1000
"""No greeting has more characters: whoever sends more is somebody else."""


def place_of_rank_0(world: World) -> tuple[str, int]:
    """Return the host and the port where an engine of its own may meet: torchrun listens at its port itself."""
    host, _, port = world.address.rpartition(":")
    taken = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    return host, int(port) + taken


def meet(world: World, timeout: float) -> list[str]:
    """Return a place ``host:port`` of each process, by rank, whose ports were free a moment ago.

    Raises: TimeoutError if some do not come, by their ranks; OSError where rank 0 cannot be met
    """
    with ExitStack() as open_until_then:
        own = open_until_then.enter_context(socket.socket())
        own.bind(("", 0))  # kept until everyone has one, so that no two on a host get the same
        port = own.getsockname()[1]
        host, meeting = place_of_rank_0(world)
        deadline = time.monotonic() + timeout
        if world.rank:
            return _ask(host, meeting, world, port, deadline)
        return _answer(host, meeting, world, port, deadline, open_until_then)


def _ask(host: str, meeting: int, world: World, port: int, deadline: float) -> list[str]:
    """Tell rank 0 where this process is, as soon as it listens, and hear of all."""
    while True:
        left = deadline - time.monotonic()
        try:
            connection = socket.create_connection((host, meeting), timeout=max(left, 0.1))
            break
        except OSError:
            if left < 0:
                raise TimeoutError(f"rank 0 did not come to {host}:{meeting}") from None
            time.sleep(0.05)
    with connection, connection.makefile("rw", encoding="utf-8") as stream:
        connection.settimeout(max(deadline - time.monotonic(), 0.1))
        place = _written(connection.getsockname()[0], port)
        stream.write(json.dumps([_GREETING, world.rank, world.size, place]) + "\n")
        stream.flush()
        places = json.loads(stream.readline() or "[]")
    if len(places) != world.size:
        raise TimeoutError("rank 0 met not all of them" if not places else str(places[0]))
    return places


def _answer(host: str, meeting: int, world: World, port: int, deadline: float, open_until_then: ExitStack) -> list[str]:
    """Hear where the others are, and tell each."""
    places = {0: _written(host, port)}
    listener = open_until_then.enter_context(socket.create_server(("", meeting), backlog=world.size))
    streams: list[Any] = []
    refusal = ""
    while len(places) < world.size and not refusal:
        listener.settimeout(max(deadline - time.monotonic(), 0.01))
        try:
            connection = open_until_then.enter_context(listener.accept()[0])
        except TimeoutError:
            missing = [str(rank) for rank in range(world.size) if rank not in places]
            refusal = f"rank {', '.join(missing)} did not come to {host}:{meeting}"
            break
        connection.settimeout(5)
        stream = open_until_then.enter_context(connection.makefile("rw", encoding="utf-8"))
        try:
            greeting, rank, size, place = json.loads(stream.readline(_LONGEST))
        except (OSError, ValueError, TypeError):  # somebody else came by
            continue
        if greeting == _GREETING:
            streams.append(stream)
            if size != world.size or rank in places:
                refusal = f"rank {rank} of {size} came to rank 0 of {world.size}: start all of them together"
            places[rank] = place
    reply = [refusal] if refusal else [places[rank] for rank in range(world.size)]
    for stream in streams:
        try:
            stream.write(json.dumps(reply) + "\n")
            stream.flush()
        except OSError:  # it has gone: whoever starts the engine will hear of that
            continue
    if refusal:
        raise TimeoutError(refusal)
    return reply


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
