"""The engine `mpi`, with mpi4py: it takes arrays of every backend, and copies them to the host and back."""

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
    """Start MPI, and return the engine over its processes.

    Raises: BackendNotFoundError without mpi4py; DistributedError if MPI sees other processes than were started
    """
    try:
        from mpi4py import MPI  # type: ignore[import-not-found]
    except (ImportError, RuntimeError) as error:  # mpi4py raises RuntimeError if there is no MPI
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
    """Collectives over a communicator of all processes."""

    backend: str | None = None
    failures: tuple[type[Exception], ...]
    late_failures: tuple[type[Exception], ...]

    def __init__(self, mpi: Any, world: World, budget: Budget) -> None:
        self.mpi, self.world, self._budget = mpi, world, budget
        self.workers, self.late_failures = world.size, ()
        self.comm: Any = mpi.COMM_WORLD.Dup()  # a copy, so that messages do not mix with a program's own
        self.failures = (mpi.Exception, TimeoutError)
        # MPI's own handler at exit, which runs later, waits for the other processes; they must hear before that.
        atexit.register(self._say_that_it_leaves)

    def all_reduce(self, arrays: Sequence[Any], op: str) -> list[Any]:
        """Reduce arrays; small ones of one dtype are joined."""
        chosen = {"sum": self.mpi.SUM, "max": self.mpi.MAX, "min": self.mpi.MIN}[op]

        def whole(sent: Any) -> Any:
            received = np.empty_like(sent)
            self._wait(self.comm.Iallreduce(sent, received, chosen))
            return received

        return _combine_by_dtype(arrays, whole)

    def broadcast(self, arrays: Sequence[Any], root: int) -> list[Any]:
        """Send arrays; small ones of one dtype are joined."""

        def whole(sent: Any) -> Any:
            moved = np.array(sent)  # a copy, because `sent` may be the user's array
            self._wait(self.comm.Ibcast(moved, root))
            return moved

        return _combine_by_dtype(arrays, whole)

    def begin_agreeing(self, digest: bytes) -> Callable[[], bool]:
        """Start comparing a digest between processes; return a function that waits, and returns whether all agree."""
        own = np.array(convert_digest(digest), np.int64)
        largest = np.empty_like(own)
        request = self.comm.Iallreduce(own, largest, self.mpi.MAX)

        def wait() -> bool:
            self._wait(request)
            return are_all_the_same(largest.tolist())

        return wait

    def gather(self, row: bytes) -> list[bytes]:
        """Return the rows of all processes."""
        rows = np.empty((self.world.size, len(row)), np.uint8)
        self._wait(self.comm.Iallgather(np.frombuffer(row, np.uint8), rows))
        return [one.tobytes() for one in rows]

    def mean(self, array: Any) -> Any:
        """Return the mean of an array over processes."""
        return compute_weighted_means(self.all_reduce, [array], self.world.size)[0]

    def find_overlap(self) -> None:
        """Return None: this engine cannot sum gradients while others are still computed."""

    def find_missing_ranks(self) -> list[int]:
        """Send a message to all ranks; return the ranks from which none comes in time."""
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
        """Free the communicator; MPI itself runs until the process ends."""
        atexit.unregister(self._say_that_it_leaves)
        if not _failed:
            self.comm.Free()

    def _wait(self, request: Any) -> None:
        """Wait for a request: at first in a busy loop, which is faster for short messages, then with pauses."""
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
                    deadline = min(deadline, look)  # earlier messages of that process may still arrive
                if now > deadline or self.comm.Iprobe(self.mpi.ANY_SOURCE, _THERE):
                    _give_up(self.comm)
                    raise TimeoutError(f"no answer within {self._budget.timeout:g} s")


LARGE = 2**20
"""Arrays of more bytes are sent alone: joining them would cost more than another message."""

_THERE = 77
"""The tag of messages that tell others that a process is alive and has given up waiting."""

_LEAVES = 78
"""The tag of messages that tell others that a process ends without `shutdown`."""

_failed = False


def _give_up(comm: Any) -> None:
    """Register a handler that ends all processes at exit, because MPI's own handler would wait for the others."""
    global _failed
    if not _failed:
        _failed = True
        atexit.register(_end_all, comm)


def _end_all(comm: Any) -> None:
    time.sleep(2)  # so that the other processes, which give up now, too, can report their error
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
            alone = len(members) == 1 and isinstance(arrays[i], np.ndarray)  # the part owns its memory
            new[i] = part if alone else backend.asarray(part, device=device)
    return new


def _compute_on_host(array: Any) -> Any:
    if isinstance(array, np.ndarray):
        return array
    try:
        return backend_of(array).to_numpy(array)
    except (TypeError, AttributeError, NotImplementedError) as error:  # of arrays without values yet
        raise explain_use_in_program("mpi") from error


def _cast_to_send(host: Any) -> Any:
    """Convert to a dtype that MPI can sum; half types are sent as float32, and rounded once, at the end."""
    if host.dtype == np.bool_:
        return host.astype(np.uint8)
    # The size is checked first, because NumPy takes some microseconds to name a dtype.
    half = host.dtype.itemsize == 2 and host.dtype.name in ("float16", "bfloat16")
    return host.astype(np.float32) if half else host if host.dtype.isnative else host.astype(host.dtype.newbyteorder())
