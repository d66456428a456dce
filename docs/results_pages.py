"""Writes the page of results from conformance/results, and the line of each layer's entry that tells its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from luxport_conformance.peers import PEERS
from luxport_conformance.peers.difference_kinds import KINDS
from luxport_conformance.peers.differences import DIFFERENCES
from luxport_conformance.report.families import find_family
from luxport_conformance.results import load

__all__ = ["current", "deviations", "differences", "page"]

FOLDER = Path(__file__).parents[1] / "conformance" / "results"
Results = Mapping[str, Mapping[str, Any]]

_INTRODUCTION = """\
How far luxport's backends and other libraries' own layers are from the definitions in float64, as
:doc:`the suite <../conformance>` measured it: the largest deviation of values / of gradients, in eps of the dtype times
the largest entry wanted. "none" is no counterpart, "–" not asked. A star stands where a check differs by more than 16
eps, or in more than numbers: the list of each library says which, and what the difference is called. None of it is a
mistake by itself: libraries mean different things by one name. ``conformance/results`` has these figures as data.
"""


def current() -> dict[str, dict[str, Any]]:
    """Return the newest results of each library, luxport's backends first."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(FOLDER.glob("*.json")):
        one = load(path)
        if one["name"] not in found or one["made"] >= found[one["name"]]["made"]:
            found[one["name"]] = one
    return dict(sorted(found.items(), key=lambda item: (item[0] in PEERS, item[0])))


def deviations(results: Results, name: str) -> str:
    """Return a field that tells how far each library is off what is called so, empty if nothing is known."""
    told = {one["name"]: _cell(one, name) for one in results.values()}
    figures = [f"{library} {cell}" for library, cell in told.items() if cell not in ("–", "none")]
    if not figures:
        return ""
    return f":Deviation: :doc:`in eps, values / gradients <results>`: {', '.join(figures)}".replace("*", "\\*")


def page(results: Results) -> list[str]:
    """Return the page as reStructuredText."""
    lines = [*_headed("How far is each library from the definitions?", "="), *_INTRODUCTION.splitlines(), ""]
    ours = [one for one in results.values() if one["name"] not in PEERS]
    theirs = [one for one in results.values() if one["name"] in PEERS]
    for title, columns in (("luxport's backends", ours), ("Other libraries' own layers", theirs)):
        if columns:
            lines += [*_headed(title, "-"), *_measured(columns), *_by_family(columns)]
    lines += [*_headed("What differs, and why", "-")]
    for one in results.values():
        if one["beyond"]:
            lines += [*_headed(_title(one), "~"), *_beyond(one)]
    return lines


_OF_DIFFERENCES = """\
Ways in which libraries mean different things by one name. Each is shown with numbers in one library, in a test, and the
line beside it is run there: it makes the two alike, or there is none. The names in it are luxport's, NumPy's, those of
``luxport.porting.torch.conventions``, ``luxport.porting.keras.conventions`` and
``luxport_conformance.peers.jax_conventions``, by which ``from_torch``, ``from_keras`` and the tables of peers convert,
or say what they are.
"""


def differences() -> list[str]:
    """Return the page of the differences that have names as reStructuredText."""
    rows = [
        [KINDS[one.kind], f"{one.subject} of {one.module}", f"``{one.converter}``" if one.converter else "–"]
        for one in DIFFERENCES
    ]
    heads = ["What it is", "Shown with", "A way over"]
    return [*_headed("Differences that have names", "="), *_OF_DIFFERENCES.splitlines(), "", *_table(heads, rows)]


def _measured(columns: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = []
    for one in columns:
        versions = ", ".join(f"{package} {version}" for package, version in one["versions"].items())
        counts = ", ".join(f"{count} {what}" for what, count in one["counts"].items())
        rows.append([one["name"], versions, f"{one['made']}, {one['machine']}", counts])
    return _table(["Library", "Versions", "Measured", "Checks"], rows)


def _by_family(columns: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    subjects = {subject for one in columns for subject in (*one["worst"], *_beyond_of(one))}
    by_family = sorted(subjects, key=lambda subject: (find_family(subject), subject))
    for family, group in groupby(by_family, key=find_family):
        rows = [[subject, *[_cell(one, subject) for one in columns]] for subject in group]
        yield from _headed(family.capitalize(), "~")
        yield from _table(
            ["", *[one["name"] for one in columns]], [[cell.replace("*", "\\*") for cell in r] for r in rows]
        )


def _beyond_of(one: Mapping[str, Any]) -> set[str]:
    return {subject for subject, *_ in one["beyond"].values()}


def _cell(one: Mapping[str, Any], subject: str) -> str:
    star = "*" if subject in _beyond_of(one) else ""
    if row := one["worst"].get(subject):
        return " / ".join("–" if figure is None else f"{figure:g}" for figure in row) + star
    return star or ("none" if subject in one["none"] else "–")


def _beyond(one: Mapping[str, Any]) -> list[str]:
    rows = []
    for check, (_, answer, *kinds) in one["beyond"].items():
        told = answer if isinstance(answer, str) else f"{answer:.2g}"
        rows.append([f"``{check}``", told, "; ".join(KINDS[kind] for kind in kinds)])
    return _table(["Check", "eps", "Known as"], rows)


def _title(one: Mapping[str, Any]) -> str:
    return f"{one['name']} {next(iter(one['versions'].values()), '')}".strip()


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [_row(row) for row in (heads, *rows)]
    return [".. csv-table::", "   :header-rows: 1", "", *[f"   {line}" for line in lines], ""]


def _row(cells: Sequence[str]) -> str:
    return ", ".join('"' + cell.replace('"', '""') + '"' for cell in cells)


def _headed(title: str, line: str) -> list[str]:
    return [title, line * len(title), ""]
