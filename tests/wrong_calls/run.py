"""Run wrong calls of every layer and function, and count errors that are not luxport's own messages.

python tests/wrong_calls/run.py [--backends numpy,jax,torch,tf] [--of operations] [--only NAME,…] [--show N]

Each backend runs in a child process, which is restarted behind a call that ends it. A message counts as luxport's own
if it is one line and luxport itself raised it. With several backends, answers that differ from those of the first are
counted too.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import wrong_functions
import wrong_kernels
import wrong_layers
import wrong_operations
from judging import BACKENDS, Call, Finding, count_by_subject, enable_doubles, find_different_answers, judge_all, sweep

import luxport

MEMORY = 4 << 30
CALLS: dict[str, Callable[..., Iterator[Call]]] = {
    "layers": wrong_layers.list_calls,
    "operations": wrong_operations.list_calls,
    "functions": wrong_functions.list_calls,
    "kernels": wrong_kernels.list_calls,
}


def list_calls(of: str, backend: str, only: list[str], every: int) -> Iterator[Call]:
    """Yield about one in `every` calls of these kinds, the same on every backend, or only calls of the given names."""
    for name, call in chain.from_iterable(CALLS[kind](backend) for kind in of.split(",")):
        if only and Finding(name, "", "").subject not in only:
            continue
        if zlib.crc32(name.encode()) % every == 0:
            yield name, call


def main() -> int:
    """Print the findings; return 1 if a call crashed or more than 1 % were raw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", default=",".join(BACKENDS))
    parser.add_argument("--of", default="layers,operations,functions")
    parser.add_argument("--only", default="", help="names of functions, with commas between")
    parser.add_argument("--every", type=int, default=1, help="one call in so many: JAX takes an hour for all")
    parser.add_argument("--show", type=int, default=20, help="messages of each kind")
    parser.add_argument("--taken", action="store_true", help="show what was taken too")
    parser.add_argument("--keep", type=Path, help="a folder for all that was found, to compare runs by")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    only = [name for name in options.only.split(",") if name]
    if options.child:
        enable_doubles(options.child)
        luxport.setup(0, luxport.Dense(1, 1), backend=options.child)  # load the framework before memory is limited
        os.chdir(tempfile.mkdtemp())  # calls may write files wherever a value is accepted as a path
        judge_all(list_calls(options.of, options.child, only, options.every), options.first, MEMORY)
        return 0
    bad, before = False, None
    for backend in options.backends.split(","):
        found = sweep(backend, [__file__, "--of", options.of, "--only", options.only, "--every", str(options.every)])
        if options.keep is not None:
            options.keep.mkdir(parents=True, exist_ok=True)
            rows = [[finding.name, finding.verdict, finding.text] for finding in found]
            (options.keep / f"{backend}.json").write_text(json.dumps(rows))
        bad = _report(backend, found, options.show, options.taken) or bad
        if before is None:
            before = found
            continue
        pairs = find_different_answers(before, found)
        print(f"{backend}: {len(pairs)} answers other than the first backend's")
        for a, b in pairs[: options.show]:
            print(f"  {a.name}:\n    {a.answer[:200]}\n    {b.answer[:200]}")
    return int(bad)


def _report(backend: str, found: list[Finding], show: int, taken: bool) -> bool:
    counts = Counter(finding.verdict for finding in found)
    print(f"{backend}: {len(found)} wrong calls, {dict(counts)}, raw {100 * counts['raw'] / len(found):.2f} %")
    rows = [(name, n) for name, n in count_by_subject(found).items() if n["raw"] or n["crash"]]
    for name, n in sorted(rows, key=lambda row: -row[1]["raw"]):
        print(f"  {name:32} {n.total():5} calls {n['raw']:5} raw {n['crash']:3} crashes")
    for verdict in ("crash", "raw", *(["taken"] if taken else [])):
        for finding in [finding for finding in found if finding.verdict == verdict][:show]:
            print(f"  {verdict}: {finding.name}: {finding.text[:200]}")
    return counts["crash"] > 0 or counts["raw"] > 0.01 * len(found)


if __name__ == "__main__":
    raise SystemExit(main())
