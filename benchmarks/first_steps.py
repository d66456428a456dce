"""First steps (trace, compile, run) and peak memory, in luxport and by hand, each in a process of its own.

``python -m benchmarks.first_steps --json docs/first_steps.json jax torch`` measures some; ``--steps W1,W8`` few cases.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["HEADER", "measure", "measure_rows"]

HEADER = ("step", "against", "our first s", "their first s", "first ratio", "our MiB", "their MiB", "memory ratio")
KINDS = ("jax", "torch", "torch, compiled", "tf")


def measure_rows(kind: str, only: str = "") -> list[tuple[Any, ...]]:
    """Measure the cases, or `only` some."""
    from benchmarks.models import CASES

    found: list[tuple[Any, ...]] = []
    for case in CASES:
        if only and case[:2] not in only.split(","):
            continue
        ours, theirs = [_measure_apart(kind, case, who) for who in ("luxport", "hand")]
        against = f"{kind} by hand" if "," in kind else f"{kind} by hand, {'eager' if kind == 'torch' else 'compiled'}"
        pairs = [(a, b, a / b) for a, b in zip(ours, theirs, strict=True)]
        found.append((case, against, *pairs[0], *pairs[1]))
    return found


def measure(kind: str, case: str, who: str) -> tuple[float, float]:
    """Take a first step and four more: processor seconds of the first, and the process's peak in MiB."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from benchmarks.models import make_luxport_step

    backend, _, compiling = kind.partition(", ")
    by_hand = importlib.import_module(f"benchmarks.by_hand_{backend}")
    compiled = bool(compiling) or by_hand.COMPILED
    if who == "luxport":
        step = make_luxport_step(case, backend, compiled=compiled, wait=by_hand.wait_for)
    else:
        step = by_hand.make_step(case, compiled=True) if compiling else by_hand.make_step(case)
    start = _read_clock()
    float(step())
    first = _read_clock() - start
    for _ in range(4):
        float(step())
    return first, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def _read_clock() -> float:
    """Return processor time, with that of compilers in processes of their own."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _measure_apart(kind: str, case: str, who: str) -> tuple[float, float]:
    code = f"from benchmarks.first_steps import measure; print(*measure({kind!r}, {case!r}, {who!r}))"
    environment = os.environ | {"TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, env=environment)
    first, memory = done.stdout.splitlines()[-1].split()
    return float(first), float(memory)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_steps")
    parser.add_argument("kinds", nargs="*", default=KINDS, help=", ".join(KINDS))
    parser.add_argument("--steps", default="", help="only some cases: W1,W8")
    parser.add_argument("--json", help="a file to write the rows to")
    options = parser.parse_args()
    figures = [
        dict(zip(HEADER, row, strict=True)) for kind in options.kinds for row in measure_rows(kind, options.steps)
    ]
    for row in figures:
        print(*[f"{value:.3g}" if isinstance(value, float) else value for value in row.values()], sep="  ")
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1) + "\n")
