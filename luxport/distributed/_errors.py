"""`DistributedError`, and the errors that several engines raise in the same words."""

from __future__ import annotations

from luxport.distributed._launch import World
from luxport.text import make_safe

__all__ = [
    "DistributedError",
    "find_first_line",
    "explain_use_in_program",
    "explain_absent",
    "explain_address",
    "explain_late",
]


class DistributedError(RuntimeError):
    """Processes cannot work together: no engine runs, a process is gone or hangs, or they make different calls."""


def explain_address(engine: str) -> DistributedError:
    """Return the error for processes that do not know the address of rank 0."""
    return DistributedError(f"the engine {engine} needs the address of rank 0: set MASTER_ADDR and MASTER_PORT")


def explain_late(engine: str, framework: str) -> DistributedError:
    """Return the error for an engine that was started after its framework was first used."""
    return DistributedError(f"initialize({engine!r}) comes before {framework}'s first array: call it first of all")


def explain_absent(engine: str, world: World, address: str, timeout: float, error: Exception) -> DistributedError:
    """Return the error for processes that did not connect in time."""
    return DistributedError(
        f"the engine {engine} on rank {world.rank} did not reach all of {world.size} processes at {address} "
        f"within {timeout:g} s: {find_first_line(error)}"
    )


def explain_use_in_program(engine: str) -> DistributedError:
    """Return the error for a collective operation inside a program that is being compiled."""
    return DistributedError(
        f"the engine {engine} moves arrays between programs, not inside one: use train_step with a state of "
        "distributed.data_parallel"
    )


def find_first_line(error: Exception) -> str:
    """Return the first line of an error's message, without TensorFlow's prefix with the name of an operation."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return make_safe(line.partition("}} ")[2] if line.startswith("{{") else line, 300)
