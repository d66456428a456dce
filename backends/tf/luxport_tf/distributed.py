"""TensorFlow's own engine for several processes: its collective operations, between processes and inside graphs."""

from __future__ import annotations

import base64
import itertools
import math
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import tensorflow_server_pb2
from tensorflow.python.eager import context as eager  # where TensorFlow's own strategies start their servers

from luxport.distributed._alarm import LOOK, Alarm
from luxport.distributed._engine import (
    DistributedError,
    LocalEngine,
    current,
    first_line,
    met_not_all,
    needs_a_place,
    too_late,
)
from luxport.distributed._launch import World
from luxport.distributed._meeting import meet
from luxport.distributed._rows import StoredRows
from luxport.distributed._ties import Ties
from luxport.errors import LayerTypeError
from luxport_tf.transforms import jit

__all__ = ["TfEngine", "parallel_program", "start_collectives", "start_devices"]

BUCKET = 16 * 2**20
"""So many bytes go in one piece: small arrays are joined, as each piece costs a round of messages."""

_JOB = "worker"
_LEADER = f"/job:{_JOB}/replica:0/task:0"
_GROUP = 1
_GONE = (tf.errors.DeadlineExceededError, tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)

_met: World | None = None


def _context() -> Any:
    return eager.context()


def start_collectives(world: World, timeout: float) -> TfEngine:
    """Meet the other processes: once in a process's life, and before TensorFlow's first array.

    Raises: DistributedError if they do not come, or if TensorFlow has arrays already
    """
    global _met
    if _met is None:
        if not (world.address or world.hosts):
            raise needs_a_place("tf")
        if _context()._context_handle is not None:
            raise too_late("tf", "TensorFlow")
        try:
            places = list(world.hosts) or meet(world, timeout)
            world = replace(world, address=places[0])
            _start_server(world, places, timeout)
        except (OSError, tf.errors.OpError) as error:
            raise met_not_all("tf", world, world.address, timeout, error) from error
        _met = world
    elif (_met.rank, _met.size) != (world.rank, world.size):
        raise DistributedError(
            f"the engine tf is rank {_met.rank} of {_met.size} as long as its process lives, got rank {world.rank} of "
            f"{world.size}: start a new process"
        )
    return TfEngine(_met, timeout)


def _start_server(world: World, places: list[str], timeout: float) -> None:
    """Do what `tf.distribute.MultiWorkerMirroredStrategy` does first, with the given patience."""
    own = _context()
    jobs: Any = eager.coordination_config_pb2
    own.configure_collective_ops(collective_leader=_LEADER, device_filters=(f"/job:{_JOB}/task:{world.rank}",))
    own.configure_coordination_service(
        service_type="standalone",
        service_leader=_LEADER,
        cluster_register_timeout_in_ms=math.ceil(1000 * timeout),
        # An operation says who is gone long before.
        heartbeat_timeout_in_ms=math.ceil(1000 * max(10.0, 2 * timeout)),
        shutdown_barrier_timeout_in_ms=math.ceil(1000 * min(timeout, 10.0)),
        coordinated_jobs=[jobs.CoordinatedJob(name=_JOB, num_tasks=world.size)],
    )
    settings = own.config
    settings.experimental.collective_group_leader = _LEADER
    own.enable_collective_ops(
        tensorflow_server_pb2.ServerDef(
            cluster=tf.train.ClusterSpec({_JOB: places}).as_cluster_def(),
            default_session_config=settings,
            job_name=_JOB,
            task_index=world.rank,
            protocol="grpc",
            port=int(places[world.rank].rpartition(":")[2]),
        )
    )
    own.ensure_initialized()
    if threading.current_thread() is threading.main_thread():
        # TensorFlow has taken it for a notice to its own strategies, and the process would live on.
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM) or signal.SIG_DFL)


_sessions = itertools.count()
_numbers: dict[Any, int] = {}
_of_graphs = 0


def _number(kind: Any) -> int:
    """Return the number of an operation, by which processes find each other's.

    Between programs each kind of operation has one. Inside a graph each has its own, as some run at the same time; all
    processes make the same graphs in one order.
    """
    if tf.executing_eagerly():
        return _numbers.setdefault(kind, 1 + len(_numbers))
    global _of_graphs
    _of_graphs += 1
    return 2**20 + _of_graphs


class TfEngine:
    """The group of all processes."""

    backend: str | None = "tf"
    failures: tuple[type[Exception], ...] = (*_GONE, TimeoutError, ConnectionError)
    late_failures: tuple[type[Exception], ...] = _GONE

    def __init__(self, world: World, timeout: float) -> None:
        self.world, self.timeout, self.workers = world, timeout, world.size
        prefix = f"luxport/{next(_sessions)}"
        store = _context()
        self._alarm = Alarm(world, prefix, _put, _is_there, _get, (tf.errors.OpError,))
        self.patience = _Patience(timeout, self._alarm.raised)
        self._rows = StoredRows(
            world,
            timeout,
            prefix,
            lambda key, row: store.set_config_key_value(key, base64.b64encode(row).decode()),
            lambda key, milliseconds, _: base64.b64decode(store.get_config_key_value(key, milliseconds)),
            store.delete_config_key_value,
        )
        self._ties = Ties(self._rows, self._alarm.raised)

    def all_reduce(self, arrays: Sequence[Any], op: str) -> list[Any]:
        """Reduce in buckets.

        Raises: LayerTypeError for the largest or smallest of uint64, which go as int64
        """
        if op != "sum" and any([array.dtype == tf.uint64 for array in arrays]):
            raise LayerTypeError(f"by the engine tf takes no {op} of uint64: as int64 first", culprit="allreduce")
        return self._moved(arrays, lambda joined: self._reduced(joined, op))

    def _moved(self, arrays: Sequence[Any], move: Callable[[Any], Any]) -> list[Any]:
        if not tf.executing_eagerly():
            return _in_buckets(arrays, move)
        with self.patience:
            return _in_buckets(arrays, move)

    def _reduced(self, joined: Any, op: str) -> Any:
        return tf.raw_ops.CollectiveReduceV2(
            input=joined,
            merge_op={"sum": "Add", "max": "Max", "min": "Min"}[op],
            final_op="Id",
            ordering_token=[],
            **self._placed((op, joined.dtype, joined.shape[0])),
        )

    def broadcast(self, arrays: Sequence[Any], root: int) -> list[Any]:
        """Send in buckets."""

        def sent(joined: Any) -> Any:
            placed = self._placed((f"from {root}", joined.dtype, joined.shape[0]))
            if self.world.rank == root:
                return tf.raw_ops.CollectiveBcastSendV2(input=joined, **placed)
            return tf.raw_ops.CollectiveBcastRecvV2(shape=joined.shape, T=joined.dtype, **placed)

        return self._moved(arrays, sent)

    def begin_agreeing(self, digest: bytes) -> Callable[[], bool]:
        """Ask at once."""
        same = self._ties.agree(digest)
        return lambda: same

    def gather(self, row: bytes) -> list[bytes]:
        """Exchange the rows by the store of rank 0's, which tells whose is late."""
        return self._rows.gather(row)

    def _placed(self, kind: Any) -> dict[str, Any]:
        return {
            "group_size": self.world.size,
            "group_key": _GROUP,
            "instance_key": _number(kind),
            "communication_hint": "auto",
        }

    def mean(self, array: Any) -> Any:
        """Take the mean, inside a graph by one of its operations."""
        return self.means([array])[0]

    def means(self, arrays: Sequence[Any]) -> list[Any]:
        """Take the mean of each."""
        return self.all_reduce([array / self.world.size for array in arrays], "sum")

    def overlapping(self) -> None:
        """Have nothing of the kind: a graph sends what is there."""

    def missing(self) -> list[int]:
        """Ask the others by the store."""
        return self._alarm.missing()

    def stop(self) -> None:
        """Leave the others to themselves; the server stays until the process ends."""
        self._ties.cut()
        self.patience.end()


def _put(key: str, text: str) -> bool:
    try:
        _context().set_config_key_value(key, text)
    except tf.errors.AlreadyExistsError:
        return False
    return True


def _get(key: str, seconds: float) -> str:
    try:
        return _context().get_config_key_value(key, max(1, int(1000 * seconds)))
    except tf.errors.DeadlineExceededError as error:
        raise TimeoutError(first_line(error)) from error


def _is_there(key: str) -> bool:
    try:
        _get(key, 0.0)
    except TimeoutError:
        return False
    return True


def start_devices() -> LocalEngine:
    """Be one process, with TensorFlow's arrays."""
    engine = LocalEngine()
    engine.backend = "tf"
    return engine


def parallel_program(step: Callable[..., Any], world: World, *, donate: bool) -> Callable[[Any, Any], Any]:
    """Return a compiled step of several processes, as a function of data and state, that moves arrays itself.

    Args:
        step: from data, state, the process's number and a function that takes means over processes, to a tree
        world: the processes
        donate: a graph has memory of its own
    """
    engine: Any = current("train_step").engine

    def mean(arrays: list[Any]) -> list[Any]:
        return arrays if world.size == 1 else engine.means(arrays)

    if world.size == 1:
        return jit(lambda data, state: step(data, state, 0, mean))

    def traced(data: Any, state: Any) -> Any:
        # Making a graph takes its time, and nobody waits for another process meanwhile.
        engine.patience.pause()
        try:
            return step(data, state, world.rank, mean)
        finally:
            engine.patience.begin()

    def agree(condition: Any) -> Any:
        return tf.cast(engine.all_reduce([tf.cast(condition, tf.int32)], "min")[0], tf.bool)

    compiled = jit(traced, agree)

    def program(data: Any, state: Any) -> Any:
        with engine.patience:
            return compiled(data, state)

    return program


class _Patience(threading.Thread):
    """Ends operations that wait for another process for too long.

    Operations have a time-out of their own, after which TensorFlow may still write into what it has given back.
    """

    def __init__(self, timeout: float, given_up: Callable[[], bool]) -> None:
        super().__init__(name="luxport's patience with other processes", daemon=True)
        self._timeout, self._given_up = timeout, given_up
        self._deadline, self._look, self._ended = math.inf, math.inf, threading.Event()
        self.start()

    def run(self) -> None:
        """Look at the clock now and then, and whether another process has given up."""
        while not self._ended.wait(min(0.2, self._timeout / 4)):
            now, waited_for = time.monotonic(), self._deadline
            late = now > waited_for
            if now > self._look:
                self._look = now + LOOK
                late = self._given_up() or late
            if late and self._deadline == waited_for:
                self.pause()
                text = f"no answer within {self._timeout:g} s"
                _context().abort_collective_ops(tf.errors.DEADLINE_EXCEEDED, text)

    def begin(self) -> None:
        """Wait from now on."""
        now = time.monotonic()
        self._deadline, self._look = now + self._timeout, now + LOOK

    def pause(self) -> None:
        """Wait no longer."""
        self._deadline = self._look = math.inf

    def end(self) -> None:
        """Never wait again."""
        self._ended.set()

    def __enter__(self) -> None:
        self.begin()

    def __exit__(self, *error: object) -> None:
        self.pause()


def _in_buckets(arrays: Sequence[Any], move: Callable[[Any], Any]) -> list[Any]:
    """Join arrays of one dtype, the last ones first, as a backward pass has them; move all, and take them apart."""
    buckets: list[tuple[Any, int, list[int]]] = []
    rows: dict[int, Any] = {}
    new = list(arrays)
    for i in reversed(range(len(arrays))):
        if 0 in arrays[i].shape:  # of nothing, the process would end
            continue
        rows[i] = tf.reshape(_as_sent(arrays[i]), [-1])
        size = (rows[i].shape[0] or 0) * rows[i].dtype.size
        if buckets and buckets[-1][0] == rows[i].dtype and buckets[-1][1] + size <= BUCKET:
            _, before, members = buckets.pop()
            buckets.append((rows[i].dtype, before + size, [*members, i]))
        else:
            buckets.append((rows[i].dtype, size, [i]))
    for _, _, members in buckets:
        joined = rows[members[0]] if len(members) == 1 else tf.concat([rows[i] for i in members], 0)
        parts = tf.split(move(joined), [_static(rows[i])[0] for i in members])
        for i, part in zip(members, parts, strict=True):
            new[i] = tf.reshape(_as_it_was(part, arrays[i].dtype), _static(arrays[i]))
    return new


def _static(array: Any) -> Any:
    """Return the shape, as far as it is known while a graph is made."""
    return array.shape if array.shape.is_fully_defined() else tf.shape(array)


_SENT: dict[str, Any] = {"bool": tf.int32, "int8": tf.int32, "uint8": tf.int32, "int16": tf.int32, "uint16": tf.int32}
_SENT |= {"uint32": tf.int64, "uint64": tf.int64}
"""As what goes that TensorFlow does not add up between processes."""


def _as_sent(array: Any) -> Any:
    if array.dtype.is_complex:
        return tf.stack([tf.math.real(array), tf.math.imag(array)], -1)
    return tf.cast(array, _SENT.get(array.dtype.name, array.dtype))


def _as_it_was(part: Any, dtype: Any) -> Any:
    if dtype.is_complex:
        pairs = tf.reshape(part, [-1, 2])
        return tf.complex(pairs[:, 0], pairs[:, 1])
    return tf.cast(part, dtype)
