"""The account of upstream's test assertions: ported (by which cases), not portable (for which reason), or open.

``account.tsv`` has one row for every assertion of the test suites of Flux, NNlib and Optimisers, in the order of
the files. ``python -m luxport_conformance.account`` updates it from the sources that the cases name; a test fails
while it is out of date.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from luxport_conformance.case import Case
from luxport_conformance.cases import CASES

__all__ = ["ACCOUNT", "REASONS", "Row", "read_account", "update_rows", "write_account"]

ACCOUNT = Path(__file__).with_name("account.tsv")

REASONS = {
    "julia types": "asks for a Julia type, its inference or its promotion",
    "julia dispatch": "asks which method Julia finds, or finds none",
    "julia macros": "is about a macro",
    "arrays in constructors": "builds a layer from its weights: here they are parameters, handed to the call",
    "modes in layers": "reads or sets a mode inside a layer: here it is in the state",
    "generators in layers": "is about the generator object that a layer holds: here a key is in the state",
    "mixed dtypes": "lets a layer convert its input: here an input of another dtype is an error",
    "in-place": "mutates an array",
    "memory": "measures allocation",
    "printing": "compares text as Julia prints it",
    "other AD": "is about a Julia AD package or its rules",
    "helper": "is inside a helper that other tests call, or calls one",
    "state of a model": "takes arrays, settings or functions out of a model: here they are apart from it already",
    "inner parts": "is about inner parts of upstream's own: here layers and operations are made of other ones",
    "rounding": "holds the rounding of one implementation: each framework has its own",
    "processes": "is about processes or threads that Julia starts",
    "lux differs": "asks for what Lux, and so luxport, does in another way",
    "broken upstream": "is marked as broken upstream, or cannot fail there",
}
"""Reasons why an assertion cannot be ported to luxport, by the short names that ``account.tsv`` uses."""

COLUMNS = ("suite", "file", "line", "kind", "test_set", "status", "detail")


@dataclass(frozen=True)
class Row:
    """One assertion; `detail` is the ids of cases (ported), a reason (not portable) or nothing (open)."""

    suite: str
    file: str
    line: str
    kind: str
    test_set: str
    status: str
    detail: str

    @property
    def assertion(self) -> str:
        """The name of the assertion, as a case's `source` gives it."""
        return f"{self.suite}:{self.file}:{self.line}"


def read_account() -> list[Row]:
    """Read the rows of ``account.tsv``."""
    lines = ACCOUNT.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    if tuple(rows[0]) != COLUMNS:
        raise ValueError(f"{ACCOUNT.name} expects the columns {COLUMNS}, got {rows[0]}")
    return [Row(*row) for row in rows[1:]]


def update_rows(rows: list[Row], cases: tuple[Case, ...] = CASES) -> list[Row]:
    """Return the rows, updated with the ids of the cases that port them.

    A row that was ported and is named by no case any more becomes open.
    """
    ported: dict[str, list[str]] = {}
    for case in cases:
        for assertion in case.assertions:
            ported.setdefault(assertion, []).append(case.id)
    unknown = ported.keys() - {row.assertion for row in rows}
    if unknown:
        raise ValueError(f"cases name assertions that upstream does not have: {', '.join(sorted(unknown))}")

    def update_row(row: Row) -> Row:
        if row.assertion in ported:
            return replace(row, status="ported", detail=" ".join(ported[row.assertion]))
        return replace(row, status="open", detail="") if row.status == "ported" else row

    return [update_row(row) for row in rows]


def write_account(rows: list[Row]) -> None:
    """Write the rows to ``account.tsv`` and keep the comment lines of the file."""
    comments = [line for line in ACCOUNT.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    body = ["\t".join((r.suite, r.file, r.line, r.kind, r.test_set, r.status, r.detail)) for r in rows]
    ACCOUNT.write_text("\n".join([*comments, "\t".join(COLUMNS), *body]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_account(update_rows(read_account()))
    for status, count in Counter(row.status for row in read_account()).most_common():
        print(f"{count:5} {status}")
