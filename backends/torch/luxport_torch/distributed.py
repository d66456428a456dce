"""PyTorch's own engine for several processes: `torch.distributed`, by gloo on the CPU and NCCL on GPUs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from luxport.distributed._engine import DistributedError, met_not_all, needs_a_place
from luxport.distributed._launch import World

__all__ = ["TorchEngine", "start_collectives"]

BUCKET = 64 * 2**20
"""So many bytes go in one piece: small arrays are joined, as each piece costs a round of messages."""


def start_collectives(world: World, timeout: float) -> TorchEngine:
    """Meet the other processes.

    Raises: DistributedError if they do not come
    """
    if not dist.is_available():
        raise DistributedError("the engine torch needs torch.distributed, which this PyTorch is built without")
    if not world.address:
        raise needs_a_place("torch")
    on_gpus = torch.cuda.is_available() and dist.is_nccl_available()
    if on_gpus:
        torch.cuda.set_device(world.local_rank % torch.cuda.device_count())
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if on_gpus else "gloo",
            init_method=f"tcp://{world.address}",
            rank=world.rank,
            world_size=world.size,
            timeout=timedelta(seconds=timeout),
        )
    except (RuntimeError, ValueError) as error:
        raise met_not_all("torch", world, world.address, timeout, error) from error
    return TorchEngine(world)


class TorchEngine:
    """The default process group."""

    backend: str | None = "torch"
    failures: tuple[type[Exception], ...] = (RuntimeError,)

    def __init__(self, world: World) -> None:
        self.world = world

    def all_reduce(self, arrays: Sequence[Any], op: str) -> list[Any]:
        """Reduce in buckets, all of them on their way at once."""
        chosen = {"sum": dist.ReduceOp.SUM, "max": dist.ReduceOp.MAX, "min": dist.ReduceOp.MIN}[op]
        return _in_buckets(arrays, lambda bucket: dist.all_reduce(bucket, chosen, async_op=True))

    def broadcast(self, arrays: Sequence[Any], root: int) -> list[Any]:
        """Send in buckets, all of them on their way at once."""
        return _in_buckets(arrays, lambda bucket: dist.broadcast(bucket, root, async_op=True))

    def gather(self, row: bytes) -> list[bytes]:
        """Gather on the host."""
        own = torch.frombuffer(bytearray(row), dtype=torch.uint8)
        rows = [torch.empty_like(own) for _ in range(self.world.size)]
        dist.all_gather(rows, own)
        return [one.numpy().tobytes() for one in rows]

    def stop(self) -> None:
        """Leave the group."""
        dist.destroy_process_group()


@torch.no_grad()
def _in_buckets(arrays: Sequence[Any], begin: Callable[[Any], Any]) -> list[Any]:
    buckets: dict[Any, list[list[int]]] = {}
    sizes: dict[Any, int] = {}
    for i, array in enumerate(arrays):
        kind, size = (array.dtype, array.device), array.numel() * array.element_size()
        if kind not in buckets or sizes[kind] + size > BUCKET:
            buckets.setdefault(kind, []).append([])
            sizes[kind] = 0
        buckets[kind][-1].append(i)
        sizes[kind] += size
    sent = []
    for members in [members for kind in buckets.values() for members in kind]:
        # A new array in any case: it is written over, and the given ones stay.
        joined = torch.cat([arrays[i].detach().reshape(-1) for i in members])
        sent.append((members, joined, begin(_as_sent(joined))))
    new: list[Any] = [None] * len(arrays)
    for members, joined, work in sent:
        work.wait()
        parts = torch.split(joined, [arrays[i].numel() for i in members])
        for i, part in zip(members, parts, strict=True):
            new[i] = part.reshape(arrays[i].shape)
    return new


def _as_sent(joined: Any) -> Any:
    """Show the same memory as a dtype that both gloo and NCCL take."""
    if joined.is_complex():
        return torch.view_as_real(joined)
    return joined.view(torch.uint8) if joined.dtype == torch.bool else joined
