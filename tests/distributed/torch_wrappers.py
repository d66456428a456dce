"""The module of `to_torch` under PyTorch's DDP and FSDP2: the steps of one process."""

from __future__ import annotations

from typing import Any

import common
import numpy as np
import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

import luxport
from luxport import distributed

STEPS = 5


def check_torch_wrappers(backend: str, timeout: float) -> None:
    """Train under DDP, under FSDP2, and alone on the same batches in turn: losses and parameters agree to 1e-6."""
    rank, size = distributed.rank(), distributed.total_workers()
    data = common.make_batches(size, STEPS)
    mesh = init_device_mesh("cpu", (size,))
    wrappers = {"DDP": DistributedDataParallel, "FSDP2": lambda module: fully_shard(module, mesh=mesh)}
    for name, wrap in wrappers.items():
        alone, wrapped = _make_module(), wrap(_make_module())
        everything = _count_numbers(alone)
        common.expect(
            (_count_numbers(wrapped) < everything) == (name == "FSDP2"), (name, _count_numbers(wrapped), everything)
        )
        turns = ((wrapped, [rank]), (alone, range(size)))
        optimizers = [torch.optim.Adam(module.parameters(), 0.05) for module, _ in turns]
        for step in range(STEPS):
            losses = []
            for (module, ranks), optimizer in zip(turns, optimizers, strict=True):
                optimizer.zero_grad()
                parts = [common.take_batch(data, step, "torch", one) for one in ranks]
                loss = torch.stack([torch.mean((module(x) - y) ** 2) for x, y in parts]).mean()
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            mean = float(distributed.allreduce(losses[0]))
            common.expect(abs(mean - float(losses[1])) < 1e-6, (name, step, mean, float(losses[1])))
        for found, wanted in zip(wrapped.parameters(), alone.parameters(), strict=True):
            difference = float(np.max(np.abs(_gather_parameter(found) - _gather_parameter(wanted))))
            common.expect(difference < 1e-6, (name, difference))
        if name == "DDP":  # DDP sends rank 0's buffers before each call
            wrapped.eval()(common.take_batch(data, 0, "torch", rank)[0])
            buffers = [buffer.tolist() for buffer in wrapped.buffers()]
            common.expect(distributed.synchronize(buffers) == buffers, buffers)


def _make_module() -> Any:
    model = common.make_model(luxport.BatchNorm(3))
    return luxport.to_torch(model, *luxport.setup(0, model, backend="torch"))


def _count_numbers(module: Any) -> int:
    """Count the parameters' numbers that this process holds."""
    held = [one.data for one in module.parameters()]
    return sum([(one.to_local() if isinstance(one, DTensor) else one).numel() for one in held])


def _gather_parameter(parameter: Any) -> np.ndarray:
    """Return a whole parameter, of which this process may hold only a shard."""
    held = parameter.data
    return (held.full_tensor() if isinstance(held, DTensor) else held).numpy()
