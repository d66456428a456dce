"""Callbacks of `fit`, called after each epoch: `EarlyStopping`, `BestCheckpoint` and writers of logs."""

from __future__ import annotations

import csv
import importlib
import io
import json
import math
from os import PathLike
from pathlib import Path
from typing import Any

from luxport.backend.arguments import expect_options
from luxport.backend.option_rules import FLAG, TEXT, Rule, allow_count
from luxport.call_arguments import explain_construction
from luxport.errors import LayerError
from luxport.porting.files.atomic_files import open_atomic
from luxport.training._fit import Progress
from luxport.training._position import name_callback

__all__ = ["BestCheckpoint", "CSVLog", "EarlyStopping", "JSONLog", "TensorBoardLog"]


@explain_construction
class EarlyStopping:
    """End the training when a logged number has not improved for some epochs.

    The epochs before a training was resumed count as well; a new training starts counting anew.

    Args:
        monitor: the name of the number in the logs
        patience: the number of epochs in a row without improvement after which training ends
        largest: whether larger is better

    >>> stop = EarlyStopping("loss", 2)
    >>> [stop.better(value) or stop.waited for value in (3.0, 2.0, 2.5, 2.5)]
    [True, True, 1, 2]
    """

    def __init__(self, monitor: str = "val_loss", patience: int = 5, *, largest: bool = False) -> None:
        _expect("EarlyStopping", monitor=monitor, patience=patience, largest=largest)
        self.monitor, self.patience, self.largest = monitor, patience, largest
        self.best, self.waited = math.inf, 0

    def better(self, value: float) -> bool:
        """Record a value, and return whether it is the best so far."""
        value = -value if self.largest else value
        if value < self.best:
            self.best, self.waited = value, 0
            return True
        self.waited += 1
        return False

    def follow(self, progress: Progress) -> None:
        """Record the values of earlier epochs if none has been recorded; in the first epoch of a training, reset."""
        if len(progress.history) == 1:
            self.best, self.waited = math.inf, 0
        if self.best == math.inf and not self.waited:
            for logs in progress.history[:-1]:
                if self.monitor in logs:
                    self.better(logs[self.monitor])

    def __call__(self, progress: Progress) -> bool:
        """Record the epoch's value, and return whether the training is to end."""
        self.follow(progress)
        self.better(_get_value(progress, self.monitor))
        return self.waited >= self.patience


@name_callback.register
def _(callback: EarlyStopping) -> str:
    options = f"{callback.monitor!r}, {callback.patience}" + (", largest=True" if callback.largest else "")
    return f"{type(callback).__qualname__}({options})"


@explain_construction
class BestCheckpoint:
    """Keep a checkpoint of the epoch in which a logged number was best.

    A resumed training continues with the best value from before, if the folder has its checkpoint.

    Args:
        folder: the folder of the checkpoint, for `restore`
        monitor: the name of the number in the logs
        largest: whether larger is better
    """

    def __init__(self, folder: str | PathLike[str], monitor: str = "val_loss", *, largest: bool = False) -> None:
        _expect("BestCheckpoint", folder=folder, monitor=monitor, largest=largest)
        self.folder, self._best = folder, EarlyStopping(monitor, largest=largest)

    def __call__(self, progress: Progress) -> None:
        """Save a checkpoint if the epoch is the best so far."""
        if len(progress.history) == 1 or any(Path(self.folder).glob("step_*.json")):
            self._best.follow(progress)
        if self._best.better(_get_value(progress, self._best.monitor)):
            from luxport import training

            training.save_checkpoint(self.folder, progress.state, keep=1)


@explain_construction
class _LogFile:
    """A callback that writes the logs of all epochs to a file, anew after each epoch."""

    def __init__(self, path: str | PathLike[str]) -> None:
        _expect(type(self).__name__, path=path)
        self.path = Path(path)

    def __call__(self, progress: Progress) -> None:
        """Write the file."""
        if not progress.writes():
            return
        rows = [{"epoch": i, **logs} for i, logs in enumerate(progress.history, start=1)]
        with open_atomic(self.path) as file:
            file.write(self._format(rows).encode())

    def _format(self, rows: list[dict[str, Any]]) -> str:
        """Return the text of the file, from a row for each epoch."""
        raise NotImplementedError


class CSVLog(_LogFile):
    """Write the logs of all epochs as a CSV table with a line for each epoch.

    Args:
        path: the file, which is overwritten
    """

    def _format(self, rows: list[dict[str, Any]]) -> str:
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, list(dict.fromkeys(["epoch", *[name for row in rows for name in row]])))
        writer.writeheader()
        writer.writerows(rows)
        return table.getvalue()


class JSONLog(_LogFile):
    """Write the logs of all epochs as JSON lines, one object for each epoch; numbers that are not finite become null.

    Args:
        path: the file, which is overwritten
    """

    def _format(self, rows: list[dict[str, Any]]) -> str:
        lines = [json.dumps({name: v if math.isfinite(v) else None for name, v in row.items()}) for row in rows]
        return "\n".join(lines) + "\n"


@explain_construction
class TensorBoardLog:
    """Write the logs of each epoch for TensorBoard, with tensorboardX or PyTorch's writer.

    Args:
        folder: the folder for ``tensorboard --logdir``

    Raises: ModuleNotFoundError if neither writer is installed
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        _expect("TensorBoardLog", folder=folder)
        self._folder, self._open = str(folder), _make_writer()
        self._writer: Any = None

    def __call__(self, progress: Progress) -> None:
        """Write the logs of the epoch."""
        if not progress.writes():
            return
        if self._writer is None:  # not created earlier, as a writer creates its file at once
            self._writer = self._open(self._folder)
        for name, value in progress.logs.items():
            self._writer.add_scalar(name, value, progress.epoch)
        self._writer.flush()


def _make_writer() -> Any:
    for module in ("tensorboardX", "torch.utils.tensorboard"):
        try:
            return importlib.import_module(module).SummaryWriter
        except ImportError:  # also where PyTorch is installed without TensorBoard
            continue
    raise ModuleNotFoundError(
        "TensorBoardLog expects a writer for TensorBoard, got none: pip install tensorboardX, or torch and tensorboard"
    )


_PATH = Rule("a path", lambda value, shape: isinstance(value, (str, PathLike)))
_RULES = {"folder": _PATH, "largest": FLAG, "monitor": TEXT, "path": _PATH, "patience": allow_count(1)}


def _expect(callback: str, **options: Any) -> None:
    try:
        expect_options(_RULES, options, None)
    except LayerError as error:
        error.place.culprit = callback
        raise


def _get_value(progress: Progress, name: str) -> float:
    if name not in progress.logs:
        raise ValueError(f"a callback expects {name} among the logs, got {', '.join(progress.logs)}")
    return progress.logs[name]
