"""`DistributedError`, and what all engines say alike."""

from __future__ import annotations

from luxport.distributed._launch import World
from luxport.text import safe_to_show

__all__ = [
    "DistributedError",
    "first_line",
    "inside_a_program",
    "met_not_all",
    "needs_a_place",
    "too_late",
]


class DistributedError(RuntimeError):
    """Processes cannot work together: none is started, one is gone or hangs, or they do not do the same."""


def needs_a_place(engine: str) -> DistributedError:
    """Return the error for processes that do not know where the first of them is."""
    return DistributedError(f"the engine {engine} needs the place of rank 0: set MASTER_ADDR and MASTER_PORT")


def too_late(engine: str, framework: str) -> DistributedError:
    """Return the error for an engine that can only start before anything else of its framework's."""
    return DistributedError(f"initialize({engine!r}) comes before {framework}'s first array: call it first of all")


def met_not_all(engine: str, world: World, address: str, timeout: float, error: Exception) -> DistributedError:
    """Return the error for processes that did not come."""
    return DistributedError(
        f"the engine {engine} on rank {world.rank} met not all of {world.size} processes at {address} "
        f"within {timeout:g} s: {first_line(error)}"
    )


def inside_a_program(engine: str) -> DistributedError:
    """Return the error for arrays without numbers, as they are while a program is being compiled."""
    return DistributedError(
        f"the engine {engine} moves arrays between programs, not inside one: take train_step with a state of "
        "distributed.data_parallel"
    )


def first_line(error: Exception) -> str:
    """Return what a framework says first, on one line, without the name of an operation that TensorFlow begins with."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return safe_to_show(line.partition("}} ")[2] if line.startswith("{{") else line, 300)
