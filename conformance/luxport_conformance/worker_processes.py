"""Running checks in parallel worker processes with a time limit for each check, so that no crash ends the run.

If a backend crashes its process or hangs, the check that was running gets a finding with a complaint, and a new
process continues with the next check.
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
    """The result of a check as plain values: `deviation` in units of the dtype's eps, `complaint` if it failed.

    A deviation of NaN means that it could not be measured, and `remark` tells why. `place` is the line that raised
    an error.
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
    """Run the checks of a selection in `jobs` processes and return their findings, in the order of the checks.

    A check that takes longer than `limit` seconds is stopped together with its process; `on_wait` is called once for
    a check that takes long.
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

    The slowest come first: those of a backend that compiles each operation, then the groups with the most checks.
    """
    shares: dict[tuple[str, str], list[str]] = {}
    for check in checks:
        shares.setdefault((check.backend, check.kind), []).append(check.id)
    by_length = sorted(shares, key=lambda share: (compiles_operations(share[0]), len(shares[share])), reverse=True)
    return [shares[share] for share in by_length]


@dataclass
class _Worker:
    """A process that runs one share of the checks after another; the checks of a peer get a new process."""

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
        with suppress(OSError):  # if the process has ended already, `collect` notices it
            self.connection.send(list(self._left))

    def collect(self, by_id: dict[str, Check], add: Callable[[Finding], None], limit: float) -> None:
        """Receive the findings that the process has sent, and stop it if it takes too long or has crashed.

        If a process fails before it has listed its checks, all checks of its share fail: no new process is started.
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
        """Call `on_wait` once for a running check that takes long."""
        if self.busy and time.monotonic() - self._since > _LONG and self._told != self._left[0]:
            self._told = self._left[0]
            on_wait(self._left[0], limit) if self._ready else on_wait("a process that starts", START)

    def move(self, room: str) -> None:
        """Stop the process if the next checks are those of another peer, or of backends after a peer."""
        if room != self.room:
            self.stop()
            self.room = room

    def stop(self) -> None:
        """Stop the process; an idle process gets time to end by itself, so that its framework can clean up."""
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
"""The time limit in seconds for a new process to import its frameworks and list the checks."""


_LONG = 20.0
"""The seconds after which a running check is reported as slow."""


_END = 5.0
"""The time limit in seconds for an idle process to end."""


def _work(connection: Connection, selection: Selection) -> None:
    os.environ.update(selection.find_environment())
    try:
        checks = {check.id: check for check in selection.list_checks()}
    except Exception:
        connection.send(traceback.format_exc())
        connection.recv()  # the share of checks, of which none can be run
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
    """Return the finding of a check without a result; a crash of a peer counts as a difference, not as a failure."""
    evidence, differs = Evidence(), check.kind == "peer" and crashed
    if differs:
        evidence.remark = complaint
    return _make_finding(Outcome(check, float("inf"), None if differs else complaint, seconds), evidence)
