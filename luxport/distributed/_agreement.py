"""Check that all processes make the same call, and exchange short texts between them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from luxport.distributed._errors import DistributedError, find_first_line
from luxport.distributed._session import Session
from luxport.errors import LayerTypeError
from luxport.text import make_safe

__all__ = ["attempt", "begin_agreement", "exchange", "expect_agreement", "expect_own", "write_location"]


def expect_agreement(caller: str, session: Session, described: list[str]) -> None:
    """Expect every process to make the same call, described in lines.

    Raises: DistributedError in every process, with the first line that differs
    """
    begin_agreement(caller, session, described)()


def begin_agreement(caller: str, session: Session, described: list[str], own: str = "") -> Callable[[], list[str]]:
    """Send the others what this process is about to do; return a function that waits for their answer.

    That function raises a DistributedError with the first line that differs, and returns the line `own` of every
    process, or [] if these are the same.

    Args:
        caller: the function that the user called
        session: the running session
        described: lines that must be the same in every process
        own: a line that may differ
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
    for number in range(max(map(len, lines))):
        entries = [line[number] if number < len(line) else "nothing more" for line in lines]
        other = next((i for i, entry in enumerate(entries) if entry != entries[0]), None)
        if other is not None:
            raise DistributedError(
                f"{caller} on rank {session.world.rank} of {session.world.size} expects every process to do the same: "
                f"rank 0 has {make_safe(entries[0], 300)}, rank {other} has {make_safe(entries[other], 300)}"
            )


def exchange(caller: str, session: Session, what: str, text: str) -> list[str]:
    """Return every process's one-line text, by rank; only digests are sent while all texts are the same.

    Raises: DistributedError if a process makes another call, or exchanges texts for another purpose (`what`)
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
    # Wait until all have read: a process that ends because of these texts may host the store that others read from.
    _begin_comparing(caller, session, "read")()
    return [row.rstrip(b"\0").decode() for row in rows]


def attempt(
    caller: str, session: Session, call: Callable[[], Any], failures: tuple[type[Exception], ...] | None = None
) -> Any:
    """Call a function that uses the engine; if it fails, raise a DistributedError that names the missing processes."""
    expected = session.engine.failures if failures is None else failures
    try:
        return call()
    except DistributedError:  # a RuntimeError as some of `expected`, but complete already
        raise
    except expected as error:
        place = f"{caller} on rank {session.world.rank} of {session.world.size}"
        missing = session.engine.find_missing_ranks()
        who = f"rank {', '.join(map(str, missing))}" if missing else "another process"
        lost = f"lost {who}, which ended, or did not come within {session.timeout:g} s"
        if session.world.rank in missing:
            lost = f"came too late: the others miss {who}"
        raise DistributedError(
            f"{place} {lost}: start all of them again ({session.name} says: {find_first_line(error)})"
        ) from error


def expect_own(caller: str, session: Session, owner: Any, path: tuple[str, ...]) -> None:
    """Expect an array whose backend the engine can move; `owner` is the backend, `path` is for the message."""
    wanted = session.engine.backend
    if owner is not None and wanted not in (None, owner.name):
        raise LayerTypeError(
            f"by the engine {session.name} expects arrays of {wanted}, got {owner.name}{write_location(path)}: "
            f"luxport.to(..., backend={wanted!r}) first, or initialize('mpi')",
            culprit=caller,
        )


def write_location(path: tuple[str, ...]) -> str:
    """Return " at " and a path, to be added to a message; "" for the empty path."""
    return f" at {'.'.join(path)}" if path else ""
