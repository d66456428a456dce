"""What ``import luxport`` takes once NumPy is imported, in fresh interpreters."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from typing import Any

__all__ = ["HEADER", "measure_rows"]

HEADER = ("import", "runs", "median s", "of the CPU", "limit s")
PROGRAM = """
import numpy, time
start, busy = time.perf_counter(), time.process_time()
import luxport
print(time.perf_counter() - start, time.process_time() - busy)
"""


def measure_rows(runs: int = 15) -> list[tuple[Any, ...]]:
    """Import it this many times; the first, which writes the bytecode that an installation has, does not count."""
    runs_of_both = []
    with tempfile.TemporaryDirectory() as folder:
        # Where Python is told to write no bytecode, half the time would go into compiling the source.
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder}
        for _ in range(runs + 1):
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment
            )
            runs_of_both.append([float(word) for word in done.stdout.split()])
    wall, busy = (statistics.median(column) for column in zip(*runs_of_both[1:], strict=True))
    return [("luxport beyond numpy", runs, wall, busy, 0.15)]
