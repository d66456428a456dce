"""The engine `tf`: TensorFlow's collective operations, eager and inside graphs."""

from __future__ import annotations

import base64
import itertools
import math
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import tensorflow_server_pb2
from tensorflow.python.eager import context as eager  # the API by which `tf.distribute` starts its servers

from luxport.distributed._alarm import Alarm
from luxport.distributed._budget import Budget
from luxport.distributed._engine import LocalEngine
from luxport.distributed._errors import DistributedError, explain_absent, explain_address, explain_late, find_first_line
from luxport.distributed._launch import World
from luxport.distributed._meeting import meet
from luxport.distributed._process_tree import ProcessTree
from luxport.distributed._session import require_session
from luxport.distributed._stored_rows import StoredRows
from luxport.distributed._sums import compute_weighted_means
from luxport.errors import LayerTypeError
from luxport_tf.buckets import move_in_buckets
from luxport_tf.patience import Patience
from luxport_tf.shortcuts import list_conditions, rely_on
from luxport_tf.transforms import jit

__all__ = ["TfEngine", "parallel_program", "start_collectives", "start_devices"]

_JOB = "worker"
_LEADER = f"/job:{_JOB}/replica:0/task:0"
_GROUP = 1
_GONE = (tf.errors.DeadlineExceededError, tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)

_met: World | None = None


def _get_context() -> Any:
    return eager.context()


def start_collectives(world: World, timeout: float) -> TfEngine:
    """Start TensorFlow's server together with the other processes, before the first array and once in each process.

    Raises: DistributedError if other processes are missing, or if TensorFlow has arrays already
    """
    global _met
    if _met is None:
        if not (world.address or world.hosts):
            raise explain_address("tf")
        if _get_context()._context_handle is not None:
            raise explain_late("tf", "TensorFlow")
        try:
            places = list(world.hosts) or meet(world, timeout)
            world = replace(world, address=places[0])
            _start_server(world, places, timeout)
        except (OSError, tf.errors.OpError) as error:
            raise explain_absent("tf", world, world.address, timeout, error) from error
        _met = world
    elif (_met.rank, _met.size) != (world.rank, world.size):
        raise DistributedError(
            f"the engine tf is rank {_met.rank} of {_met.size} as long as its process lives, got rank {world.rank} of "
            f"{world.size}: start a new process"
        )
    return TfEngine(_met, timeout)


def _start_server(world: World, places: list[str], timeout: float) -> None:
    """Start the server as `tf.distribute.MultiWorkerMirroredStrategy` does, with the given timeout."""
    own = _get_context()
    jobs: Any = eager.coordination_config_pb2
    own.configure_collective_ops(collective_leader=_LEADER, device_filters=(f"/job:{_JOB}/task:{world.rank}",))
    own.configure_coordination_service(
        service_type="standalone",
        service_leader=_LEADER,
        cluster_register_timeout_in_ms=math.ceil(1000 * timeout),
        # Long, because collective operations report a lost process earlier, by an error that can be caught.
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
        # Restore the handler, which TensorFlow has replaced by one that would keep the process alive.
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM) or signal.SIG_DFL)


_sessions = itertools.count()
_numbers: dict[Any, int] = {}
_of_graphs = 0


def _count_operation(kind: Any) -> int:
    """Return the instance key of an operation, which must be the same in all processes.

    Eager operations of one kind share a key. In graphs each operation has its own, as several run at the same time; the
    keys agree because all processes trace the same graphs in the same order.
    """
    if tf.executing_eagerly():
        return _numbers.setdefault(kind, 1 + len(_numbers))
    global _of_graphs
    _of_graphs += 1
    return 2**20 + _of_graphs


class TfEngine:
    """Collectives over the group of all processes."""

    backend: str | None = "tf"
    failures: tuple[type[Exception], ...] = (*_GONE, TimeoutError, ConnectionError)
    late_failures: tuple[type[Exception], ...] = _GONE

    def __init__(self, world: World, timeout: float) -> None:
        self.world, self.workers = world, world.size
        budget = Budget(timeout)
        prefix = f"luxport/{next(_sessions)}"
        store = _get_context()
        self._alarm = Alarm(world, budget, prefix, _put, _is_there, _get, (tf.errors.OpError,))
        self._rows = StoredRows(
            world,
            budget,
            prefix,
            lambda key, row: store.set_config_key_value(key, base64.b64encode(row).decode()),
            lambda key, milliseconds, _: base64.b64decode(store.get_config_key_value(key, milliseconds)),
            store.delete_config_key_value,
        )
        self._tree = ProcessTree(self._rows, self._alarm.is_raised)
        self.patience = Patience(budget, lambda: self._alarm.is_raised() or self._tree.has_lost_process())

    def all_reduce(self, arrays: Sequence[Any], op: str) -> list[Any]:
        """Reduce in buckets.

        Raises: LayerTypeError for the maximum or minimum of uint64 arrays, because they are sent as int64
        """
        if op != "sum" and any([array.dtype == tf.uint64 for array in arrays]):
            raise LayerTypeError(f"by the engine tf takes no {op} of uint64: as int64 first", culprit="allreduce")
        return self._move(arrays, lambda joined: self._reduce(joined, op))

    def _move(self, arrays: Sequence[Any], move: Callable[[Any], Any]) -> list[Any]:
        if not tf.executing_eagerly():
            return move_in_buckets(arrays, move)
        with self.patience:
            return move_in_buckets(arrays, move)

    def _reduce(self, joined: Any, op: str) -> Any:
        return tf.raw_ops.CollectiveReduceV2(
            input=joined,
            merge_op={"sum": "Add", "max": "Max", "min": "Min"}[op],
            final_op="Id",
            ordering_token=[],
            **self._tell_group((op, joined.dtype, joined.shape[0])),
        )

    def broadcast(self, arrays: Sequence[Any], root: int) -> list[Any]:
        """Send in buckets."""

        def send(joined: Any) -> Any:
            placed = self._tell_group((f"from {root}", joined.dtype, joined.shape[0]))
            if self.world.rank == root:
                return tf.raw_ops.CollectiveBcastSendV2(input=joined, **placed)
            return tf.raw_ops.CollectiveBcastRecvV2(shape=joined.shape, T=joined.dtype, **placed)

        return self._move(arrays, send)

    def begin_agreeing(self, digest: bytes) -> Callable[[], bool]:
        """Compare the digests at once; return a function that returns whether all are equal."""
        same = self._tree.agree(digest)
        return lambda: same

    def gather(self, row: bytes) -> list[bytes]:
        """Return the rows of all processes, exchanged in rank 0's store: its error names a late process."""
        return self._rows.gather(row)

    def _tell_group(self, kind: Any) -> dict[str, Any]:
        return {
            "group_size": self.world.size,
            "group_key": _GROUP,
            "instance_key": _count_operation(kind),
            "communication_hint": "auto",
        }

    def mean(self, array: Any) -> Any:
        """Return the mean of an array over processes, eagerly or as an operation of a graph."""
        return self.means([array])[0]

    def means(self, arrays: Sequence[Any]) -> list[Any]:
        """Return the mean of each array over processes."""
        return compute_weighted_means(self.all_reduce, arrays, self.world.size)

    def find_overlap(self) -> None:
        """Return None: graphs overlap communication by themselves, sending each array when it is computed."""

    def find_missing_ranks(self) -> list[int]:
        """Return the ranks that do not answer through the store."""
        return self._alarm.find_missing_ranks()

    def stop(self) -> None:
        """Close this session's connections and end its thread; TensorFlow's server runs until the process ends."""
        self._tree.close()
        self.patience.end()


def _put(key: str, text: str) -> bool:
    try:
        _get_context().set_config_key_value(key, text)
    except tf.errors.AlreadyExistsError:
        return False
    return True


def _get(key: str, seconds: float) -> str:
    try:
        return _get_context().get_config_key_value(key, max(1, int(1000 * seconds)))
    except tf.errors.DeadlineExceededError as error:
        raise TimeoutError(find_first_line(error)) from error


def _is_there(key: str) -> bool:
    try:
        _get(key, 0.0)
    except TimeoutError:
        return False
    return True


def start_devices() -> LocalEngine:
    """Return the engine for one process that trains with TensorFlow."""
    engine = LocalEngine()
    engine.backend = "tf"
    return engine


def parallel_program(step: Callable[..., Any], world: World, *, donate: bool) -> Callable[[Any, Any], Any]:
    """Return a compiled training step of several processes, as a function of data and state.

    Args:
        step: from data, state, rank, number of processes, and a function that takes means over processes, to a tree
        world: this process's rank and the number of processes
        donate: ignored, because a graph allocates its own memory
    """
    engine: Any = require_session("train_step").engine

    if world.size == 1:
        return jit(lambda data, state: step(data, state, 0, 1, lambda arrays: arrays))

    told: list[Any] = []
    """The conditions of this process that were sent with gradients, and last whether all hold in all processes."""

    def mean(arrays: list[Any]) -> list[Any]:
        own = list_conditions()
        if told or not own:
            return engine.means(arrays)
        # The condition is sent with the gradients, which costs nothing; a separate message would take milliseconds.
        holds = tf.cast(tf.reduce_all(own), tf.float32)
        *means, share = engine.means([*arrays, holds])
        told.extend([*own, share > 1 - 0.5 / world.size])
        rely_on(told[-1])
        return means

    def traced(data: Any, state: Any) -> Any:
        told.clear()
        # Tracing takes long, and nothing waits for another process meanwhile: it must not count for the timeout.
        engine.patience.pause()
        try:
            return step(data, state, world.rank, world.size, mean)
        finally:
            engine.patience.begin()

    def agree(conditions: list[Any]) -> Any:
        if len(conditions) == len(told):
            return told[-1]
        return tf.cast(engine.all_reduce([tf.cast(tf.reduce_all(conditions), tf.int32)], "min")[0], tf.bool)

    compiled = jit(traced, agree)

    def program(data: Any, state: Any) -> Any:
        with engine.patience:
            return compiled(data, state)

    return program
