"""Steps of two processes by each engine's own functions: the sum of an array, and a training step of ResNet-20."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.models import CASES

__all__ = ["ENGINES", "RESNET"]

RESNET = next(case for case in CASES if case.startswith("W5"))
Contender = Callable[[], Any]


def prepare_torch(x: np.ndarray, size: int) -> dict[str, Contender]:
    """Return a new sum by `torch.distributed`, and the step of `torch.nn` under DDP with the fused Adam."""
    import torch
    import torch.distributed as dist

    from benchmarks import by_torch_nn

    array = torch.from_numpy(x)

    def add_up() -> Any:
        new = array.clone()
        dist.all_reduce(new)
        return new

    return {
        "dist.all_reduce": add_up,
        "DDP": by_torch_nn.make_step(RESNET, torch.nn.parallel.DistributedDataParallel),
    }


def prepare_jax(x: np.ndarray, size: int) -> dict[str, Contender]:
    """Return a sum by `psum`, and the step by hand with `pmean`, both in `shard_map`."""
    import jax
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    from benchmarks import by_hand_jax

    mesh = Mesh(np.array(jax.devices()), ("workers",))
    whole, rows = PartitionSpec(), PartitionSpec("workers")

    def spread(leaf: Any, spec: Any) -> Any:
        """Make an array of this process its part of one that all processes share."""
        if len(leaf.sharding.device_set) > 1:
            return leaf
        shape = (size * leaf.shape[0], *leaf.shape[1:]) if spec == rows else leaf.shape
        return jax.make_array_from_single_device_arrays(shape, NamedSharding(mesh, spec), [leaf])

    def compile_step(program: Any) -> Contender:
        specs = (whole, whole, whole, rows, rows)
        mapped = jax.shard_map(program, mesh=mesh, in_specs=specs, out_specs=whole, check_vma=False)
        step = jax.jit(mapped, donate_argnums=(0, 1, 2))

        def call(*given: Any) -> Any:
            return step(
                *[
                    jax.tree.map(lambda leaf, spec=spec: spread(leaf, spec), one)
                    for one, spec in zip(given, specs, strict=True)
                ]
            )

        return call

    array = spread(jax.device_put(x[None]), rows)
    total = jax.jit(
        jax.shard_map(lambda row: jax.lax.psum(row[0], "workers"), mesh=mesh, in_specs=rows, out_specs=whole)
    )
    return {
        "psum": lambda: total(array).addressable_data(0).block_until_ready(),
        "pmean": by_hand_jax.make_step(RESNET, lambda values: jax.lax.pmean(values, "workers"), compile_step),
    }


def prepare_tf(x: np.ndarray, size: int) -> dict[str, Contender]:
    """Return a sum by the collective operation, and the step by hand with one for all gradients, joined."""
    import tensorflow as tf

    from benchmarks import by_hand_tf

    array: Any = tf.constant(x)

    def add_up(joined: Any, number: int) -> Any:
        return tf.raw_ops.CollectiveReduceV2(
            input=joined,
            group_size=size,
            group_key=7_000,
            instance_key=7_000 + number,
            ordering_token=[],
            merge_op="Add",
            final_op="Id",
            communication_hint="auto",
        )

    def take_mean(gradients: Any) -> Any:
        joined = add_up(tf.concat([tf.reshape(one, [-1]) for one in gradients], 0), 1) / float(size)
        parts: Any = tf.split(joined, [int(np.prod(one.shape)) for one in gradients])
        return [tf.reshape(part, one.shape) for part, one in zip(parts, gradients, strict=True)]

    return {
        "CollectiveReduceV2": lambda: add_up(array, 0),
        "CollectiveReduceV2, joined": by_hand_tf.make_step(RESNET, take_mean),
    }


def prepare_mpi(x: np.ndarray, size: int) -> dict[str, Contender]:
    """Return a sum by `comm.Allreduce`, and the step of `torch.nn` whose gradients are joined for it."""
    import torch
    from mpi4py import MPI  # type: ignore[import-not-found]
    from torch.nn.utils import parameters_to_vector

    from benchmarks import by_torch_nn

    comm: Any = MPI.COMM_WORLD

    def add_up(array: np.ndarray) -> np.ndarray:
        total = np.empty_like(array)
        comm.Allreduce(array, total)
        return total

    def average(model: Any) -> None:
        gradients = [one.grad for one in model.parameters()]
        mean = torch.from_numpy(add_up(parameters_to_vector(gradients).numpy())) / size
        for one, part in zip(gradients, torch.split(mean, [one.numel() for one in gradients]), strict=True):
            one.copy_(part.view_as(one))

    return {
        "comm.Allreduce": lambda: add_up(x),
        "comm.Allreduce, joined": by_torch_nn.make_step(RESNET, average=average),
    }


ENGINES: dict[str, Callable[[np.ndarray, int], dict[str, Contender]]] = {
    "torch": prepare_torch,
    "jax": prepare_jax,
    "tf": prepare_tf,
    "mpi": prepare_mpi,
}
