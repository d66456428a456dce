"""Connections between processes, here threads: foreign ones are dropped, and delay nobody."""

import itertools
import socket
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest
from threads import in_threads, is_closed

from luxport.distributed import _arrivals
from luxport.distributed._budget import Budget
from luxport.distributed._launch import World
from luxport.distributed._process_tree import ProcessTree
from luxport.distributed._stored_rows import StoredRows


class Store:
    """A stand-in for an engine's store; `come` sees each address before any reader, as a foreign connection would."""

    def __init__(self, come: Callable[[str, int, bytes], object] = lambda *place: None) -> None:
        self._rows: dict[str, bytes] = {}
        self._written = threading.Condition()
        self._come = come

    def write(self, key: str, row: bytes) -> None:
        host, port, token = row.decode().split()
        self._come(host, int(port), bytes.fromhex(token))
        with self._written:
            self._rows[key] = row
            self._written.notify_all()

    def read(self, key: str, milliseconds: int, rank: int) -> bytes:
        with self._written:
            if not self._written.wait_for(lambda: key in self._rows, milliseconds / 1000):
                raise TimeoutError(f"nothing came from rank {rank}")
            return self._rows[key]


def ask_twice(store: Store, digests: list[bytes], timeout: float = 20.0) -> list[bool | OSError]:
    """Ask for agreement twice in a thread for each digest; return each second answer, or the error."""
    ties = [
        ProcessTree(
            StoredRows(
                World(rank, rank, len(digests), "nothing", "127.0.0.1:1"),
                Budget(timeout),
                "test",
                store.write,
                store.read,
                lambda key: None,
            ),
            lambda: False,
        )
        for rank in range(len(digests))
    ]

    def ask(rank: int) -> bool:
        ties[rank].agree(digests[rank])
        return ties[rank].agree(digests[rank])

    answers = in_threads([partial(ask, rank) for rank in range(len(digests))])
    for one in ties:
        one.close()
    return answers


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_all_processes_learn_whether_all_ask_the_same(size: int) -> None:
    assert ask_twice(Store(), [b"a" * 24] * size) == [True] * size
    for other in range(size if size > 1 else 0):
        digests = [b"b" * 24 if rank == other else b"a" * 24 for rank in range(size)]
        assert ask_twice(Store(), digests) == [False] * size


def test_foreign_connections_are_dropped() -> None:
    """They send nothing, too little, a wrong token, or the right token with a rank that is not below."""
    strangers: list[socket.socket] = []

    def come(host: str, port: int, token: bytes) -> None:
        wrong = bytes([token[0] ^ 1]) + token[1:]
        for greeting in (b"", token, b"GET / HTTP/1.1\r\n\r\n" * 4, wrong + b"\0\0\0\1", token + b"\0\0\0\7"):
            one = socket.create_connection((host, port))
            one.sendall(greeting)
            strangers.append(one)
        strangers[-4].shutdown(socket.SHUT_WR)
        gone = socket.create_connection((host, port))
        gone.close()

    start = time.monotonic()
    assert ask_twice(Store(come), [b"a" * 24] * 3) == [True] * 3
    assert time.monotonic() - start < _arrivals._PATIENCE
    assert len(strangers) == 5
    assert [is_closed(one) for one in strangers] == [True] * 5


def test_a_token_counts_once() -> None:
    """A second connection with the token of a rank is not accepted as that rank."""
    late: list[socket.socket] = []

    def come(host: str, port: int, token: bytes) -> None:
        for _ in range(2):
            late.append(socket.create_connection((host, port)))
            late[-1].sendall(token + b"\0\0\0\1")

    # Both connect before rank 1 does: rank 0 must take the first for rank 1, which never gets an answer.
    answers = ask_twice(Store(come), [b"a" * 24] * 2, timeout=0.5)
    assert all([isinstance(answer, OSError) for answer in answers]), answers
    assert is_closed(late[1])
    late[0].close()


def test_no_other_address_of_the_host_is_open() -> None:
    """127.0.0.2 is also this host, but rank 0 listens at 127.0.0.1."""
    tried = []

    def come(host: str, port: int, token: bytes) -> None:
        assert host == "127.0.0.1"
        with socket.socket() as one:
            one.settimeout(5)
            tried.append(one.connect_ex(("127.0.0.2", port)))

    assert ask_twice(Store(come), [b"a" * 24] * 2) == [True] * 2
    assert tried and 0 not in tried


def test_tokens_are_drawn_anew() -> None:
    tokens: list[bytes] = []
    for _ in range(3):
        ask_twice(Store(lambda host, port, token: tokens.append(token)), [b"a" * 24] * 6)
    assert len(set(tokens)) == len(tokens) == 9
    assert all([len(token) == 16 for token in tokens])
    assert not any([one[:4] == other[:4] for one, other in itertools.combinations(tokens, 2)])


def test_nobody_keeps_waiting_after_another_gave_up() -> None:
    """Rank 1 asks once and not again; the others would wait for a minute."""
    store, given_up = Store(), threading.Event()
    ties = [
        ProcessTree(
            StoredRows(
                World(i, i, 2, "nothing", "127.0.0.1:1"),
                Budget(60.0),
                "test",
                store.write,
                store.read,
                lambda key: None,
            ),
            given_up.is_set,
        )
        for i in range(2)
    ]
    asking = threading.Thread(target=ties[1].agree, args=(b"a" * 24,))
    asking.start()
    assert ties[0].agree(b"a" * 24)
    asking.join()
    given_up.set()
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        ties[0].agree(b"a" * 24)
    assert time.monotonic() - begin < 10
    with pytest.raises(ConnectionError, match="closed"):  # closed by rank 0
        ties[1].agree(b"a" * 24)
    with pytest.raises(ConnectionError, match="closed"):
        ties[0].agree(b"a" * 24)


def test_a_process_that_ends_is_noticed_after_some_looks() -> None:
    store = Store()
    worlds = [World(i, i, 2, "nothing", "127.0.0.1:1") for i in range(2)]
    rows = [StoredRows(world, Budget(9.0), "test", store.write, store.read, lambda key: None) for world in worlds]
    here, there = [ProcessTree(one, lambda: False) for one in rows]
    assert in_threads([lambda: here.agree(b"a" * 24), lambda: there.agree(b"a" * 24)]) == [True, True]
    assert [here.has_lost_process() for _ in range(3)] == [False] * 3
    there.close()
    assert [here.has_lost_process() for _ in range(3)] == [False, True, True]
    here.close()


def test_a_process_that_does_not_come_is_named() -> None:
    """Only the first of three asks."""
    store = Store()
    world = World(0, 0, 3, "nothing", "127.0.0.1:1")
    ties = ProcessTree(StoredRows(world, Budget(0.2), "test", store.write, store.read, lambda key: None), lambda: False)
    with pytest.raises(TimeoutError, match="no connection came from rank 1, 2"):
        ties.agree(b"a" * 24)
