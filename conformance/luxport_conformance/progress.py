"""Showing the progress of a run on standard error, with failures as they occur and checks that take long."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import Any

from luxport_conformance.report import leave_out_numbers, make_printable
from luxport_conformance.worker_processes import Finding

__all__ = ["Progress"]

_MOST = 3
_EACH = 30.0
_LINE = 300


class Progress:
    """A progress bar of tqdm in a terminal, if tqdm is installed; otherwise a line every 30 seconds.

    Complaints that differ in numbers only are printed at most three times; the end of the run lists all in full.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._total = 0
        self._done = 0
        self._told = 0.0
        self._complaints: Counter[str] = Counter()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def start(self, total: int) -> None:
        """Start the display for this number of checks."""
        self._total, self._told = total, time.monotonic()
        if not sys.stderr.isatty():
            return
        try:
            from tqdm import tqdm
        except ModuleNotFoundError:
            return
        self._bar = tqdm(total=total, unit="check", file=sys.stderr)

    def step(self, finding: Finding) -> None:
        """Count a finished check, and print a line if it failed."""
        self._done += 1
        if finding.complaint:
            kind = leave_out_numbers(finding.complaint)
            self._complaints[kind] += 1
            if self._complaints[kind] <= _MOST:
                more = " (more of these are counted at the end)" if self._complaints[kind] == _MOST else ""
                self._say(f"FAILED {finding.id}: {_put_in_line(finding.complaint)}{more}")
        if self._bar is not None:
            self._bar.update()
        elif time.monotonic() - self._told > _EACH:
            self._told = time.monotonic()
            self._say(f"{self._done} of {self._total} checks")

    def wait(self, check: str, limit: float) -> None:
        """Print that a check takes long."""
        self._say(f"waiting for {check}, which is given up after {limit:g} s")

    def _say(self, line: str) -> None:
        self._bar.write(line, file=sys.stderr) if self._bar is not None else print(line, file=sys.stderr, flush=True)


def _put_in_line(text: str) -> str:
    line = make_printable(" ".join(text.split()))
    return line if len(line) <= _LINE else f"{line[: _LINE * 2 // 3]} … {line[-_LINE // 3 :]}"
