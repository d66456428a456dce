"""``python -m luxport_conformance``: layers and operations down, backends across, the worst deviation of each."""

from __future__ import annotations

import argparse
import sys

from luxport_conformance import backends
from luxport_conformance.runner import Outcome, checks, run


def main(arguments: list[str] | None = None) -> int:
    """Run the suite, print the table, and return the exit status: 0 if every check passed."""
    parser = argparse.ArgumentParser(prog="luxport_conformance", description=__doc__)
    parser.add_argument("--backend", action="append", metavar="NAME", help="run on this one only; may be repeated")
    parser.add_argument("--exclude-backend", action="append", metavar="NAME", default=[], help="leave this one out")
    parser.add_argument("--layer", metavar="PATTERN", default="", help="a regular expression for layers and checks")
    parser.add_argument("--thorough", action="store_true", help="every case in every mode and dtype")
    options = parser.parse_args(arguments)
    try:
        names = backends.selected(options.backend, options.exclude_backend)
    except ValueError as error:
        parser.error(str(error))
    complaint = backends.missing(names)
    if complaint:
        parser.error(complaint)
    outcomes = []
    for check in checks(names, pattern=options.layer, thorough=options.thorough):
        outcomes.append(run(check))
        if outcomes[-1].complaint:
            print(f"FAILED {check.id}: {outcomes[-1].complaint}", file=sys.stderr)
    print(table(outcomes, names))
    failed = sum(outcome.complaint is not None for outcome in outcomes)
    left_out = [name for name in backends.BACKENDS if name not in names]
    print(
        f"{len(outcomes) - failed} passed, {failed} failed"
        + (f"; left out by name: {', '.join(left_out)}" if left_out else "")
    )
    return 1 if failed or not outcomes else 0


def table(outcomes: list[Outcome], names: list[str]) -> str:
    """Lay out the worst deviation of each subject on each backend, in units of the dtype's eps."""
    columns = [*names, backends.HOST]
    worst: dict[tuple[str, str], float] = {}
    for outcome in outcomes:
        key = (outcome.check.subject, outcome.check.backend)
        worst[key] = max(worst.get(key, 0.0), outcome.deviation)
    subjects = sorted({subject for subject, _ in worst})
    width = max(map(len, subjects), default=0)
    lines = [" " * width + "".join(f"{column:>9}" for column in columns) + "   (deviation / eps)"]
    for subject in subjects:
        cells = [_cell(worst.get((subject, column))) for column in columns]
        lines.append(f"{subject:<{width}}" + "".join(f"{cell:>9}" for cell in cells))
    return "\n".join(lines)


def _cell(deviation: float | None) -> str:
    if deviation is None:
        return "."
    return "FAILED" if deviation == float("inf") else f"{deviation:.3g}"


if __name__ == "__main__":
    sys.exit(main())
