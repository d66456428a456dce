"""Saving results in a small JSON file for each library and version, comparing two files, and a table of several."""

from __future__ import annotations

import json
import math
import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from luxport.porting.files.atomic_files import open_atomic
from luxport_conformance.worker_processes import Finding

__all__ = ["BOUND", "collect_results", "list_changes", "load", "render_markdown", "save"]

BOUND = 16.0
"""A deviation in eps: of smaller ones a file has only the worst of each subject, larger ones are listed by check."""

Results = Mapping[str, Mapping[str, Any]]
"""The contents of files by the names of the libraries; conformance/results/README.md describes the format."""


def collect_results(findings: Sequence[Finding], packages: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Any]]:
    """Return the results of each column (a library), with the versions of its packages, the library itself first."""
    return {
        name: {
            "name": name,
            "versions": {package: told for package in needed if (told := find_version(package))},
            "made": datetime.now(UTC).date().isoformat(),
            "machine": f"{platform.system()} {platform.machine()}",
            **_summarize([finding for finding in findings if finding.backend == name]),
        }
        for name, needed in packages.items()
    }


def _summarize(findings: Sequence[Finding]) -> dict[str, Any]:
    beyond, worst = {}, dict[str, list[float | None]]()
    answers = [(finding, _find_answer(finding)) for finding in findings]
    for finding, answer in answers:
        if isinstance(answer, float) and answer <= BOUND:
            row, place = worst.setdefault(finding.subject, [None, None]), finding.of == "backward"
            row[place] = max(row[place] or 0.0, answer)
        elif answer != "none":
            beyond[finding.id.removesuffix(f"-{finding.backend}")] = [finding.subject, answer, *finding.differences]
    asked = {finding.subject for finding in findings}
    counts = Counter(answer if isinstance(answer, str) else "figures" for _, answer in answers)
    return {
        "counts": dict(sorted(counts.items())),
        "none": sorted(asked - worst.keys() - {subject for subject, *_ in beyond.values()}),
        "worst": dict(sorted(worst.items())),
        "beyond": dict(sorted(beyond.items())),
    }


def _find_answer(finding: Finding) -> float | str:
    if finding.complaint is not None:
        return "failed"
    if math.isnan(finding.deviation):
        return "none"
    return float(f"{finding.deviation:.2g}") if math.isfinite(finding.deviation) else "differs"


def find_version(package: str) -> str | None:
    """Return the installed version of a package, or None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def save(results: Results, folder: Path) -> list[Path]:
    """Write a file for each column, with a line for each subject or check, and return the paths.

    A file is named after the library and its version.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, one in results.items():
        own = next(iter(one["versions"].values()), "unversioned")
        path = folder / f"{name}-{own}.json"
        parts = [
            f"{json.dumps(key)}: {_format_lines(value) if key in _LONG else json.dumps(value)}"
            for key, value in one.items()
        ]
        with open_atomic(path) as file:
            file.write(("{" + ",\n".join(parts) + "}\n").encode())
        paths.append(path)
    return paths


_LONG = ("worst", "beyond")


def _format_lines(entries: Mapping[str, Any]) -> str:
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in entries.items()) + "}"


def load(path: Path) -> dict[str, Any]:
    """Read a file that `save` wrote.

    Raises: ValueError if the file has another format
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if {"name", "versions", "counts", "none", *_LONG} <= found.keys():
            return found
    except (OSError, ValueError, AttributeError) as error:
        raise ValueError(f"--compare expects a file of conformance/results, and {path} is none: {error}") from None
    raise ValueError(f"--compare expects a file of conformance/results, and {path} is none")


def list_changes(old: Mapping[str, Any], new: Mapping[str, Any], *, in_part: bool = False) -> Iterator[str]:
    """Yield a line for each subject and check whose result changed: to another outcome, or by more than a factor of 2.

    Deviations below 4 eps count as 4 eps, because they depend on the processor's instructions. With `in_part` only
    the subjects of the new results are compared.
    """
    before, after = _flatten(old), _flatten(new)
    subjects = {subject for subject, _ in after.values()}
    for key in sorted(before.keys() | after.keys()):
        subject, was = before.get(key, (None, None))
        other, now = after.get(key, (None, None))
        if not in_part or (subject or other) in subjects:
            was = _explain_missing(old, subject or other, key in new["beyond"]) if was is None else was
            now = _explain_missing(new, subject or other, key in old["beyond"]) if now is None else now
            if _differ(was, now):
                yield f"{key}: {_format(was)} -> {_format(now)}"


def _format(answer: float | str) -> str:
    return answer if isinstance(answer, str) else f"{answer:.2g}"


def _flatten(one: Mapping[str, Any]) -> dict[str, tuple[str, float | str]]:
    """Return the subject and the result of each entry, by the text that begins its line in `list_changes`."""
    found: dict[str, tuple[str, float | str]] = {subject: (subject, "no counterpart") for subject in one["none"]}
    for subject, row in one["worst"].items():
        places = zip(("", " (gradients)"), row, strict=True)
        found |= {f"{subject}{of}": (subject, figure) for of, figure in places if figure is not None}
    return found | {check: (subject, answer) for check, (subject, answer, *_) in one["beyond"].items()}


def _explain_missing(one: Mapping[str, Any], subject: str | None, is_check: bool) -> str:
    """Return a text about a missing result: only checks with a deviation above `BOUND` are listed by themselves."""
    beyond = any(subject == other for other, *_ in one["beyond"].values())
    if is_check and (beyond or subject in one["worst"]):
        return f"within {BOUND:g} or left out"
    return f"nothing within {BOUND:g}" if beyond else "not asked"


def _differ(was: float | str, now: float | str) -> bool:
    if isinstance(was, str) or isinstance(now, str):
        return was != now
    return not 0.5 <= max(was, 4.0) / max(now, 4.0) <= 2.0


def render_markdown(results: Sequence[Mapping[str, Any]]) -> str:
    """Return a Markdown table of each subject's largest deviation from the definition in eps, a column per library."""
    names = [f"{one['name']} {next(iter(one['versions'].values()), '')}".strip() for one in results]
    subjects: dict[str, list[str]] = {}
    for position, one in enumerate(results):
        for subject, cell in _list_cells(one).items():
            subjects.setdefault(subject, [""] * len(results))[position] = cell
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    return "\n".join([*lines, *[f"| {subject} | {' | '.join(row)} |" for subject, row in sorted(subjects.items())]])


def _list_cells(one: Mapping[str, Any]) -> dict[str, str]:
    cells = dict.fromkeys(one["none"], "none")
    cells |= {subject: f"{max(filter(None, row), default=0.0):.2g}" for subject, row in one["worst"].items()}
    told: dict[str, list[Any]] = {}
    for subject, *answer in one["beyond"].values():
        told.setdefault(subject, []).append(answer)
    return cells | {subject: _describe_beyond(answers) for subject, answers in told.items()}


def _describe_beyond(answers: Sequence[Sequence[Any]]) -> str:
    """Return the names of the known differences, or else "failed", "differs" or the largest deviation."""
    if kinds := sorted({kind for _, *kinds in answers for kind in kinds}):
        return "; ".join(kinds)
    words = {answer for answer, *_ in answers if isinstance(answer, str)}
    return "failed" if "failed" in words else "differs" if words else f"{max(answer for answer, *_ in answers):.1e}"
