"""The module of `to_torch` under PyTorch's own wrappers of several processes: the steps of one process."""

from __future__ import annotations

from typing import Any

import numpy as np
import stepping
import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

import luxport
from luxport import distributed

STEPS = 5


def wrapping(backend: str, timeout: float) -> None:
    """Train under DDP and under FSDP2, and alone on the same batches in turn: losses and parameters to 1e-6."""
    rank, size = distributed.rank(), distributed.total_workers()
    data = stepping.batches(size, STEPS)
    mesh = init_device_mesh("cpu", (size,))
    wrappers = {"DDP": DistributedDataParallel, "FSDP2": lambda module: fully_shard(module, mesh=mesh)}
    for name, wrap in wrappers.items():
        alone, wrapped = _module(), wrap(_module())
        everything = _numbers(alone)
        stepping.expect((_numbers(wrapped) < everything) == (name == "FSDP2"), (name, _numbers(wrapped), everything))
        turns = ((wrapped, [rank]), (alone, range(size)))
        optimizers = [torch.optim.Adam(module.parameters(), 0.05) for module, _ in turns]
        for step in range(STEPS):
            losses = []
            for (module, ranks), optimizer in zip(turns, optimizers, strict=True):
                optimizer.zero_grad()
                parts = [stepping.part(data, step, "torch", one) for one in ranks]
                loss = torch.stack([torch.mean((module(x) - y) ** 2) for x, y in parts]).mean()
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            mean = float(distributed.allreduce(losses[0]))
            stepping.expect(abs(mean - float(losses[1])) < 1e-6, (name, step, mean, float(losses[1])))
        for found, wanted in zip(wrapped.parameters(), alone.parameters(), strict=True):
            difference = float(np.max(np.abs(_whole(found) - _whole(wanted))))
            stepping.expect(difference < 1e-6, (name, difference))
        if name == "DDP":  # which sends rank 0's buffers before each call
            wrapped.eval()(stepping.part(data, 0, "torch", rank)[0])
            buffers = [buffer.tolist() for buffer in wrapped.buffers()]
            stepping.expect(distributed.synchronize(buffers) == buffers, buffers)


def _module() -> Any:
    model = stepping.model_with(luxport.BatchNorm(3))
    return luxport.to_torch(model, *luxport.setup(0, model, backend="torch"))


def _numbers(module: Any) -> int:
    """Count the numbers of parameters that this process keeps."""
    held = [one.data for one in module.parameters()]
    return sum([(one.to_local() if isinstance(one, DTensor) else one).numel() for one in held])


def _whole(parameter: Any) -> np.ndarray:
    """Return all of a parameter of which this process may have a part."""
    held = parameter.data
    return (held.full_tensor() if isinstance(held, DTensor) else held).numpy()
