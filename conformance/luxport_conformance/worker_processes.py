"""Running checks in other processes: several at a time, each with a time limit, so that no crash ends the run.

A backend that crashes takes its process along, and one that hangs never comes back. Both become a finding of the
check that was under way; a new process goes on with the next.
"""

from __future__ import annotations

import multiprocessing
import os
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from luxport_conformance.compiling import compiles_operations
from luxport_conformance.runner import Check, Evidence, Outcome, run
from luxport_conformance.selection import Selection

__all__ = ["START", "Finding", "collect_findings"]


@dataclass(frozen=True)
class Finding:
    """What came of a check, as plain values: `deviation` in units of the dtype's eps, `complaint` if it failed.

    A deviation of NaN is one that could not be measured; `remark` says why. Of an error `place` is the line that raised
    it.
    """

    id: str
    kind: str
    subject: str
    name: str
    backend: str
    mode: str
    dtype: str
    of: str
    source: tuple[str, ...]
    deviation: float
    complaint: str | None
    seconds: float
    inputs: str = ""
    expected: str = ""
    got: str = ""
    remark: str = ""
    differences: tuple[str, ...] = ()
    place: str = ""
    traceback: str = ""


def collect_findings(
    selection: Selection,
    *,
    jobs: int = 2,
    limit: float = 120.0,
    on_start: Callable[[int], Any] = lambda total: None,
    on_finding: Callable[[Finding], Any] = lambda finding: None,
    on_wait: Callable[[str, float], Any] = lambda check, limit: None,
) -> list[Finding]:
    """Run the checks of a selection in `jobs` processes and return what came of them, in their order.

    A check that takes longer than `limit` seconds is given up, with its process; `on_wait` is told once of one that
    takes long.
    """
    checks = list(selection.list_checks())
    on_start(len(checks))
    found: dict[str, Finding] = {}

    def add(finding: Finding) -> None:
        found[finding.id] = finding
        on_finding(finding)

    queue = deque(_divide(checks))
    by_id = {check.id: check for check in checks}
    rooms = {check.id: check.room for check in checks}
    workers = [_Worker(selection, rooms[queue[i][0]]) for i in range(min(jobs, len(queue)))]
    try:
        while queue or any(worker.busy for worker in workers):
            for worker in workers:
                if not worker.busy and queue:
                    share = queue.popleft()
                    worker.move(rooms[share[0]])
                    worker.give(share)
            wait([worker.connection for worker in workers if worker.busy], timeout=0.5)
            for worker in workers:
                worker.collect(by_id, add, limit)
                worker.tell_waiting(on_wait, limit)
    finally:
        for worker in workers:
            worker.stop()
    return [found[check.id] for check in checks]


def _divide(checks: Iterable[Check]) -> list[list[str]]:
    """Divide the checks by backend and kind, so that checks that share results run in one process.

    Longest first: those of a backend that compiles each operation, and then by number.
    """
    shares: dict[tuple[str, str], list[str]] = {}
    for check in checks:
        shares.setdefault((check.backend, check.kind), []).append(check.id)
    by_length = sorted(shares, key=lambda share: (compiles_operations(share[0]), len(shares[share])), reverse=True)
    return [shares[share] for share in by_length]


@dataclass
class _Worker:
    """A process that runs one share after the other, or those of one peer, which has its process to itself."""

    selection: Selection
    room: str
    _left: deque[str] = field(default_factory=deque)
    _since: float = 0.0
    _ready: bool = False
    _told: str = ""
    _stopped: bool = True

    @property
    def busy(self) -> bool:
        return bool(self._left)

    def give(self, share: Iterable[str]) -> None:
        self._left = deque(share)
        self._since = time.monotonic()
        if not self._left:
            return
        if self._stopped:
            self._start()
        with suppress(OSError):  # it has ended already, which `collect` finds out
            self.connection.send(list(self._left))

    def collect(self, by_id: dict[str, Check], add: Callable[[Finding], None], limit: float) -> None:
        """Receive what the process has sent, and give up on it if it takes too long or has died.

        A process that does not come so far as to list its checks is at fault itself: no other is tried for its share.
        """
        while self.busy:
            complaint, come, crashed = None, False, False
            try:
                come = self.connection.poll()
                answer = self.connection.recv() if come else None
            except (EOFError, OSError):
                self._process.join()
                crashed = True
                complaint = f"the process ended by itself, with exit code {self._process.exitcode}"
            if come and complaint is None:
                self._since = time.monotonic()
                if answer is None:
                    self._ready, self._told = True, ""
                elif isinstance(answer, str):
                    complaint = f"the process could not list its checks:\n{answer}"
                else:
                    add(answer)
                    self._left.popleft()
            elif complaint is None:
                allowed = limit if self._ready else START
                if time.monotonic() - self._since <= allowed:
                    return
                complaint = f"given up after {allowed:g} s"
            if complaint is None:
                continue
            if not self._ready and not come:
                complaint += ", before its first check"
            for _ in range(1 if self._ready else len(self._left)):
                seconds = time.monotonic() - self._since
                add(_make_lost_finding(by_id[self._left.popleft()], complaint, seconds, crashed and self._ready))
            self.stop()
            self.give(self._left)

    def tell_waiting(self, on_wait: Callable[[str, float], Any], limit: float) -> None:
        """Report once that the check that is running takes long."""
        if self.busy and time.monotonic() - self._since > _LONG and self._told != self._left[0]:
            self._told = self._left[0]
            on_wait(self._left[0], limit) if self._ready else on_wait("a process that starts", START)

    def move(self, room: str) -> None:
        """Start a new process for a peer's checks, and again for those that follow them."""
        if room != self.room:
            self.stop()
            self.room = room

    def stop(self) -> None:
        """Stop the process: an idle one ends by itself, so that its framework can clean up."""
        if self._stopped:
            return
        self._stopped = True
        self.connection.close()
        if not self.busy:
            self._process.join(_END)
        self._process.kill()
        self._process.join()

    def _start(self) -> None:
        self._ready = self._stopped = False
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, self.selection.keep_room(self.room)), daemon=True)
        self._process.start()
        theirs.close()


START = 300.0
"""Seconds for a new process to import its frameworks and list the checks."""


_LONG = 20.0
"""Seconds after which a check that is running is reported."""


_END = 5.0
"""Seconds for an idle process to end."""


def _work(connection: Connection, selection: Selection) -> None:
    os.environ.update(selection.find_environment())
    try:
        checks = {check.id: check for check in selection.list_checks()}
    except Exception:
        connection.send(traceback.format_exc())
        connection.recv()  # the checks that are asked; none is run
        return
    connection.send(None)
    while True:
        try:
            share = connection.recv()
        except EOFError:
            return
        for name in share:
            evidence = Evidence()
            outcome = run(checks[name], evidence)
            connection.send(_make_finding(outcome, evidence))


def _make_finding(outcome: Outcome, evidence: Evidence) -> Finding:
    check = outcome.check
    asked = {name: getattr(check, name) for name in _OF_THE_CHECK}
    became = {name: getattr(outcome, name) for name in ("complaint", "seconds", "place", "traceback")}
    return Finding(**asked, **became, **vars(evidence), deviation=float(outcome.deviation), inputs=check.inputs())


_OF_THE_CHECK = ("id", "kind", "subject", "name", "backend", "mode", "dtype", "of", "source")


def _make_lost_finding(check: Check, complaint: str, seconds: float, crashed: bool) -> Finding:
    """Make the finding of a check that gave no answer: a peer that crashes differs, which is no failure."""
    evidence, differs = Evidence(), check.kind == "peer" and crashed
    if differs:
        evidence.remark = complaint
    return _make_finding(Outcome(check, float("inf"), None if differs else complaint, seconds), evidence)
