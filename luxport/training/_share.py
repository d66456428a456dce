"""`Share`: the interface by which a `DataLoader` reads data that are divided between processes."""

from __future__ import annotations

from abc import ABC, abstractmethod

from luxport import tree

__all__ = ["Share"]


class Share(ABC):
    """Data that are divided between several processes, such as `luxport.distributed.DistributedDataContainer`."""

    whole: tree.Tree
    """The data of all processes: an array, or a tree of arrays with one first size."""
    part: int
    """The number of this process, from 0."""
    parts: int
    """How many processes there are."""

    @abstractmethod
    def exchange(self, text: str) -> list[str]:
        """Return the texts of all processes, by their numbers."""
