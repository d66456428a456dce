"""The table in the terminal, with a row for each layer or operation and a column for each backend."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Mapping, Sequence

from luxport_conformance import backends
from luxport_conformance.peers.difference_kinds import KINDS
from luxport_conformance.worker_processes import Finding

__all__ = ["leave_out_numbers", "list_complaints", "list_remarks", "make_printable", "render_table"]


def render_table(findings: Sequence[Finding], columns: Sequence[str]) -> str:
    """Return a table of the largest deviation of each subject on each backend, in units of the dtype's eps.

    Deviations of peers are information: an infinite one is shown as "differs" instead of "FAILED".
    """
    hosted = any(finding.backend == backends.HOST for finding in findings)
    names = [*columns, *([backends.HOST] if hosted else [])]
    peers = {finding.backend for finding in findings if finding.kind == "peer"}
    worst: dict[tuple[str, str], float] = {}
    for finding in findings:
        if not math.isnan(finding.deviation):  # NaN: the peer has no counterpart
            key = finding.subject, finding.backend
            worst[key] = max(worst.get(key, 0.0), finding.deviation)
    subjects = sorted({subject for subject, _ in worst})
    width = max(map(len, subjects), default=0)
    widths = {name: max(11, len(name) + 2) for name in names}
    heads = {name: "no arrays" if name == backends.HOST else name for name in names}
    lines: list[str] = []
    for block in _fold(names, width, widths):
        head = " " * width + "".join(f"{heads[name]:>{widths[name]}}" for name in block)
        lines += ["", head] if lines else [f"{head}{_UNIT}"]
        for subject in subjects:
            found = [worst.get((subject, name)) for name in block]
            if block == names or any([figure is not None for figure in found]):
                cells = [_format_cell(figure, name in peers) for figure, name in zip(found, block, strict=True)]
                told = [f"{cell:>{widths[name]}}" for cell, name in zip(cells, block, strict=True)]
                lines.append(f"{subject:<{width}}{''.join(told)}")
    return "\n".join(lines)


_UNIT = "   (deviation / eps)"


def _fold(names: Sequence[str], width: int, widths: Mapping[str, int]) -> list[list[str]]:
    """Divide the columns into blocks that fit the width of the terminal; one block if there is no terminal."""
    wide = shutil.get_terminal_size((10**6, 0)).columns
    blocks: list[list[str]] = [[]]
    for name in names:
        taken = width + sum([widths[one] for one in blocks[-1]]) + (len(_UNIT) if len(blocks) == 1 else 0)
        if blocks[-1] and taken + widths[name] > wide:
            blocks.append([])
        blocks[-1].append(name)
    return blocks


def list_remarks(findings: Sequence[Finding]) -> str:
    """Return the remarks about peers, a line for each subject and remark with all peers that it applies to."""
    told: dict[tuple[str, str], dict[str, None]] = {}
    for finding in findings:
        if not math.isnan(finding.deviation):
            for what in filter(None, [finding.remark, *map(KINDS.__getitem__, finding.differences)]):
                told.setdefault((finding.subject, " ".join(what.split())), {})[finding.backend] = None
    return make_printable("\n".join([f"{subject} on {', '.join(by)}: {what}" for (subject, what), by in told.items()]))


def list_complaints(findings: Sequence[Finding], most: int = 6) -> str:
    """Return the complaints; equal ones are listed once, with their count and the ids of the first checks.

    Complaints that differ in numbers only count as equal.
    """
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.complaint:
            groups.setdefault(leave_out_numbers(finding.complaint), []).append(finding)
    lines = []
    for group in sorted(groups.values(), key=len, reverse=True):
        names = [finding.id for finding in group[:most]]
        more = f" and {len(group) - most} more" if len(group) > most else ""
        checks = "check" if len(group) == 1 else "checks"
        lines += [f"{len(group)} {checks}: {group[0].complaint}", f"    {', '.join(names)}{more}"]
        lines += [f"    {group[0].place}"] if group[0].place else []
    return make_printable("\n".join(lines))


def make_printable(text: str) -> str:
    """Escape the control characters of a text, except line ends."""
    return "".join([c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text.expandtabs()])


def leave_out_numbers(complaint: str) -> str:
    """Return a complaint with its numbers and shapes replaced by "#", for comparison with other complaints."""
    return _NUMBER.sub("#", complaint)


_NUMBER = re.compile(r"[-+]?\b\d[\d.]*(?:e[-+]?\d+)?|\b(?:nan|inf)\b")


def _format_cell(deviation: float | None, is_peer: bool) -> str:
    if deviation is None:
        return "."
    if deviation == float("inf"):
        return "differs" if is_peer else "FAILED"
    return f"{deviation:.3g}"
