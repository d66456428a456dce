"""How far a training has come, for its checkpoints: `Place`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import singledispatch
from os import PathLike
from typing import Any

from luxport.training._data_loader import DataLoader
from luxport.training._state import TrainState

__all__ = ["Place", "name_of"]


class Place:
    """How far a training has come; checkpoints keep it as they keep the position of a `DataLoader`."""

    def __init__(self, batches: Any) -> None:
        self.epochs, self.steps = 0, 0
        self.history: list[dict[str, float]] = []
        self.means: dict[str, tuple[float, int]] = {}
        self._loader = batches if isinstance(batches, DataLoader) else None
        self._unused = 0
        self._ended_by: list[str] = []

    def note(self, epoch: int, steps: int, unused: int, sums: dict[str, tuple[float, int]] | None) -> None:
        """Note how far it is: after an epoch, or within it, with the sums so far and the batches still unused.

        Only a `DataLoader` goes on within an epoch; other data begin it again.
        """
        self.steps, self._unused, self._ended_by = steps, unused, []
        self.epochs = epoch if sums is None else epoch - 1
        self.means = {} if sums is None or self._loader is None else sums

    def end(self, callbacks: Sequence[Callable[..., Any]]) -> None:
        """Note which callbacks have ended the training."""
        self._ended_by = [name_of(callback) for callback in callbacks]

    def ended_by(self, callbacks: Sequence[Callable[..., Any]]) -> list[str]:
        """Return which of these had ended the training when it was saved: they would have nothing new to see."""
        names = [name_of(callback) for callback in callbacks]
        return [name for name in self._ended_by if name in names]

    def position(self) -> dict[str, Any]:
        """Return the place as JSON can keep it."""
        own = {} if self._loader is None else self._loader.position(self._unused)
        history = self.history[: self.epochs]
        told = {"epochs": self.epochs, "steps": self.steps, "history": history, "means": self.means}
        return own | {"fit": told | ({"ended_by": self._ended_by} if self._ended_by else {})}

    def go_to(self, position: dict[str, Any]) -> None:
        """Take up the place that `position` told of."""
        told = position.get("fit", {})
        self.epochs, self.steps = told.get("epochs", 0), told.get("steps", 0)
        self.history, self._ended_by = list(told.get("history", [])), list(told.get("ended_by", []))
        self.means = {name: (total, samples) for name, (total, samples) in told.get("means", {}).items()}
        if self._loader is not None:
            self._loader.go_to(position)

    def save(self, folder: str | PathLike[str], state: TrainState) -> None:
        """Write a checkpoint."""
        _import_training().save_checkpoint(folder, state, loader=self)

    def restore(self, folder: str | PathLike[str], state: TrainState) -> TrainState:
        """Go where the last checkpoint of a folder was, and return its state; stay if there is none."""
        try:
            return _import_training().restore(folder, state, loader=self)
        except FileNotFoundError:
            return state


@singledispatch
def name_of(callback: Any) -> str:
    """Return by what name a callback is known when a training is resumed."""
    return str(getattr(callback, "__qualname__", type(callback).__qualname__))


def _import_training() -> Any:
    from luxport import training  # whose names are looked up when they are used

    return training
