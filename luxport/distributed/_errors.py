"""`DistributedError`, and what all engines say alike."""

from __future__ import annotations

from luxport.distributed._launch import World
from luxport.text import make_safe

__all__ = [
    "DistributedError",
    "find_first_line",
    "explain_program",
    "explain_absence",
    "needs_a_place",
    "explain_late",
]


class DistributedError(RuntimeError):
    """Processes cannot work together: none is started, one is gone or hangs, or they do not do the same."""


def needs_a_place(engine: str) -> DistributedError:
    """Return the error for processes that do not know where the first of them is."""
    return DistributedError(f"the engine {engine} needs the place of rank 0: set MASTER_ADDR and MASTER_PORT")


def explain_late(engine: str, framework: str) -> DistributedError:
    """Return the error for an engine that can only start before anything else of its framework's."""
    return DistributedError(f"initialize({engine!r}) comes before {framework}'s first array: call it first of all")


def explain_absence(engine: str, world: World, address: str, timeout: float, error: Exception) -> DistributedError:
    """Return the error for processes that did not come."""
    return DistributedError(
        f"the engine {engine} on rank {world.rank} met not all of {world.size} processes at {address} "
        f"within {timeout:g} s: {find_first_line(error)}"
    )


def explain_program(engine: str) -> DistributedError:
    """Return the error for arrays without numbers, as they are while a program is being compiled."""
    return DistributedError(
        f"the engine {engine} moves arrays between programs, not inside one: take train_step with a state of "
        "distributed.data_parallel"
    )


def find_first_line(error: Exception) -> str:
    """Return what a framework says first, on one line, without the name of an operation that TensorFlow begins with."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return make_safe(line.partition("}} ")[2] if line.startswith("{{") else line, 300)
