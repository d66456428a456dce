"""Two functions against each other: interleaved, so that both meet the same weather, and by medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

__all__ = ["compare"]


def compare(
    ours: Callable[[], object], theirs: Callable[[], object], seconds: float = 4.0
) -> tuple[float, float, float]:
    """Return microseconds a call of each, and the median of the ratios of neighboring measurements.

    Each function does its work to the end before it returns. A measurement is a few calls in a row.
    """
    for f in (ours, theirs, ours, theirs):
        f()
    calls = max(1, min(20, int(0.01 / max(_seconds(ours, 5), _seconds(theirs, 5)))))
    mine, others, ratios = [], [], []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(ratios) < 11:
        if len(ratios) % 2:
            a, b = _seconds(ours, calls), _seconds(theirs, calls)
        else:
            b, a = _seconds(theirs, calls), _seconds(ours, calls)
        mine.append(a)
        others.append(b)
        ratios.append(a / b)
    return 1e6 * statistics.median(mine), 1e6 * statistics.median(others), statistics.median(ratios)


def _seconds(f: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        f()
    return (time.perf_counter() - start) / calls
