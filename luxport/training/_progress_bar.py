"""`show_progress`: a progress bar of the steps of a training, in a terminal with the package rich."""

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
    """Yield a function that writes a line, and one to call after each step.

    Args:
        write: the function that the user chose; a bar is shown only for `print`
        batches: the batches of an epoch, whose number may be unknown
        epochs: the number of epochs to come
    """
    rich = _import_rich() if write is print and sys.stdout.isatty() else None
    if rich is None:
        yield write, _do_nothing
        return
    columns = rich.BarColumn(), rich.MofNCompleteColumn(), rich.TimeElapsedColumn(), rich.TimeRemainingColumn()
    with rich.Progress("steps", *columns, transient=True) as bar:
        task = bar.add_task("", total=len(batches) * epochs if isinstance(batches, Sized) else None)

        def write_line(text: str) -> None:
            # Without rich's defaults, which interpret brackets as markup and wrap long lines.
            bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

        yield write_line, lambda: bar.advance(task)


def _import_rich() -> Any:
    try:
        return importlib.import_module("rich.progress")
    except ImportError:
        return None


def _do_nothing() -> None:
    pass
