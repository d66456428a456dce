"""How far a training has come, for its checkpoints: `Place`."""

from __future__ import annotations

from os import PathLike
from typing import Any

from luxport.training._data_loader import DataLoader
from luxport.training._state import TrainState

__all__ = ["Place"]


class Place:
    """How far a training has come; checkpoints keep it as they keep the position of a `DataLoader`."""

    def __init__(self, batches: Any) -> None:
        self.epochs, self.steps = 0, 0
        self.history: list[dict[str, float]] = []
        self.means: dict[str, tuple[float, int]] = {}
        self._loader = batches if isinstance(batches, DataLoader) else None
        self._unused = 0

    def note(self, epoch: int, steps: int, unused: int, sums: dict[str, tuple[float, int]] | None) -> None:
        """Note how far it is: after an epoch, or within it, with the sums so far and the batches still unused.

        Only a `DataLoader` goes on within an epoch; other data begin it again.
        """
        self.steps, self._unused = steps, unused
        self.epochs = epoch if sums is None else epoch - 1
        self.means = {} if sums is None or self._loader is None else sums

    def position(self) -> dict[str, Any]:
        """Return the place as JSON can keep it."""
        own = {} if self._loader is None else self._loader.position(self._unused)
        history = self.history[: self.epochs]
        return own | {"fit": {"epochs": self.epochs, "steps": self.steps, "history": history, "means": self.means}}

    def go_to(self, position: dict[str, Any]) -> None:
        """Take up the place that `position` told of."""
        told = position.get("fit", {})
        self.epochs, self.steps = told.get("epochs", 0), told.get("steps", 0)
        self.history = list(told.get("history", []))
        self.means = {name: (total, samples) for name, (total, samples) in told.get("means", {}).items()}
        if self._loader is not None:
            self._loader.go_to(position)

    def save(self, folder: str | PathLike[str], state: TrainState) -> None:
        """Write a checkpoint."""
        _training().save_checkpoint(folder, state, loader=self)

    def restore(self, folder: str | PathLike[str], state: TrainState) -> TrainState:
        """Go where the last checkpoint of a folder was, and return its state; stay if there is none."""
        try:
            return _training().restore(folder, state, loader=self)
        except FileNotFoundError:
            return state


def _training() -> Any:
    from luxport import training  # whose names are looked up when they are used

    return training
