"""Compiled training steps of several workers, which are one device of each process, or all devices of one process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.core
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from luxport import tree
from luxport.distributed._engine import LocalEngine
from luxport.distributed._errors import explain_use_in_program, find_first_line
from luxport.distributed._launch import World
from luxport.distributed._session import require_session
from luxport.distributed._sums import compute_weighted_means
from luxport_jax.dict_order import restore_order, strip_leaves
from luxport_jax.programs import hide, jit

__all__ = [
    "WORKERS", "call_connected", "do_work", "do_work_of_worker", "list_first_devices", "parallel_program",
    "start_devices", "take_mean_inside",
]  # fmt: skip

WORKERS = "workers"
"""The name of the mesh axis along which workers are."""


def start_devices() -> JaxDevices:
    """Return the engine for one process whose devices are the workers."""
    return JaxDevices()


class JaxDevices(LocalEngine):
    """The engine of one process, whose devices are the workers of a compiled step."""

    backend: str | None = "jax"

    @property
    def workers(self) -> int:
        """The number of devices; inside a program, the number that it runs on."""
        try:
            return jax.lax.axis_size(WORKERS)
        except NameError:
            return jax.local_device_count()

    def mean(self, array: Any) -> Any:
        """Return the mean of an array over devices, inside a program."""
        return take_mean_inside(array)


def parallel_program(step: Callable[..., Any], world: World, *, donate: bool) -> Callable[[Any, Any], Any]:
    """Return a compiled step of several workers, as a function of data and state.

    The workers are one device of each process, or all devices of one process.

    Args:
        step: from data, state, the worker's number, the number of workers and a function that takes means over workers,
            to a tree that is the same in each of them
        world: this process's rank and the number of processes
        donate: whether the program may reuse the state's memory
    """
    if world.size > 1:
        return _make_program_on(list_first_devices(world), step, world, donate=donate)
    devices = jax.local_devices()
    programs: dict[int, Callable[[Any, Any], Any]] = {}

    def call(data: Any, state: Any) -> Any:
        # The last batch of an epoch may have too few samples to split them equally: then fewer devices are used.
        sizes = [leaf.shape[0] for leaf in tree.leaves(data) if isinstance(leaf, jax.Array) and leaf.ndim]
        count = next(n for n in range(len(devices), 0, -1) if not any([size % n for size in sizes]))
        if count not in programs:
            programs[count] = _make_program_on(devices[:count], step, world, donate=donate)
        return programs[count](data, state)

    return call


def _make_program_on(
    devices: list[Any], step: Callable[..., Any], world: World, *, donate: bool
) -> Callable[[Any, Any], Any]:
    one_process = world.size == 1
    mesh = Mesh(np.array(devices), (WORKERS,))
    cut, whole = NamedSharding(mesh, PartitionSpec(WORKERS)), NamedSharding(mesh, PartitionSpec())
    own = devices[0 if one_process else world.rank]

    def mean(arrays: list[Any]) -> list[Any]:
        return compute_weighted_means(_add_up, arrays, len(devices))

    def program(data: Any, state: Any) -> Any:
        order: Any = None

        def inside(parts: Any, same: Any) -> Any:
            nonlocal order
            result = step(
                restore_order(parts, data), restore_order(same, state), jax.lax.axis_index(WORKERS), len(devices), mean
            )
            order = strip_leaves(result)
            return jax.tree_util.tree_map(hide, result), do_work_of_worker()

        specs = jax.tree_util.tree_map(lambda x: PartitionSpec(WORKERS) if x.ndim else PartitionSpec(), data)
        result, work = jax.shard_map(
            inside, mesh=mesh, in_specs=(specs, PartitionSpec()), out_specs=PartitionSpec(), check_vma=False
        )(data, state)
        return restore_order(result, order), work

    compiled = jit(program, donate_argnums=1) if donate else jit(program)
    engine: Any = require_session("train_step").engine

    def spread(array: Any, sharding: Any) -> Any:
        if one_process:
            return jax.device_put(array, sharding)
        row = array if array.devices() == {own} else jax.device_put(array, own)
        shape = (row.shape[0] * world.size, *row.shape[1:]) if sharding is cut else row.shape
        return jax.make_array_from_single_device_arrays(shape, sharding, [row])

    def call(data: Any, state: Any) -> Any:
        data = tree.map(lambda x: spread(x, cut if x.ndim else whole) if isinstance(x, jax.Array) else x, data)
        state = tree.map(lambda x: spread(x, whole) if isinstance(x, jax.Array) else x, state)
        if one_process:
            return compiled(data, state)[0]
        result, _ = call_connected(compiled, data, state)
        engine.patience.wait(result[0])  # raises an error if another process is lost
        return tree.map(lambda x: x.addressable_data(0) if isinstance(x, jax.Array) else x, result)

    return call


def list_first_devices(world: World) -> list[Any]:
    """Return the first device of each process, by rank."""
    first: dict[int, Any] = {}
    for device in sorted(jax.devices(), key=lambda device: device.id):
        first.setdefault(device.process_index, device)
    return [first[i] for i in range(world.size)]


def do_work(number: Any) -> Any:
    """Return the result of a few thousand operations, to be added to a program.

    JAX runs a program of less than a thousand operations within the call. If that waits for other processes, it cannot
    be interrupted; larger programs run asynchronously, and `Patience` can wait for them with a timeout.
    """
    numbers = jax.numpy.arange(2000, dtype=np.float32) + number
    return jax.numpy.sum(numbers * numbers)


def do_work_of_worker() -> Any:
    """Return `do_work`, which differs between workers, inside a program of workers."""
    return do_work(jax.lax.axis_index(WORKERS))


def call_connected(program: Callable[..., Any], *args: Any) -> Any:
    """Call a program that communicates.

    Raises: ConnectionError if another process is lost during the call, for which JAX raises a ValueError
    """
    try:
        return program(*args)
    except ValueError as error:
        if "Gloo" not in str(error):
            raise
        raise ConnectionError(find_first_line(error)) from error


def take_mean_inside(array: Any) -> Any:
    """Return the mean of an array over workers, inside a program of workers."""
    try:
        return compute_weighted_means(_add_up, [array], jax.lax.axis_size(WORKERS))[0]
    except NameError as error:  # a program without workers
        raise explain_use_in_program("jax") from error


def _add_up(arrays: Any, op: str) -> Any:
    return jax.lax.psum(arrays, WORKERS)
