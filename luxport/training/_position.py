"""`Position`: how far a training has come, which its checkpoints store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import singledispatch
from os import PathLike
from typing import Any

from luxport.training._data_loader import DataLoader
from luxport.training._state import TrainState

__all__ = ["Position", "name_callback"]


class Position:
    """How far a training has come; `save_checkpoint` stores it through the interface of a `DataLoader`."""

    def __init__(self, batches: Any) -> None:
        self.epochs, self.steps = 0, 0
        self.history: list[dict[str, float]] = []
        self.means: dict[str, tuple[float, int]] = {}
        self._loader = batches if isinstance(batches, DataLoader) else None
        self._unused = 0
        self._ended_by: list[str] = []

    def note(self, epoch: int, steps: int, unused: int, sums: dict[str, tuple[float, int]] | None) -> None:
        """Record the position after an epoch (`sums` is None) or within it, with the batches loaded but unused.

        A resumed training continues within an epoch only with a `DataLoader`; other data start the epoch again.
        """
        self.steps, self._unused, self._ended_by = steps, unused, []
        self.epochs = epoch if sums is None else epoch - 1
        self.means = {} if sums is None or self._loader is None else sums

    def end(self, callbacks: Sequence[Callable[..., Any]]) -> None:
        """Record which callbacks have ended the training."""
        self._ended_by = [name_callback(callback) for callback in callbacks]

    def ended_by(self, callbacks: Sequence[Callable[..., Any]]) -> list[str]:
        """Return which of these callbacks had ended the training when it was saved."""
        names = [name_callback(callback) for callback in callbacks]
        return [name for name in self._ended_by if name in names]

    def position(self) -> dict[str, Any]:
        """Return the position as a dict for JSON."""
        own = {} if self._loader is None else self._loader.position(self._unused)
        history = self.history[: self.epochs]
        saved = {"epochs": self.epochs, "steps": self.steps, "history": history, "means": self.means}
        return own | {"fit": saved | ({"ended_by": self._ended_by} if self._ended_by else {})}

    def go_to(self, position: dict[str, Any]) -> None:
        """Continue from a position that `position` returned."""
        saved = position.get("fit", {})
        self.epochs, self.steps = saved.get("epochs", 0), saved.get("steps", 0)
        self.history, self._ended_by = list(saved.get("history", [])), list(saved.get("ended_by", []))
        self.means = {name: (total, samples) for name, (total, samples) in saved.get("means", {}).items()}
        if self._loader is not None:
            self._loader.go_to(position)

    def save(self, folder: str | PathLike[str], state: TrainState) -> None:
        """Write a checkpoint of a state with this position."""
        _import_training().save_checkpoint(folder, state, loader=self)

    def restore(self, folder: str | PathLike[str], state: TrainState) -> TrainState:
        """Go to the position of a folder's last checkpoint and return its state; return `state` if there is none."""
        try:
            return _import_training().restore(folder, state, loader=self)
        except FileNotFoundError:
            return state


@singledispatch
def name_callback(callback: Any) -> str:
    """Return the name by which a callback is recognized when a training is resumed."""
    return str(getattr(callback, "__qualname__", type(callback).__qualname__))


def _import_training() -> Any:
    from luxport import training  # imported here as the package's names are loaded lazily, after this module

    return training
