"""Comparing functions: measured in turns, so that conditions are the same for all, by medians of processor time."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence

__all__ = ["compare", "compare_all"]


def compare(
    ours: Callable[[], object], theirs: Callable[[], object], seconds: float = 4.0
) -> tuple[float, float, float]:
    """Return microseconds a call of each, and the median of the ratios of neighboring measurements."""
    mine, others = compare_all([ours, theirs], seconds)
    ratios = [a / b for a, b in zip(mine, others, strict=True)]
    return statistics.median(mine), statistics.median(others), statistics.median(ratios)


def compare_all(contenders: Sequence[Callable[[], object]], seconds: float = 4.0) -> list[list[float]]:
    """Return for each function the microseconds of processor time a call, of as many measurements side by side.

    Each function does its work to the end before it returns. A measurement is a few calls in a row, and every second
    round goes backward.
    """
    for f in (*contenders, *contenders):
        f()
    calls = max(1, min(20, int(0.01 / max([_measure_seconds(f, 3) for f in contenders]))))
    found: list[list[float]] = [[] for _ in contenders]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(found[0]) < 11:
        order = range(len(contenders))
        for i in order if len(found[0]) % 2 else reversed(order):
            found[i].append(1e6 * _measure_seconds(contenders[i], calls))
    return found


ON_GPU = os.environ.get("LUXPORT_BENCH_DEVICE", "").startswith("gpu")
"""Whether the work runs on a GPU: then the clock is read in place of processor time, and PyTorch is waited for."""


def _measure_seconds(f: Callable[[], object], calls: int) -> float:
    clock = time.perf_counter if ON_GPU else time.process_time
    start = clock()
    for _ in range(calls):
        f()
    if ON_GPU and "torch" in sys.modules:
        sys.modules["torch"].cuda.synchronize()
    return (clock() - start) / calls
