"""A bar of the steps of a training, where a terminal and rich are there: `show_progress`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from typing import Any

__all__ = ["show_progress"]

Write = Callable[[str], Any] | None


@contextmanager
def show_progress(write: Write, batches: Any, epochs: int) -> Iterator[tuple[Write, Callable[[], None]]]:
    """Yield what writes a line, and what is called after each step.

    Args:
        write: what was asked for; a bar goes with `print` alone
        batches: the batches of an epoch, whose number may not be known
        epochs: how many there are to come
    """
    rich = _import_rich() if write is print and sys.stdout.isatty() else None
    if rich is None:
        yield write, _do_nothing
        return
    columns = rich.BarColumn(), rich.MofNCompleteColumn(), rich.TimeElapsedColumn(), rich.TimeRemainingColumn()
    with rich.Progress("steps", *columns, transient=True) as bar:
        task = bar.add_task("", total=len(batches) * epochs if isinstance(batches, Sized) else None)

        def line(text: str) -> None:
            # As it is: rich would read brackets as marks, and fold long lines.
            bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

        yield line, lambda: bar.advance(task)


def _import_rich() -> Any:
    try:
        return importlib.import_module("rich.progress")
    except ImportError:
        return None


def _do_nothing() -> None:
    pass
