"""``luxport conformance``: the suite on any backend, as a table, as JSON and as a page."""

from __future__ import annotations

import argparse
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from luxport.backend import get_backend
from luxport.command_line import Arguments
from luxport_conformance import backends, report
from luxport_conformance.cases import CASES
from luxport_conformance.gaps import list_gaps
from luxport_conformance.named_objects import ImportingError
from luxport_conformance.peers import PEERS, find_peer
from luxport_conformance.petab import make_petab_cases
from luxport_conformance.probing import ask
from luxport_conformance.progress import Progress
from luxport_conformance.results import collect_results, list_changes, load, save
from luxport_conformance.selection import Selection
from luxport_conformance.worker_processes import collect_findings

__all__ = ["add_arguments", "main", "run"]

_PACKAGES = {
    "numpy": ("numpy",),
    "strict": ("array-api-strict",),
    "strict32": ("array-api-strict",),
    "jax": ("jax", "jaxlib"),
    "torch": ("torch",),
    "tf": ("tensorflow-cpu", "tensorflow"),
    "mlx": ("mlx",),
    "onnx": ("onnxruntime", "onnx"),
}
"""The distributions whose versions are reported for each backend."""


def main(arguments: list[str] | None = None) -> int:
    """Run the suite, print the table, and return the exit status: 0 if every check passed, 1 if not, 2 if none ran."""
    parser = Arguments(prog="luxport conformance", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(arguments), parser.error)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to a parser."""
    add = parser.add_argument
    add("--backend", action="append", metavar="B", help="run on this one only, a name or module:object; repeatable")
    add("--exclude-backend", action="append", metavar="B", default=[], help="leave this one out; repeatable")
    add("--device", metavar="D", help="place arrays on this device of the backend")
    add(
        "--dtype",
        action="append",
        metavar="T",
        choices=backends.Abilities.dtypes,
        help="in this dtype only; repeatable",
    )
    add("--layer", metavar="PATTERN", default="", help="a regular expression for layers, operations and checks")
    add("--jit", action="store_true", help="compiled as well")
    add("--full", "--thorough", action="store_true", help="each case in both modes, and in each dtype")
    add("--petab", metavar="DIR", help="also the networks in this folder of the PEtab SciML test suite")
    add(
        "--peer",
        action="append",
        metavar="P",
        default=[],
        help="a library's own layers: all, a name or module:object; alone unless --backend is given, too; repeatable",
    )
    add("--report", metavar="DIR", help="write report.json and report.html there")
    add("--save", metavar="DIR", help="write the results as data there, a file for each column and version")
    add(
        "--compare",
        metavar="FILE",
        nargs="+",
        default=[],
        help="say what changed since these results: those of FILE and of this run, or of two files",
    )
    add("--jobs", type=int, default=min(2, os.cpu_count() or 1), metavar="N", help="processes side by side")
    add("--limit", type=float, default=180.0, metavar="S", help="seconds after which a check is given up")


def run(options: argparse.Namespace, error: Callable[[str], Any]) -> int:
    """Run the command with parsed options and return the exit status; `error` reports wrong arguments and exits."""
    try:
        if any(":" in name for name in (*(options.backend or ()), *options.peer)):
            sys.path.insert(0, os.getcwd())  # the user's own module is most likely in the current directory
        _check_pattern(options.layer)
        if options.save and (options.layer or options.dtype):
            raise ValueError("--save keeps results of whole runs: leave out --layer and --dtype")
        old = [load(Path(path)) for path in options.compare]
        if len(old) == 2 and not (options.peer or options.backend):
            if old[0]["name"] != old[1]["name"]:
                names = " and ".join(one["name"] for one in old)
                raise ValueError(f"--compare expects two files of one library, got those of {names}")
            return _tell_changes(*old)
        peers = _select_peers(options.peer)
        alone = bool(peers) and not options.backend
        chosen = None if "all" in (options.backend or ()) else options.backend
        names = [] if alone else backends.select_backends(chosen, options.exclude_backend)
        if complaint := backends.describe_missing([name for name in names if ":" not in name]):
            error(complaint)
        if options.report:
            report.check_folder(Path(options.report))
        if options.petab:
            make_petab_cases(Path(options.petab))
        selection = Selection(
            backends=tuple(names),
            pattern=options.layer,
            dtypes=tuple(options.dtype or ()),
            device=options.device,
            jit=options.jit,
            full=options.full,
            petab=options.petab,
            peers=tuple(peers),
            alone=alone,
        )
        columns = [*selection.load().backends, *[find_peer(name).name for name in peers]]
    except ImportingError as failed:
        traceback.print_exception(failed.__cause__)
        error(str(failed))
        raise
    except (ValueError, OSError) as wrong:
        error(str(wrong))
        raise
    loaded = columns[: len(names)]
    asked = [(name, ask(selection, name, options.limit)) for name in loaded if not backends.is_known(name)]
    selection = replace(selection, abilities=tuple(asked))
    selection.load()
    for name in loaded:
        for line in list_gaps(get_backend(name), CASES):
            print(line, file=sys.stderr)
    with Progress() as progress:
        found = collect_findings(
            selection,
            jobs=options.jobs,
            limit=options.limit,
            on_start=progress.start,
            on_finding=progress.step,
            on_wait=progress.wait,
        )
    print(report.render_table(found, columns))
    if failed := report.list_complaints(found):
        print(failed)
    if remarks := report.list_remarks(found):
        print(remarks)
    outcomes = report.count_outcomes(found)
    left_out = [name for name in backends.BACKENDS if name not in columns]
    told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    print(told + (f"; left out: {', '.join(left_out)}" if left_out else ""))
    if options.report:
        for path in report.write(found, columns, Path(options.report)):
            print(path)
    packages = {name: _PACKAGES.get(name, ("luxport-nn",)) for name in columns}
    packages |= {peer.name: peer.packages for peer in map(find_peer, peers)}
    results = collect_results(found, packages)
    if options.save:
        for path in save(results, Path(options.save)):
            print(path)
    for one in old:
        if one["name"] in results:
            _tell_changes(one, results[one["name"]], in_part=bool(options.layer or options.dtype))
        else:
            print(f"{one['name']} was not asked in this run: nothing to compare")
    return 2 if not found else 1 if outcomes["failed"] else 0


def _tell_changes(old: Mapping[str, Any], new: Mapping[str, Any], *, in_part: bool = False) -> int:
    was, now = (", ".join(map(" ".join, one["versions"].items())) or "unversioned" for one in (old, new))
    lines = list(list_changes(old, new, in_part=in_part))
    print(f"{old['name']}, from {was} to {now}:{'' if lines else ' nothing changed'}")
    for line in lines:
        print(f"  {line}")
    return 0


def _select_peers(asked: list[str]) -> list[str]:
    """Return the names of the peers of a run.

    ``all`` selects luxport's peers whose libraries are installed, and prints a line for each of the others.

    Raises: ValueError if a peer that is given by name is not installed
    """
    names = list(dict.fromkeys(name for one in asked for name in (PEERS if one == "all" else [one])))
    found = []
    for name in names:
        missing = find_peer(name).list_missing()
        if missing and name in asked:
            raise ValueError(f"peer {name}: not installed: {', '.join(missing)}. Install 'luxport-nn[peers]'")
        if missing:
            print(f"peer {name} is left out: not installed: {', '.join(missing)}", file=sys.stderr)
        else:
            found.append(name)
    return found


def _check_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as wrong:
        raise ValueError(f"--layer expects a regular expression, got {pattern!r}: {wrong}") from None
