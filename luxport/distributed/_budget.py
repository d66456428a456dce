"""`Budget`: how a timeout is spent, so that the error comes within it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Budget"]


@dataclass(frozen=True)
class Budget:
    """Shares of a timeout: the most of it for waiting, the rest for finding out who is lost.

    Args:
        timeout: what the user gives: so many seconds after an operation began its error is there

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
        """How many seconds pass between two looks at whether another process has given up."""
        return min(0.5, 0.04 * self.timeout)

    @property
    def listening(self) -> float:
        """How long the first process that gives up listens for those that wait: a busy machine makes some slow."""
        return min(2.0, 0.2 * self.timeout)

    @property
    def ending(self) -> float:
        """How long an engine may take to give an operation up."""
        return min(0.5, 0.04 * self.timeout)
