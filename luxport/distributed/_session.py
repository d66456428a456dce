"""`initialize`, `shutdown` and the functions in between that read the running session, such as `rank`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from luxport.backend import can, default_backend, get_backend, require
from luxport.backend.option_rules import is_number
from luxport.call_arguments import explain_call_errors
from luxport.distributed._engine import Engine, LocalEngine, OneProcess
from luxport.distributed._errors import DistributedError
from luxport.distributed._launch import World, read_world
from luxport.distributed._shared_step import SharedStep
from luxport.text import show

__all__ = [
    "Session",
    "get_world",
    "require_session",
    "initialize",
    "initialized",
    "local_rank",
    "rank",
    "shutdown",
    "total_workers",
]


@dataclass(frozen=True)
class Session:
    """A running engine with its name, this process's rank, and the state of the current step."""

    name: str
    engine: Engine
    world: World
    timeout: float
    process: int = field(default_factory=os.getpid)
    step: SharedStep = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", SharedStep(self.world))


ENGINES = ("auto", "jax", "torch", "tf", "mpi", "local")


_OWNERS = {"mpi": "numpy"}
"""The backends that start engines with other names than their own."""


DEFAULT_TIMEOUT = 300.0


_session: Session | None = None


@explain_call_errors
def initialize(engine: str = "auto", *, timeout: float = DEFAULT_TIMEOUT) -> None:
    """Connect to the processes that were started together with this one; call it once, before the first array.

    Each process reads its rank from the variables that torchrun, mpiexec or srun set, or from RANK, WORLD_SIZE,
    MASTER_ADDR and MASTER_PORT. Without these there is one process, with the engine "local".

    Args:
        engine: "jax", "torch", "tf" (their own engines, for their own arrays), "mpi" (mpi4py, for arrays of every
            backend, through the host), "local" (one process), or "auto": the default backend's, else MPI if mpiexec or
            srun started the processes, else PyTorch's
        timeout: the number of seconds after which an operation that waits for a process raises a `DistributedError`

    Raises: ValueError for another name, or a timeout that is not positive; DistributedError if another engine is
            already running, or this one with another timeout, if processes do not connect within the timeout, or if the
            engine finds fewer processes than were started; BackendNotFoundError if it is not installed
    Source: Lux.jl ``DistributedUtils.initialize``

    >>> initialize("local")
    >>> rank(), total_workers()
    (0, 1)
    >>> shutdown()
    """
    global _session
    if engine not in ENGINES:
        raise ValueError(f"initialize expects an engine among {', '.join(ENGINES)}, got {show(engine)}")
    if not is_number(timeout) or not 0 < timeout < 1e6:
        raise ValueError(f"initialize expects a positive number of seconds as timeout, got {show(timeout)}")
    world = read_world(os.environ)
    name = _choose_engine(world) if engine == "auto" else engine
    if _session is not None:
        _expect_own_process("initialize", _session)
        if name == _session.name and timeout in (_session.timeout, DEFAULT_TIMEOUT):
            return
        if name == _session.name:
            raise DistributedError(
                f"initialize({name!r}, timeout={timeout:g}) comes after initialize({name!r}, "
                f"timeout={_session.timeout:g}): one timeout at a time, shutdown() first"
            )
        raise DistributedError(
            f"initialize({name!r}) comes after initialize({_session.name!r}): one engine at a time, shutdown() first"
        )
    if name == "local" and world.size > 1:
        raise DistributedError(
            f"the engine local is one process, and {world.launcher} started {world.size}: "
            "name an engine of several, such as initialize('torch'), or start one process"
        )
    if name == "local" or (world.size == 1 and name not in _OWNERS):
        # One process needs no communication for any backend's arrays, but the framework must be installed.
        started: Engine = LocalEngine() if name == "local" else _start_alone(require_engine(name))
    else:
        started = require_engine(name).start_collectives(world, float(timeout))
    _session = Session(name, started, started.world, float(timeout))


def _start_alone(backend: Any) -> Engine:
    return backend.start_devices() if can(backend, "parallel program") else OneProcess(backend.name)


def require_engine(name: str) -> Any:
    """Return the backend that starts an engine."""
    return require(get_backend(_OWNERS.get(name, name)), "collectives")


def _choose_engine(world: World) -> str:
    if world.size == 1:
        return "local"
    backend = default_backend()
    if backend.name not in _OWNERS.values() and can(backend, "collectives"):
        return backend.name
    return "torch" if world.launcher.startswith("torchrun") else "mpi"


@explain_call_errors
def initialized() -> bool:
    """Return whether an engine is running.

    Source: Lux.jl ``DistributedUtils.initialized``

    >>> initialized()
    False
    """
    return _session is not None


def require_session(caller: str) -> Session:
    """Return the running session.

    Raises: DistributedError if there is none, or if it belongs to the process that this one was forked from
    """
    session = _get_session(caller)
    _expect_own_process(caller, session)
    return session


def get_world(caller: str) -> World:
    """Return the rank of this process and the number of processes; a forked process has those of its parent.

    Raises: DistributedError if no engine was started
    """
    return _get_session(caller).world


def _get_session(caller: str) -> Session:
    if _session is None:
        raise DistributedError(f"{caller} needs a running engine: call luxport.distributed.initialize() first")
    return _session


def _expect_own_process(caller: str, session: Session) -> None:
    if session.process != os.getpid():
        raise DistributedError(
            f"{caller} in a process that was forked from rank {session.world.rank}, whose engine is not "
            "available here: call it in the parent process, and pass on what it returns"
        )


@explain_call_errors
def rank() -> int:
    """Return the number of this process among all, from 0.

    Raises: DistributedError before `initialize`
    """
    return get_world("rank").rank


@explain_call_errors
def local_rank() -> int:
    """Return the number of this process among those on its host, from 0, by which it chooses one of the host's devices.

    Raises: DistributedError before `initialize`
    Source: Lux.jl ``DistributedUtils.local_rank``, which is `rank` here
    """
    return get_world("local_rank").local_rank


@explain_call_errors
def total_workers() -> int:
    """Return the number of processes.

    Raises: DistributedError before `initialize`
    Source: Lux.jl ``DistributedUtils.total_workers``
    """
    return get_world("total_workers").size


@explain_call_errors
def shutdown() -> None:
    """Disconnect from the other processes, after which another engine may be started; do nothing without an engine."""
    global _session
    session, _session = _session, None
    if session is not None and session.process == os.getpid():
        session.engine.stop()
