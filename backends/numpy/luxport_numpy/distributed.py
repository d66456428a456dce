"""MPI, by mpi4py: the engine for arrays of every backend, which it copies to the host and back."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from luxport.backend import backend_of
from luxport.distributed._budget import Budget
from luxport.distributed._errors import DistributedError, explain_use_in_program
from luxport.distributed._launch import World
from luxport.distributed._stored_rows import are_all_the_same, convert_digest
from luxport.distributed._sums import compute_weighted_means
from luxport.errors import BackendNotFoundError

__all__ = ["MPIEngine", "start_collectives"]


def start_collectives(world: World, timeout: float) -> MPIEngine:
    """Join MPI's processes.

    Raises: BackendNotFoundError without mpi4py; DistributedError if MPI sees other processes than were started
    """
    try:
        from mpi4py import MPI  # type: ignore[import-not-found]
    except (ImportError, RuntimeError) as error:  # the second one where there is no MPI
        raise BackendNotFoundError(
            f"the engine mpi needs mpi4py and an MPI: pip install mpi4py mpich ({str(error).splitlines()[0][:200]})",
            name="mpi4py",
        ) from None
    comm: Any = MPI.COMM_WORLD
    if world.launcher == "nothing":
        world = World(comm.rank, comm.Split_type(MPI.COMM_TYPE_SHARED).rank, comm.size, "MPI")
    elif (comm.rank, comm.size) != (world.rank, world.size):
        library = " ".join(MPI.Get_library_version().splitlines()[0].partition(",")[0].split())
        raise DistributedError(
            f"the engine mpi is rank {comm.rank} of {comm.size}, and {world.launcher} started rank {world.rank} of "
            f"{world.size}: start it by the mpiexec of mpi4py's MPI, {library}"
        )
    return MPIEngine(MPI, world, Budget(timeout))


class MPIEngine:
    """The communicator of all processes."""

    backend: str | None = None
    failures: tuple[type[Exception], ...]
    late_failures: tuple[type[Exception], ...]

    def __init__(self, mpi: Any, world: World, budget: Budget) -> None:
        self.mpi, self.world, self._budget = mpi, world, budget
        self.workers, self.late_failures = world.size, ()
        self.comm: Any = mpi.COMM_WORLD.Dup()  # so that a program's own messages are not in the way
        self.failures = (mpi.Exception, TimeoutError)
        # MPI's own handler at exit runs later, and waits for the other processes without telling them anything.
        atexit.register(self._say_that_it_leaves)

    def all_reduce(self, arrays: Sequence[Any], op: str) -> list[Any]:
        """Reduce small arrays of one dtype as one."""
        chosen = {"sum": self.mpi.SUM, "max": self.mpi.MAX, "min": self.mpi.MIN}[op]

        def whole(sent: Any) -> Any:
            received = np.empty_like(sent)
            self._wait(self.comm.Iallreduce(sent, received, chosen))
            return received

        return _combine_by_dtype(arrays, whole)

    def broadcast(self, arrays: Sequence[Any], root: int) -> list[Any]:
        """Send small arrays of one dtype as one."""

        def whole(sent: Any) -> Any:
            moved = np.array(sent)  # which may be the given one
            self._wait(self.comm.Ibcast(moved, root))
            return moved

        return _combine_by_dtype(arrays, whole)

    def begin_agreeing(self, digest: bytes) -> Callable[[], bool]:
        """Begin with the largest of all digests, and of their opposites."""
        own = np.array(convert_digest(digest), np.int64)
        largest = np.empty_like(own)
        request = self.comm.Iallreduce(own, largest, self.mpi.MAX)

        def wait() -> bool:
            self._wait(request)
            return are_all_the_same(largest.tolist())

        return wait

    def gather(self, row: bytes) -> list[bytes]:
        """Gather the rows of all."""
        rows = np.empty((self.world.size, len(row)), np.uint8)
        self._wait(self.comm.Iallgather(np.frombuffer(row, np.uint8), rows))
        return [one.tobytes() for one in rows]

    def mean(self, array: Any) -> Any:
        """Take the mean between programs."""
        return compute_weighted_means(self.all_reduce, [array], self.world.size)[0]

    def find_overlap(self) -> None:
        """Return None: MPI adds no gradients up while others are computed."""

    def find_missing_ranks(self) -> list[int]:
        """Say to everyone that this process is there, and see who else does so soon."""
        others = [rank for rank in range(self.world.size) if rank != self.world.rank]
        said = [self.comm.Isend(np.zeros(1, np.uint8), rank, _THERE) for rank in others]
        heard = {rank: self.comm.Irecv(np.zeros(1, np.uint8), rank, _THERE) for rank in others}
        deadline = time.monotonic() + self._budget.listening
        missing = others
        while missing and time.monotonic() < deadline:
            missing = [rank for rank in missing if not heard[rank].Test()]
            _ = [one.Test() for one in said]
            time.sleep(1e-3)
        return missing

    def _say_that_it_leaves(self) -> None:
        for rank in range(self.world.size):
            if rank != self.world.rank:
                self.comm.Isend(np.zeros(1, np.uint8), rank, _LEAVES).Test()

    def stop(self) -> None:
        """Leave the communicator; MPI itself stays until the process ends."""
        atexit.unregister(self._say_that_it_leaves)
        if not _failed:
            self.comm.Free()

    def _wait(self, request: Any) -> None:
        """Wait for a request, at first without giving the processor away."""
        begin, tries = time.monotonic(), 0
        deadline, look = begin + self._budget.waiting, begin + self._budget.look
        while not request.Test():
            tries += 1
            if tries > 200:
                time.sleep(2e-5)
                now = time.monotonic()
                if now < look:
                    continue
                look = now + self._budget.look
                if self.comm.Iprobe(self.mpi.ANY_SOURCE, _LEAVES):
                    deadline = min(deadline, look)  # what was sent before may still be on its way
                if now > deadline or self.comm.Iprobe(self.mpi.ANY_SOURCE, _THERE):
                    _give_up(self.comm)
                    raise TimeoutError(f"no answer within {self._budget.timeout:g} s")


LARGE = 2**20
"""An array of more bytes goes alone: to join it with others would cost more than another message."""

_THERE = 77
"""The tag of messages that say nothing but that a process is there."""

_LEAVES = 78
"""The tag of messages that say that a process ends without `shutdown`."""

_failed = False


def _give_up(comm: Any) -> None:
    """End the other processes when this one ends: MPI's own handler at exit would wait for them."""
    global _failed
    if not _failed:
        _failed = True
        atexit.register(_end_all, comm)


def _end_all(comm: Any) -> None:
    time.sleep(2)  # time for the others, which give up now, to report what they miss
    comm.Abort(1)


def _combine_by_dtype(arrays: Sequence[Any], move: Callable[[Any], Any]) -> list[Any]:
    given = [_compute_on_host(array) for array in arrays]
    hosts = [_cast_to_send(host) for host in given]
    new: list[Any] = [None] * len(arrays)
    together: dict[Any, list[int]] = {}
    for i, host in enumerate(hosts):
        together.setdefault(i if host.nbytes > LARGE else host.dtype, []).append(i)
    for members in together.values():
        flat = [hosts[i].reshape(-1) for i in members]
        moved = move(np.ascontiguousarray(flat[0]) if len(flat) == 1 else np.concatenate(flat))
        ends = np.cumsum([hosts[i].size for i in members])
        for i, part in zip(members, np.split(moved, ends[:-1]), strict=True):
            backend = backend_of(arrays[i])
            part = part.reshape(hosts[i].shape)
            device = backend.device_of(arrays[i])
            if part.dtype != given[i].dtype:
                part = part.astype(given[i].dtype)
            alone = len(members) == 1 and isinstance(arrays[i], np.ndarray)  # whose memory nobody else has
            new[i] = part if alone else backend.asarray(part, device=device)
    return new


def _compute_on_host(array: Any) -> Any:
    if isinstance(array, np.ndarray):
        return array
    try:
        return backend_of(array).to_numpy(array)
    except (TypeError, AttributeError, NotImplementedError) as error:  # so frameworks say that there are no numbers yet
        raise explain_use_in_program("mpi") from error


def _cast_to_send(host: Any) -> Any:
    """Give MPI a dtype that it can add: halves go as float32, and are rounded once, at the end."""
    if host.dtype == np.bool_:
        return host.astype(np.uint8)
    # NumPy takes some microseconds to name a dtype.
    half = host.dtype.itemsize == 2 and host.dtype.name in ("float16", "bfloat16")
    return host.astype(np.float32) if half else host if host.dtype.isnative else host.astype(host.dtype.newbyteorder())
