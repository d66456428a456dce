"""`Budget`: how a timeout is divided between waiting and finding the missing processes."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Budget"]


@dataclass(frozen=True)
class Budget:
    """Parts of a timeout: most of it for waiting, the rest for finding out which processes are missing.

    Args:
        timeout: the user's limit: the number of seconds from the start of an operation to its error

    >>> Budget(300.0).waiting, round(Budget(5.0).waiting, 2)
    (296.5, 3.4)
    """

    timeout: float

    @property
    def waiting(self) -> float:
        """How many seconds an operation waits for the other processes."""
        return self.timeout - self.listening - 2 * self.look - self.ending

    @property
    def look(self) -> float:
        """How many seconds pass between two checks whether another process has given up."""
        return min(0.5, 0.04 * self.timeout)

    @property
    def listening(self) -> float:
        """How long the first process that gives up waits for answers of the others, which a busy machine may delay."""
        return min(2.0, 0.2 * self.timeout)

    @property
    def ending(self) -> float:
        """How long an engine may take to cancel an operation."""
        return min(0.5, 0.04 * self.timeout)
