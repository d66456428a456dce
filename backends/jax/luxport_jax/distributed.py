"""The engine `jax`: programs over several processes with `jax.distributed`, by gloo on the CPU, NCCL on GPUs."""

from __future__ import annotations

import atexit
import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import jax
import jax.core
import numpy as np
from jax._src.xla_bridge import backends_are_initialized  # as `jax.distributed.initialize` checks
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from luxport.distributed._alarm import Alarm, ask_store, find_silent_ranks
from luxport.distributed._budget import Budget
from luxport.distributed._errors import (
    DistributedError,
    explain_absent,
    explain_address,
    explain_late,
    explain_use_in_program,
    find_first_line,
)
from luxport.distributed._launch import World
from luxport.distributed._lifeline import Lifeline
from luxport.distributed._meeting import meet
from luxport.distributed._process_tree import ProcessTree
from luxport.distributed._stored_rows import StoredRows
from luxport.distributed._sums import compute_weighted_means
from luxport_jax.parallel import (
    WORKERS,
    call_connected,
    do_work,
    do_work_of_worker,
    list_first_devices,
    take_mean_inside,
)
from luxport_jax.patience import Patience

__all__ = ["JaxEngine", "start_collectives"]


def start_collectives(world: World, timeout: float) -> JaxEngine:
    """Start `jax.distributed` together with the other processes.

    Raises: DistributedError if other processes are missing, or if JAX has arrays already
    """
    if not world.address:
        raise explain_address("jax")
    if backends_are_initialized():
        raise explain_late("jax", "JAX")
    connections: list[Any] = []
    try:
        world = replace(world, address=meet(world, timeout, kept=connections)[0])
        with _restore_sigterm():
            jax.distributed.initialize(
                world.address,
                world.size,
                world.rank,
                local_device_ids=[world.local_rank],
                initialization_timeout=math.ceil(timeout),
                heartbeat_timeout_seconds=_compute_patience(timeout),
                shutdown_timeout_seconds=math.ceil(min(timeout, 10.0)),
            )
    except (RuntimeError, ValueError, OSError) as error:
        raise explain_absent("jax", world, world.address, timeout, error) from error
    lifeline = Lifeline(world, connections, "JAX's service ended with it, and ends this process")
    return JaxEngine(world, timeout, lifeline)


@contextmanager
def _restore_sigterm() -> Iterator[None]:
    """Keep JAX from handling SIGTERM as a notice of preemption, which would keep the process running."""
    name = "jax_enable_preemption_service"
    before = getattr(jax.config, name)
    jax.config.update(name, False)
    try:
        yield
    finally:
        jax.config.update(name, before)


SIGNS_OF_LIFE = 10
"""The seconds without a heartbeat of another process after which JAX ends this one, naming the other."""


def _compute_patience(timeout: float) -> int:
    """Return JAX's heartbeat timeout: the seconds after which it ends this process (half, if rank 0 is lost).

    luxport's own error, which can be caught, must come first, so short timeouts get a longer heartbeat timeout.
    """
    return SIGNS_OF_LIFE if timeout > 0.8 * SIGNS_OF_LIFE else math.ceil(20 + 2 * timeout)


class JaxEngine:
    """Collectives as programs over a mesh of one device of each process."""

    backend: str | None = "jax"
    failures: tuple[type[Exception], ...] = (jax.errors.JaxRuntimeError, TimeoutError, ConnectionError)

    def __init__(self, world: World, timeout: float, lifeline: Lifeline) -> None:
        from jax._src.distributed import global_state  # the client made by `initialize`

        self.world, self.timeout, self.workers = world, timeout, world.size
        self.late_failures = self.failures
        self._client: Any = global_state.client
        self._lifeline = lifeline
        self._lost = False
        client = self._client
        budget = Budget(timeout)
        self._alarm = Alarm(
            world,
            budget,
            "luxport",
            self._put,
            lambda key: _is_there(client, key),
            self._get,
            (jax.errors.JaxRuntimeError,),
        )
        self._rows = StoredRows(
            world, budget, "luxport", client.key_value_set_bytes, self._get_row, client.key_value_delete
        )
        self._tree = ProcessTree(self._rows, self._alarm.is_raised)
        self.patience = Patience(budget, lambda: self._alarm.is_raised() or self._tree.has_lost_process())
        firsts = list_first_devices(world)
        self._own = firsts[world.rank]
        self._mesh = Mesh(np.array(firsts), (WORKERS,))
        # Arrays are not joined into buckets: JAX is slow at that, and its compiler joins messages itself.
        replicated = NamedSharding(self._mesh, PartitionSpec())
        self._programs = {
            op: jax.jit(self._combine(combine))
            for op, combine in {"sum": jax.lax.psum, "max": jax.lax.pmax, "min": jax.lax.pmin}.items()
        }
        self._from = jax.jit(
            lambda xs, number, root: ([x[root] for x in xs], do_work(number)),
            static_argnums=2,
            out_shardings=replicated,
        )
        self._with_axis = jax.jit(lambda xs: [x[None] for x in xs])
        atexit.register(self._tell_at_the_end)

    def _combine(self, combine: Callable[[Any, str], Any]) -> Callable[[Any, Any], Any]:
        """Return the program that reduces sharded arrays, given as parts or as rows (see `all_reduce`)."""

        def inside(parts: list[Any], rows: list[Any]) -> Any:
            return [combine(x, WORKERS) for x in parts], [combine(x[0], WORKERS) for x in rows], do_work_of_worker()

        spread, whole = PartitionSpec(WORKERS), PartitionSpec()
        return jax.shard_map(inside, mesh=self._mesh, in_specs=spread, out_specs=whole, check_vma=False)

    def all_reduce(self, arrays: Sequence[Any], op: str) -> list[Any]:
        """Reduce all arrays in one program."""
        # The processes' arrays are parts of one, sharded along the first axis; scalars and empty ones get a new axis.
        as_parts = [bool(array.ndim and array.size) for array in arrays]
        parts = self._spread_over_processes([array for array, as_part in zip(arrays, as_parts, strict=True) if as_part])
        rows = self._spread_rows([array for array, as_part in zip(arrays, as_parts, strict=True) if not as_part])
        of_parts, of_rows, _ = call_connected(self._programs[op], parts, rows)
        found = iter(of_parts), iter(of_rows)
        return self._move_home([next(found[not as_part]) for as_part in as_parts], arrays)

    def broadcast(self, arrays: Sequence[Any], root: int) -> list[Any]:
        """Send all arrays in one program."""
        return self._move_home(call_connected(self._from, self._spread_rows(arrays), np.float32(root), root)[0], arrays)

    def begin_agreeing(self, digest: bytes) -> Callable[[], bool]:
        """Compare the digests at once; return a function that returns whether all are equal."""
        same = self._tree.agree(digest)
        return lambda: same

    def gather(self, row: bytes) -> list[bytes]:
        """Return the rows of all processes, exchanged in rank 0's store: its error names a late process."""
        return self._rows.gather(row)

    def mean(self, array: Any) -> Any:
        """Return the mean of an array over processes, or over workers inside a program of workers."""
        if isinstance(array, jax.core.Tracer):
            return take_mean_inside(array)
        return compute_weighted_means(self.all_reduce, [array], self.world.size)[0]

    def find_overlap(self) -> None:
        """Return None: the compiler overlaps communication with computation by itself."""

    def find_missing_ranks(self) -> list[int]:
        """Return the ranks that do not answer through the store."""
        self._lost = True
        return self._lifeline.note_missing(self._alarm.find_missing_ranks())

    def stop(self) -> None:
        """Shut `jax.distributed` down.

        JAX's shutdown waits for all processes, and ends this one if another is lost, so it is called only if all leave.

        Raises: DistributedError if others do not leave, unless their loss was reported before
        """
        atexit.unregister(self._tell_at_the_end)
        self._lifeline.end()
        self._tree.close()
        self.patience.end()
        seconds = min(self.timeout, 10.0)
        missing = self._leave(seconds / 2 if self._lost else seconds)
        if missing and self._lost:
            return
        if missing:
            who = f"rank {', '.join(map(str, missing))}"
            raise DistributedError(
                f"shutdown on rank {self.world.rank} of {self.world.size} lost another process: {who} ended, or did "
                f"not come within {seconds:g} s"
            )
        try:
            jax.distributed.shutdown()
        except RuntimeError as error:
            raise DistributedError(f"shutdown lost another process: {find_first_line(error)}") from error

    def _leave(self, seconds: float) -> list[int]:
        """Announce in the store that this process leaves; return the ranks that do not, which rank 0 determines."""
        # Other ranks wait longer, because rank 0 may come late, and then waits for them.
        longest = seconds if self.world.rank == 0 else 2 * seconds + 1

        def ask() -> list[int]:
            self._put(f"luxport/left/{self.world.rank}", "1")
            if self.world.rank:
                return json.loads(self._get("luxport/left/without", longest))
            found = find_silent_ranks(self.world, lambda rank, s: self._get(f"luxport/left/{rank}", s), longest)
            self._put("luxport/left/without", json.dumps(found))
            return found

        failures = (jax.errors.JaxRuntimeError, TimeoutError)
        return ask_store(ask, failures, 1 + longest + 0.1 * self.world.size)

    def _tell_at_the_end(self) -> None:
        """Announce at exit that this process leaves, if `stop` was not called; JAX itself waits for the others."""
        if self._lost:
            return
        with suppress(jax.errors.JaxRuntimeError):
            self._put(f"luxport/left/{self.world.rank}", "1")
            if self.world.rank == 0:
                self._put("luxport/left/without", "[]")

    def _put(self, key: str, text: str) -> bool:
        try:
            self._client.key_value_set(key, text)
        except jax.errors.JaxRuntimeError as error:
            if "ALREADY_EXISTS" not in str(error):
                raise
            return False
        return True

    def _get(self, key: str, seconds: float) -> str:
        try:
            return self._client.blocking_key_value_get(key, int(1000 * seconds))
        except jax.errors.JaxRuntimeError as error:
            if "DEADLINE_EXCEEDED" not in str(error):
                raise
            raise TimeoutError(find_first_line(error)) from error

    def _get_row(self, key: str, milliseconds: int, rank: int) -> bytes:
        try:
            return self._client.blocking_key_value_get_bytes(key, milliseconds)
        except jax.errors.JaxRuntimeError as error:
            raise TimeoutError(f"nothing came from rank {rank}: {str(error).splitlines()[0][:150]}") from error

    def _spread_over_processes(self, arrays: Sequence[Any]) -> list[Any]:
        """Return arrays sharded over processes along the first axis; the given ones are this process's parts."""
        if any([isinstance(array, jax.core.Tracer) for array in arrays]):
            raise explain_use_in_program("jax")
        sharding = NamedSharding(self._mesh, PartitionSpec(WORKERS))
        return [
            jax.make_array_from_single_device_arrays((self.world.size * one.shape[0], *one.shape[1:]), sharding, [one])
            for one in jax.device_put(list(arrays), self._own)
        ]

    def _spread_rows(self, arrays: Sequence[Any]) -> list[Any]:
        """Return arrays sharded over processes along a new first axis; the given ones are this process's rows."""
        if any([isinstance(array, jax.core.Tracer) for array in arrays]):
            raise explain_use_in_program("jax")
        return self._spread_over_processes(self._with_axis(jax.device_put(list(arrays), self._own))) if arrays else []

    def _move_home(self, arrays: Sequence[Any], like: Sequence[Any]) -> list[Any]:
        own = [array.addressable_data(0) for array in arrays]
        self.patience.wait(own)  # raises an error if another process is lost
        return [
            one if old.devices() == one.devices() else jax.device_put(one, old.sharding)
            for one, old in zip(own, like, strict=True)
        ]


def _is_there(client: Any, key: str) -> bool:
    try:
        client.key_value_try_get(key)
    except jax.errors.JaxRuntimeError as error:
        if "NOT_FOUND" not in str(error):
            raise
        return False
    return True
