"""Processes, here threads, connect at rank 0's address; other connections are dropped."""

import multiprocessing
import socket
import threading
import time
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

import pytest
from threads import in_threads, is_closed

from luxport.distributed import _arrivals, _meeting
from luxport.distributed._launch import World, read_world
from luxport.distributed._lifeline import Lifeline
from luxport.distributed._meeting import meet


@pytest.fixture
def port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def make_worlds(port: int, size: int, host: str = "127.0.0.1", **variables: str) -> list[World]:
    told = {"WORLD_SIZE": str(size), "MASTER_ADDR": host, "MASTER_PORT": str(port), **variables}
    return [read_world({**told, "RANK": str(rank)}) for rank in range(size)]


def meet_all(worlds: list[World], timeout: float = 10.0) -> list[Any]:
    """Return what each process receives, or the error that it raises."""
    return in_threads([partial(meet, world, timeout) for world in worlds])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_every_process_receives_the_addresses_of_all(host: str, size: int, port: int) -> None:
    first, *others = meet_all(make_worlds(port, size, host))
    assert all([one == first for one in others]) and len(set(first)) == size
    wanted = "[::1]:" if host == "::1" else f"{host}:"
    assert first[0].startswith(wanted), first
    assert all([place.startswith(("127.0.0.1:", "[::1]:")) for place in first[1:]])


def test_foreign_connections_delay_nobody(port: int) -> None:
    """They connect first, and send nothing, too little, something else, or the greeting of another run."""
    own = make_worlds(port, 3)
    another = make_worlds(port, 3, LUXPORT_TOKEN="another")[1]
    strangers: list[socket.socket] = []

    def come() -> None:
        numbers = b"".join([n.to_bytes(4, "big") for n in (1, 3, 7)])
        greetings = (b"", own[1].token[:5], b"GET / HTTP/1.1\r\n\r\n" * 9, another.token + numbers)
        while len(strangers) < len(greetings) and rank_0.is_alive():
            with suppress(ConnectionRefusedError):
                one = socket.create_connection(("127.0.0.1", port))
                one.sendall(greetings[len(strangers)])
                strangers.append(one)

    found: list[Any] = []
    start = time.monotonic()
    rank_0 = threading.Thread(target=lambda: found.append(meet(own[0], 10.0)))
    rank_0.start()
    come()
    others = meet_all(own[1:])
    rank_0.join()
    assert others == [found[0], found[0]]
    assert time.monotonic() - start < _arrivals._PATIENCE
    assert [is_closed(one) for one in strangers] == [True] * 4


def test_a_process_of_another_run_is_told_so(port: int) -> None:
    own, other = make_worlds(port, 2, LUXPORT_TOKEN="a"), make_worlds(port, 2, LUXPORT_TOKEN="b")
    first, second = meet_all([own[0], other[1]], timeout=1.0)
    assert str(first) == f"rank 1 did not connect to 127.0.0.1:{port}"
    assert str(second).startswith(f"rank 0 at 127.0.0.1:{port} closed the connection: it has ended, or belongs to anot")


def test_runs_are_told_apart_by_their_launchers_names() -> None:
    def token(**variables: str) -> bytes:
        return read_world({"RANK": "0", "WORLD_SIZE": "2", **variables}).token

    assert token() == token(SLURM_JOB_ID="7")  # which processes started by hand may or may not inherit
    assert len({token(), token(TORCHELASTIC_RUN_ID="a"), token(TORCHELASTIC_RUN_ID="b"), token(LUXPORT_TOKEN="a")}) == 4
    srun = {"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "2", "SLURM_JOB_ID": "7"}
    assert read_world({**srun, "SLURM_STEP_ID": "0"}).token != read_world({**srun, "SLURM_STEP_ID": "1"}).token
    secret = read_world({**srun, "LUXPORT_TOKEN": "a"})
    assert repr(secret.token) not in repr(secret)


def test_ranks_that_do_not_come_are_named(port: int) -> None:
    found = meet_all(make_worlds(port, 4)[:2], timeout=1.0)
    assert [str(one) for one in found] == [f"rank 2, 3 did not connect to 127.0.0.1:{port}"] * 2


def test_sizes_and_ranks_that_contradict_each_other(port: int) -> None:
    two, three = make_worlds(port, 2), make_worlds(port, 3)
    said = "rank 1 of 3 came to rank 0 of 2: start all of them together"
    assert [str(one) for one in meet_all([two[0], three[1]])] == [said, said]
    twice = meet_all([three[0], three[1], three[1]])
    assert [str(one) for one in twice] == ["rank 1 of 3 came to rank 0 of 3: start all of them together"] * 3


def find_listening_address(host: str, port: int) -> str:
    with _meeting._listen(host, port) as listener:
        return listener.getsockname()[0]


def test_rank_0_listens_where_it_is_met_and_nowhere_else(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_listening_address("127.0.0.1", port) == "127.0.0.1"
    assert find_listening_address("127.0.0.3", port) == "127.0.0.3"
    asked = socket.getaddrinfo

    def told(host: str, *args: Any, **options: Any) -> Any:
        known = {"localhost": "127.0.0.1", "own.name": "127.0.1.1", "outside": "192.0.2.1"}
        return asked(known.get(host, host), *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", told)
    assert find_listening_address("localhost", port) == "127.0.0.1"
    # A host may resolve its own name to itself, and an outside address may be that of a router.
    assert find_listening_address("own.name", port) == find_listening_address("outside", port) == "0.0.0.0"
    assert _meeting._find_known_name("own.name", ["127.0.0.1", "10.0.0.7"]) == "10.0.0.7"
    assert _meeting._find_known_name("own.name", ["127.0.0.1"]) == "own.name"
    assert _meeting._find_known_name("outside", ["10.0.0.7"]) == "outside"


def test_a_port_that_is_taken_is_an_error(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)), pytest.raises(OSError, match="in use"):
        meet(make_worlds(port, 2)[0], 1.0)


def _three_lifelines(port: int) -> list[Lifeline]:
    kept: list[list[socket.socket]] = [[], [], []]
    in_threads([partial(meet, world, 10.0, kept=own) for world, own in zip(make_worlds(port, 3), kept, strict=True)])
    return [Lifeline(world, own, "all end") for world, own in zip(make_worlds(port, 3), kept, strict=True)]


@pytest.mark.parametrize(
    "how",
    [
        *("well", "by force", "by force, with a process of its own left", "by force, before rank 1 ends"),
        *("with rank 1", "after rank 1 knows"),
    ],
)
def test_a_process_that_loses_rank_0_reports_it(how: str, port: int, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed if rank 0 ends normally, or if another rank does."""
    first, second, third = _three_lifelines(port)
    third.end()
    with multiprocessing.get_context("fork").Pool(1) if "left" in how else nullcontext():
        if how == "with rank 1":
            second._close()
        if how == "well":
            first.end()
        elif how == "after rank 1 knows":
            assert second.note_missing([0]) == [0]
            threading.Timer(0.3, first._close).start()
            second.end()
        else:
            first._close()
        if how == "by force, before rank 1 ends":
            second.end()
        second.join(10.0)
    line = "" if how == "well" else "rank 1 of 3 lost rank 0, which ended: all end. Start all of them again\n"
    assert capfd.readouterr().err == line
    second.end()


def test_a_lifeline_ends_with_its_process(port: int, capfd: pytest.CaptureFixture[str]) -> None:
    first, second, third = _three_lifelines(port)
    second._close()
    second.join(10.0)
    assert capfd.readouterr().err == ""
    for one in (first, second, third):
        one.end()
