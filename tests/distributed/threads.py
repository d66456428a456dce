"""Processes that are threads: calls side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["in_threads"]


def in_threads(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Make each call in a thread of its own; return what each returned, or the error that it raised."""
    with ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(call) for call in calls]
    return [one.result() if one.exception() is None else one.exception() for one in running]
