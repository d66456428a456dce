"""What moves arrays between processes: `Engine`, and `LocalEngine` for a process that is alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from luxport.backend import Array
from luxport.distributed._launch import World

__all__ = ["Engine", "LocalEngine", "OneProcess", "Overlap"]


class Engine(Protocol):
    """What moves arrays between processes: a backend with the capability "collectives" starts one."""

    @property
    def world(self) -> World:
        """The place of this process."""
        ...

    @property
    def backend(self) -> str | None:
        """Whose arrays it moves; None for those of every backend."""
        ...

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What it raises where another process is gone or late."""
        ...

    def all_reduce(self, arrays: Sequence[Array], op: str) -> list[Array]:
        """Return new arrays, the same in every process: the "sum", "max" or "min" over all processes."""
        ...

    def broadcast(self, arrays: Sequence[Array], root: int) -> list[Array]:
        """Return new arrays, the same in every process: those of the process `root`."""
        ...

    def begin_agreeing(self, digest: bytes) -> Callable[[], bool]:
        """Begin to ask whether every process asks with the same 24 bytes, and return what waits for the answer."""
        ...

    def gather(self, row: bytes) -> list[bytes]:
        """Return the bytes of every process, of one length in all of them, by rank."""
        ...

    def mean(self, array: Array) -> Array:
        """Return in every worker the mean over all; inside a parallel program too, where the backend has those."""
        ...

    def overlapping(self) -> Overlap | None:
        """Return what adds gradients up while others are computed; None if nothing does."""
        ...

    def missing(self) -> list[int]:
        """Return the ranks that do not answer, after a failure."""
        ...

    @property
    def workers(self) -> int:
        """How many batches a step has: one of each process's, or of each device's of one process."""
        ...

    @property
    def late_failures(self) -> tuple[type[Exception], ...]:
        """What a compiled step raises where it moves arrays itself."""
        ...

    def stop(self) -> None:
        """Leave the others."""
        ...


class Overlap(Protocol):
    """What adds gradients up while others are computed."""

    def watch(self, variables: list[Array], settle: Callable[[], float]) -> None:
        """Take the gradients of these as they come; before anything is sent, settle, which returns their weight."""
        ...

    def arrived(self, gradients: list[Array]) -> list[Array]:
        """Return the means of these, which the backward pass returned."""
        ...


class LocalEngine:
    """The engine of one process: what it would bring from others is there already."""

    world = World()
    backend: str | None = None
    failures: tuple[type[Exception], ...] = ()

    def all_reduce(self, arrays: Sequence[Array], op: str) -> list[Array]:
        """Return them."""
        return list(arrays)

    def broadcast(self, arrays: Sequence[Array], root: int) -> list[Array]:
        """Return them."""
        return list(arrays)

    def begin_agreeing(self, digest: bytes) -> Callable[[], bool]:
        """Agree."""
        return lambda: True

    def gather(self, row: bytes) -> list[bytes]:
        """Return the one."""
        return [row]

    def mean(self, array: Array) -> Array:
        """Return it."""
        return array

    def overlapping(self) -> Overlap | None:
        """Return nothing."""
        return None

    def missing(self) -> list[int]:
        """Miss nobody."""
        return []

    @property
    def workers(self) -> int:
        """Say 1."""
        return 1

    @property
    def late_failures(self) -> tuple[type[Exception], ...]:
        """Name none."""
        return ()

    def stop(self) -> None:
        """Do nothing."""


class OneProcess(LocalEngine):
    def __init__(self, backend: str) -> None:
        self.backend = backend
