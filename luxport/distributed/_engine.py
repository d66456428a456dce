"""`Engine`, the protocol of what moves arrays between processes, and `LocalEngine` for a single process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from luxport.backend import Array
from luxport.distributed._launch import World

__all__ = ["Engine", "LocalEngine", "OneProcess", "Overlap"]


class Engine(Protocol):
    """Moves arrays between processes; a backend with the capability "collectives" starts one."""

    @property
    def world(self) -> World:
        """This process's rank and the number of processes."""
        ...

    @property
    def backend(self) -> str | None:
        """The name of the backend whose arrays it moves; None for all backends."""
        ...

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """The errors that its operations raise if another process is gone or late."""
        ...

    def all_reduce(self, arrays: Sequence[Array], op: str) -> list[Array]:
        """Return new arrays, the same in every process: the "sum", "max" or "min" over all processes."""
        ...

    def broadcast(self, arrays: Sequence[Array], root: int) -> list[Array]:
        """Return new arrays, the same in every process: those of the process `root`."""
        ...

    def begin_agreeing(self, digest: bytes) -> Callable[[], bool]:
        """Send a digest of 24 bytes; return a function that waits and returns whether all processes sent the same."""
        ...

    def gather(self, row: bytes) -> list[bytes]:
        """Return the bytes of every process, by rank; they have the same length in all."""
        ...

    def mean(self, array: Array) -> Array:
        """Return the mean over all workers in each; also inside a parallel program, if the backend has those."""
        ...

    def find_overlap(self) -> Overlap | None:
        """Return the object that sums gradients during the backward pass, or None if the engine cannot."""
        ...

    def find_missing_ranks(self) -> list[int]:
        """Return the ranks that do not answer, after a failure."""
        ...

    @property
    def workers(self) -> int:
        """The number of batches in a step: one for each process, or for each device of a single process."""
        ...

    @property
    def late_failures(self) -> tuple[type[Exception], ...]:
        """The errors that a compiled step raises if it moves arrays itself."""
        ...

    def stop(self) -> None:
        """Disconnect from the other processes."""
        ...


class Overlap(Protocol):
    """Sums gradients over processes while the backward pass still computes others."""

    def watch(self, variables: list[Array], settle: Callable[[], float]) -> None:
        """Send the gradients of these as they are computed; call `settle` first, which returns their weight."""
        ...

    def finish_means(self, gradients: list[Array]) -> list[Array]:
        """Return the means of these gradients, which the backward pass returned, over all processes."""
        ...


class LocalEngine:
    """The engine of a single process, whose operations return their arguments."""

    world = World()
    backend: str | None = None
    failures: tuple[type[Exception], ...] = ()

    def all_reduce(self, arrays: Sequence[Array], op: str) -> list[Array]:
        """Return the arrays."""
        return list(arrays)

    def broadcast(self, arrays: Sequence[Array], root: int) -> list[Array]:
        """Return the arrays."""
        return list(arrays)

    def begin_agreeing(self, digest: bytes) -> Callable[[], bool]:
        """Return a function that returns True."""
        return lambda: True

    def gather(self, row: bytes) -> list[bytes]:
        """Return the one row."""
        return [row]

    def mean(self, array: Array) -> Array:
        """Return the array."""
        return array

    def find_overlap(self) -> Overlap | None:
        """Return None."""
        return None

    def find_missing_ranks(self) -> list[int]:
        """Return no ranks."""
        return []

    @property
    def workers(self) -> int:
        """The one process."""
        return 1

    @property
    def late_failures(self) -> tuple[type[Exception], ...]:
        """No errors."""
        return ()

    def stop(self) -> None:
        """Do nothing."""


class OneProcess(LocalEngine):
    """A single process in place of the engine of one backend, whose arrays alone it accepts."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
