"""Wrong uses of `luxport.distributed`: the same one-line error by every engine and in every process."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

import luxport
from luxport import distributed, optimizers
from luxport.losses import MSELoss
from luxport.training import TrainState, fit, train_step

AVERAGING = optimizers.OptimizerChain(
    optimizers.ClipNorm(1.0), distributed.DistributedOptimizer(optimizers.Descent(0.1))
)


class Endless(torch.utils.data.IterableDataset[int]):
    """A dataset without a length."""

    def __iter__(self) -> Iterator[int]:
        return itertools.count()


def wrong_uses(backend: str) -> dict[str, Callable[[], object]]:
    """Return wrong calls by a part of the message that each must raise."""
    distributed_any: Any = distributed  # Any, because the types forbid most of these calls
    last, size = distributed.total_workers() - 1, distributed.total_workers()

    def make_array(values: Any, dtype: str = "float32") -> Any:
        return luxport.asarray(np.asarray(values), backend=backend, dtype=dtype)

    def state(rule: Any = None, **options: Any) -> Any:
        own = "torch" if backend == "numpy" else backend
        created = TrainState.create(luxport.Dense(1, 1), rule or optimizers.Descent(0.1), backend=own)
        return distributed_any.data_parallel(created, **options)

    def in_few_samples() -> None:
        share = distributed.DistributedDataContainer(np.ones((2 * size, 1), np.float32)).data
        loader = luxport.training.DataLoader((share, share), 3, partial=False)
        fit(MSELoss(), state(), loader, jit=False, show=None)

    reduce, bcast, synchronize = distributed_any.allreduce, distributed_any.bcast, distributed_any.synchronize
    container, own_rule = distributed_any.DistributedDataContainer, distributed_any.DistributedOptimizer
    x, samples = make_array([1.0, 2.0]), container(np.ones((2 * size, 1)))
    initialize = distributed_any.initialize
    return {
        "initialize expects an engine among auto, jax, torch, tf, mpi, local, got 'nccl'": lambda: initialize("nccl"),
        "initialize expects an engine among auto, jax, torch, tf, mpi, local, got None": lambda: initialize(None),
        "initialize expects a positive number of seconds as timeout, got 0": lambda: initialize(timeout=0),
        "initialize expects a positive number of seconds as timeout, got nan": lambda: initialize(timeout=np.nan),
        "one timeout at a time, shutdown() first": lambda: initialize(
            distributed._session.require_session("").name,
            timeout=17.0,  # type: ignore[attr-defined]
        ),
        "allreduce expects an op among mean, sum, max, min, got 'avg'": lambda: reduce(x, "avg"),
        "allreduce expects an op among mean, sum, max, min, got ['mean']": lambda: reduce(x, ["mean"]),
        "allreduce of int32 takes sum or max or min, got 'mean' at n": lambda: reduce({"n": make_array([1], "int32")}),
        "reduce of bool takes max or min, got 'sum'": lambda: distributed_any.reduce(make_array([True], "bool"), "sum"),
        "allreduce of complex64 takes mean or sum, got 'max'": lambda: reduce(make_array([1j], "complex64"), "max"),
        "allreduce expects an array, or a tree of arrays, got 'weights': luxport.asarray": lambda: reduce("weights"),
        "allreduce expects an array, or a tree of arrays, got 0.5: luxport.asarray first": lambda: reduce(0.5),
        "bcast expects an array, or a tree of arrays, got Dense(1, 1): luxport": lambda: bcast(luxport.Dense(1, 1)),
        f"bcast expects a rank from 0 to {last} as root, got {size}": lambda: bcast(x, root=size),
        f"reduce expects a rank from 0 to {last} as root, got -1": lambda: distributed_any.reduce(x, root=-1),
        f"synchronize expects a rank from 0 to {last} as root, got True": lambda: synchronize(x, root=True),
        "allreduce is called as allreduce(values, op=...), got no values": lambda: reduce(),
        "barrier is called as barrier(), got 1 arguments by position": lambda: distributed_any.barrier(1),
        "expects arrays with one first size, got 2 at x, 3 at y": lambda: container({"x": np.ones(2), "y": np.ones(3)}),
        "DistributedDataContainer expects arrays, got generator: stack its samples": lambda: container(
            i for i in range(9)
        ),
        "DistributedDataContainer expects arrays, got Endless: stack its samples": lambda: container(Endless()),
        "DistributedDataContainer expects arrays, got int at 0: stack": lambda: container([1, 2]),
        "expects arrays with one first size, got no array": lambda: container({}),
        f"expects a sample for each of {size} processes, got 0 samples": lambda: container(np.ones((0, 2))),
        "DistributedDataContainer expects an index or a slice, got 'a'": lambda: samples["a"],
        "DistributedDataContainer has 2 samples, got the index 2": lambda: samples[2],
        "with partial=False leaves out a smaller last batch": in_few_samples,
        "DistributedOptimizer expects a rule, such as luxport.optimizers.Adam(0.001), got NoneType": lambda: own_rule(
            None
        ),
        "DistributedOptimizer expects a rule, such as luxport.optimizers.Adam(0.001), got the class Adam": lambda: (
            own_rule(optimizers.Adam)
        ),
        "expects a plain rule, got OptimizerChain(ClipNorm, DistributedOptimizer(Descent)): Tr": lambda: state(
            AVERAGING
        ),
        "data_parallel expects a TrainState, got dict": lambda: distributed_any.data_parallel({}),
        "data_parallel expects sync_batch_norm as True or False, got 'yes'": lambda: state(sync_batch_norm="yes"),
    }


def wrong_uses_of_several(backend: str) -> dict[str, Callable[[], object]]:
    """Return calls that are wrong only with several processes, by a part of the message."""
    engine = distributed._session.require_session("").name  # type: ignore[attr-defined]
    if distributed.total_workers() == 1:
        return {}

    def inside() -> object:
        x = luxport.asarray(np.ones(2), backend=backend, dtype="float32")
        return luxport.jit(distributed.allreduce)(x)

    def synchronized() -> object:
        created = TrainState.create(luxport.Dense(1, 1), optimizers.Descent(0.1), backend="torch")
        state = distributed.data_parallel(created, sync_batch_norm=True)
        x = luxport.asarray(np.ones((2, 1)), backend="torch", dtype="float32")
        return train_step(MSELoss(), (x, x), state, jit=True)

    compiled = (
        f"moves arrays inside the step, which the engine {engine} cannot do in a compiled one: train_step(..., jit"
    )
    several: dict[str, dict[str, Callable[[], object]]] = {
        "jax": {"the engine jax moves arrays between programs, not inside one: use train_step with": inside},
        "tf": {
            "allreduce by the engine tf takes no max of uint64: as int64 first": lambda: distributed.allreduce(
                luxport.asarray(np.ones(2), backend=backend, dtype="uint64"), "max"
            )
        },
        "torch": {compiled: synchronized},
        "mpi": {compiled: synchronized},
    }
    return several[engine]


def check_misuse(backend: str, timeout: float) -> None:
    """Make every wrong call, and then check that correct calls still work."""
    for line, call in (wrong_uses(backend) | wrong_uses_of_several(backend)).items():
        try:
            call()
        except (ValueError, TypeError, IndexError, distributed.DistributedError) as error:
            assert line in str(error) and "\n" not in str(error), (line, str(error))
        else:
            raise AssertionError(f"no error where {line!r} was expected")
    if backend == "torch":  # if it were sent as a number, PyTorch would abort the group
        with warnings.catch_warnings(action="ignore"):  # PyTorch deprecates quantized tensors
            quantized = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8)
        try:
            distributed.allreduce(quantized, "sum")
        except TypeError as error:
            assert str(error) == "allreduce expects arrays of numbers, got quint8"
        else:
            raise AssertionError("quantized numbers were added up")
    x = luxport.asarray(np.ones(2), backend=backend, dtype="float32")
    assert luxport.to_numpy(distributed.allreduce(x)).tolist() == [1, 1]
    nothing: Any = ({}, [], None, {"name": "Dense", "none": None})
    assert distributed.allreduce(nothing) == nothing  # trees without any array
    if backend == "numpy":
        swapped = np.array([1.0, 2.0], np.dtype("f4").newbyteorder())
        assert distributed.allreduce({"x": swapped}, "sum")["x"].tolist() == [
            distributed.total_workers() * one for one in (1, 2)
        ]
    for half in ("float16", "bfloat16"):
        ones = luxport.asarray(np.ones(3), backend=backend, dtype=half)
        total = distributed.allreduce({"h": ones}, "sum")["h"]
        assert luxport.backend.dtype_name(total) == half
        found = luxport.to_numpy(total).astype(np.float32).tolist()
        assert found == [distributed.total_workers()] * 3, found
