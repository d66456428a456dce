"""``python -m benchmarks``: every table, each framework in a process of its own. Ratios above 1 mean we are slower.

``python -m benchmarks --seconds 1 jax torch`` spends a second on each comparison, on these backends only. On a
machine that does other work too, ``OMP_NUM_THREADS=1`` keeps PyTorch's threads from waiting for one another.
``--steps W1,W8 --json figures.json`` measures training steps alone, and writes them down.
``python -m benchmarks.first_steps`` measures first steps and memory.
``python -m benchmarks --quick`` only checks that all contenders still take the same steps.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import dropout_mask, import_time, onnx_inference, training_step


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ratios of time; above 1, we are slower.")
    parser.add_argument(
        "backends",
        nargs="*",
        default=["jax", "jax, 10 steps a call", "torch", "torch, compiled", "tf"],
        help="all if none",
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="time spent on each comparison")
    parser.add_argument("--quick", action="store_true", help="take a few steps, compare the losses, time nothing")
    parser.add_argument("--steps", default="", help="training steps alone, and of these only some: W1,W8, or all")
    parser.add_argument("--json", help="a file to write the rows of the training steps to")
    options = parser.parse_args()
    plain = [backend for backend in options.backends if "," not in backend]
    if options.quick:
        rows = [row for backend in plain for row in training_step.compare_losses(backend)]
        print_table("Training step", training_step.QUICK_HEADER, rows)
        return
    only = [] if options.steps in ("", "all") else [options.steps]
    failed: list[str] = []
    rows: list[Sequence[Any]] = []
    for row in measure("training_step", options.backends, options.seconds, failed, *only):
        rows.append(row)
        print(*map(_write, row), sep="  ", flush=True)
        if options.json:
            found = [dict(zip(training_step.HEADER, row, strict=True)) for row in rows]
            Path(options.json).write_text(json.dumps(found, indent=1) + "\n")
    print_table("Training step", training_step.HEADER, rows)
    if not options.steps:
        masks = measure("dropout_mask", ["numpy", *plain], options.seconds, failed)
        print_table("Dropout mask", dropout_mask.HEADER, masks)
        if "torch" in plain:
            exported = measure("onnx_inference", ["torch"], options.seconds, failed)
            print_table("Inference by onnxruntime", onnx_inference.HEADER, exported)
        print_table("Import", import_time.HEADER, import_time.measure_rows())
    if failed:
        sys.exit("not measured to the end: " + "; ".join(failed))


def measure(
    module: str, backends: Iterable[str], seconds: float, failed: list[str], *more: str
) -> Iterator[Sequence[Any]]:
    """Yield a module's rows for each backend as they are measured, one process after the other.

    A process that ends with an error is added to what has `failed`.
    """
    for backend in backends:
        command = [sys.executable, "-m", f"benchmarks.{module}", backend, str(seconds), *more]
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(('["', "[[")):  # libraries print what they like
                    yield from _list_rows(json.loads(line))
        if process.returncode:
            failed.append(f"{module} on {backend}")


def _list_rows(values: list[Any]) -> list[Sequence[Any]]:
    """Return a table, or one row of it."""
    return values if values and isinstance(values[0], list) else [values]


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table in columns."""
    cells = [list(header), *[[_write(value) for value in row] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    print(f"\n{title}")
    for row in cells:
        left = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        print("  ".join(left + right), flush=True)


def _write(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
