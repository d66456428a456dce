"""Results as data: a file for each library and version, small enough to keep, and what changed between two."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from luxport.porting.files.replacing import replacing
from luxport_conformance.schedule import Finding

__all__ = ["changes", "load", "markdown", "save", "table_of"]

Results = Mapping[str, Mapping[str, Any]]
"""By the names of columns: the versions of what took part, and the answers: eps, or a word, by checks' names."""


def table_of(findings: Sequence[Finding], packages: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Any]]:
    """Return what came of each column, with the versions of its packages, the library's own first."""
    found: dict[str, dict[str, Any]] = {}
    for name, needed in packages.items():
        answers = {
            finding.id.removesuffix(f"-{name}"): [finding.subject, _answer(finding), *finding.differences]
            for finding in findings
            if finding.backend == name
        }
        versions = {package: told for package in needed if (told := _version(package))}
        found[name] = {"versions": versions, "answers": answers}
    return found


def _answer(finding: Finding) -> float | str:
    if finding.complaint is not None:
        return "failed"
    if math.isnan(finding.deviation):
        return "none"
    return float(f"{finding.deviation:.3g}") if math.isfinite(finding.deviation) else "differs"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def save(results: Results, folder: Path) -> list[Path]:
    """Write a file for each column, named by the library's version, a check a line, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, one in results.items():
        own = next(iter(one["versions"].values()), "unversioned")
        path = folder / f"{name}-{own}.json"
        lines = [f"{json.dumps(check)}: {json.dumps(answer)}" for check, answer in sorted(one["answers"].items())]
        text = ",\n".join(lines)
        with replacing(path) as file:
            file.write(
                f'{{"name": {json.dumps(name)}, "versions": {json.dumps(one["versions"])}, '
                f'"answers": {{\n{text}\n}}}}\n'.encode()
            )
        paths.append(path)
    return paths


def load(path: Path) -> dict[str, Any]:
    """Read a file that `save` wrote.

    Raises: ValueError if it is none
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if {"name", "versions", "answers"} <= found.keys():
            return found
    except (OSError, ValueError, AttributeError) as error:
        raise ValueError(f"--compare expects a file of conformance/results, and {path} is none: {error}") from None
    raise ValueError(f"--compare expects a file of conformance/results, and {path} is none")


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each check whose answer is another: another word, or more than twice as far off or near.

    Less than 4 eps count as 4: which instructions a machine has decides as much.
    """
    for check in sorted(old["answers"].keys() | new["answers"].keys()):
        before, after = (found["answers"].get(check, ["", "not asked"])[1] for found in (old, new))
        if isinstance(before, str) or isinstance(after, str):
            changed = before != after
        else:
            changed = not 0.5 <= max(before, 4.0) / max(after, 4.0) <= 2.0
        if changed:
            yield f"{check}: {before} -> {after}"


def markdown(results: Sequence[Mapping[str, Any]]) -> str:
    """Lay out the largest deviation of each subject from the definition in eps, a column a library."""
    names = [f"{one['name']} {next(iter(one['versions'].values()), '')}".strip() for one in results]
    subjects: dict[str, list[str]] = {}
    for position, one in enumerate(results):
        worst: dict[str, tuple[float, set[str]]] = {}
        for subject, answer, *kinds in one["answers"].values():
            size = (-1.0 if answer == "none" else math.inf) if isinstance(answer, str) else float(answer)
            most, told = worst.get(subject, (-1.0, set()))
            worst[subject] = max(most, size), told | (set(kinds) if size > 16.0 else set())
        for subject, (size, kinds) in worst.items():
            row = subjects.setdefault(subject, [""] * len(results))
            row[position] = "none" if size < 0 else _cell(size, kinds)
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    return "\n".join([*lines, *[f"| {subject} | {' | '.join(row)} |" for subject, row in sorted(subjects.items())]])


def _cell(size: float, kinds: set[str]) -> str:
    if size <= 16.0:
        return f"{size:.2g}"
    return "; ".join(sorted(kinds)) or ("differs" if math.isinf(size) else f"{size:.1e}")
