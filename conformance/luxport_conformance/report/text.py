"""The table in the terminal: layers and operations down, backends across."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from luxport_conformance import backends
from luxport_conformance.peers.kinds import KINDS
from luxport_conformance.schedule import Finding

__all__ = ["complaints", "remarks", "table"]


def table(findings: Sequence[Finding], columns: Sequence[str]) -> str:
    """Lay out the worst deviation of each subject on each backend, in units of the dtype's eps.

    What a peer deviates is information: its column says so, and counts no failures.
    """
    hosted = any(finding.backend == backends.HOST for finding in findings)
    names = [*columns, *([backends.HOST] if hosted else [])]
    peers = {finding.backend for finding in findings if finding.kind == "peer"}
    worst: dict[tuple[str, str], float] = {}
    for finding in findings:
        if not math.isnan(finding.deviation):  # a peer without a counterpart
            key = finding.subject, finding.backend
            worst[key] = max(worst.get(key, 0.0), finding.deviation)
    subjects = sorted({subject for subject, _ in worst})
    width = max(map(len, subjects), default=0)
    widths = {name: max(11, len(name) + 2) for name in names}
    heads = {name: "no arrays" if name == backends.HOST else name for name in names}
    lines = [" " * width + "".join(f"{heads[name]:>{widths[name]}}" for name in names) + "   (deviation / eps)"]
    for subject in subjects:
        told = {name: _cell(worst.get((subject, name)), name in peers) for name in names}
        cells = "".join(f"{cell:>{widths[name]}}" for name, cell in told.items())
        lines.append(f"{subject:<{width}}{cells}")
    return "\n".join(lines)


def remarks(findings: Sequence[Finding]) -> str:
    """List what peers do otherwise by design, each remark once for a subject."""
    told = [
        f"{finding.subject} on {finding.backend}: {what}"
        for finding in findings
        if not math.isnan(finding.deviation)
        for what in filter(None, [finding.remark, *map(KINDS.__getitem__, finding.differences)])
    ]
    return "\n".join(dict.fromkeys(told))


def complaints(findings: Sequence[Finding], most: int = 6) -> str:
    """List what failed, equal complaints once with their number and the first checks that have them.

    Numbers in a complaint differ from check to check: those that are alike but for them are equal.
    """
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.complaint:
            groups.setdefault(_NUMBER.sub("#", finding.complaint), []).append(finding)
    lines = []
    for group in sorted(groups.values(), key=len, reverse=True):
        names = [finding.id for finding in group[:most]]
        more = f" and {len(group) - most} more" if len(group) > most else ""
        checks = "check" if len(group) == 1 else "checks"
        lines += [f"{len(group)} {checks}: {group[0].complaint}", f"    {', '.join(names)}{more}"]
    return "\n".join(lines)


# What a check measured, and the shapes that it names, are its own.
_NUMBER = re.compile(r"[-+]?\b\d[\d.]*(?:e[-+]?\d+)?|\b(?:nan|inf)\b")


def _cell(deviation: float | None, is_peer: bool) -> str:
    if deviation is None:
        return "."
    if deviation == float("inf"):
        return "differs" if is_peer else "FAILED"
    return f"{deviation:.3g}"
