"""What processes tell each other beside arrays: that all of them do the same, and texts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from luxport.distributed._errors import DistributedError, find_first_line
from luxport.distributed._session import Session
from luxport.errors import LayerTypeError
from luxport.text import make_safe

__all__ = ["attempt", "begin_agreement", "exchange", "expect_agreement", "expect_own", "tell_place"]


def expect_agreement(caller: str, session: Session, described: list[str]) -> None:
    """Expect that every process is about to do the same: what differs is named in each of them."""
    begin_agreement(caller, session, described)()


def begin_agreement(caller: str, session: Session, described: list[str], own: str = "") -> Callable[[], list[str]]:
    """Begin to ask whether every process is about to do the same; what is returned waits, and names what differs.

    Args:
        caller: what the user has called
        session: the engine
        described: what is to be the same in all of them, in lines
        own: a line that may differ: what is returned returns those of all, or none where they are the same
    """
    text = "\n".join([own, *described])
    same = _begin_comparing(caller, session, text)

    def settle() -> list[str]:
        if same():
            return []
        lines = [one.split("\n") for one in _gather_texts(caller, session, text)]
        _expect_same(caller, session, [line[1:] for line in lines])
        return [line[0] for line in lines]

    return settle


def _expect_same(caller: str, session: Session, lines: list[list[str]]) -> None:
    most = max(map(len, lines))
    for place in range(most):
        entries = [line[place] if place < len(line) else "nothing more" for line in lines]
        other = next((i for i, entry in enumerate(entries) if entry != entries[0]), None)
        if other is not None:
            raise DistributedError(
                f"{caller} on rank {session.world.rank} of {session.world.size} expects every process to do the same: "
                f"rank 0 has {make_safe(entries[0], 300)}, rank {other} has {make_safe(entries[other], 300)}"
            )


def exchange(caller: str, session: Session, what: str, text: str) -> list[str]:
    """Return every process's text of one line, by rank: nothing but digests moves as long as they are the same.

    Raises: DistributedError where another process tells something else, or does
    """
    return begin_agreement(caller, session, [what], text)() or [text] * session.world.size


def _begin_comparing(caller: str, session: Session, text: str) -> Callable[[], bool]:
    digest = hashlib.blake2b(text.encode(), digest_size=24).digest()
    wait = attempt(caller, session, lambda: session.engine.begin_agreeing(digest))
    return lambda: attempt(caller, session, wait)


def _gather_texts(caller: str, session: Session, text: str) -> list[str]:
    own = text.encode()
    lengths = attempt(caller, session, lambda: session.engine.gather(len(own).to_bytes(8, "big")))
    longest = max([int.from_bytes(length, "big") for length in lengths])
    rows = attempt(caller, session, lambda: session.engine.gather(own.ljust(longest, b"\0")))
    # A process that ends because of what it reads here may have the store, and others still read from it.
    _begin_comparing(caller, session, "read")()
    return [row.rstrip(b"\0").decode() for row in rows]


def attempt(
    caller: str, session: Session, call: Callable[[], Any], failures: tuple[type[Exception], ...] | None = None
) -> Any:
    """Call, and say which processes are gone where the engine fails."""
    expected = session.engine.failures if failures is None else failures
    try:
        return call()
    except DistributedError:  # which is a RuntimeError, and says who
        raise
    except expected as error:
        place = f"{caller} on rank {session.world.rank} of {session.world.size}"
        missing = session.engine.missing()
        who = f"rank {', '.join(map(str, missing))}" if missing else "another process"
        lost = f"lost {who}, which ended, or did not come within {session.timeout:g} s"
        if session.world.rank in missing:
            lost = f"came too late: the others miss {who}"
        raise DistributedError(
            f"{place} {lost}: start all of them again ({session.name} says: {find_first_line(error)})"
        ) from error


def expect_own(caller: str, session: Session, owner: Any, path: tuple[str, ...]) -> None:
    """Expect arrays of the engine's backend."""
    wanted = session.engine.backend
    if owner is not None and wanted not in (None, owner.name):
        raise LayerTypeError(
            f"by the engine {session.name} expects arrays of {wanted}, got {owner.name}{tell_place(path)}: "
            f"luxport.to(..., backend={wanted!r}) first, or initialize('mpi')",
            culprit=caller,
        )


def tell_place(path: tuple[str, ...]) -> str:
    """Write where in a tree something is, for the end of a message."""
    return f" at {'.'.join(path)}" if path else ""
