"""The engine `torch`: collectives of `torch.distributed`, with gloo on the CPU and NCCL on GPUs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from luxport.distributed._alarm import Alarm
from luxport.distributed._budget import Budget
from luxport.distributed._errors import DistributedError, explain_absent, explain_address, find_first_line
from luxport.distributed._launch import World
from luxport.distributed._meeting import meet
from luxport.distributed._stored_rows import are_all_the_same, convert_digest
from luxport.distributed._sums import compute_weighted_means
from luxport_torch.gradient_buckets import Overlapping, fill_buckets, show_to_send

__all__ = ["TorchEngine", "start_collectives"]


def start_collectives(world: World, timeout: float) -> TorchEngine:
    """Start `torch.distributed` together with the other processes.

    Raises: DistributedError if other processes are missing
    """
    if not dist.is_available():
        raise DistributedError("the engine torch needs torch.distributed, which this PyTorch is built without")
    if dist.is_initialized():
        raise DistributedError(
            "initialize('torch') calls torch.distributed.init_process_group itself, and its group is there already: "
            "leave that call out, or destroy_process_group() first"
        )
    if not world.address:
        raise explain_address("torch")
    on_gpus = torch.cuda.is_available() and dist.is_nccl_available()
    if on_gpus:
        torch.cuda.set_device(world.local_rank % torch.cuda.device_count())
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if on_gpus else "gloo",
            store=_find_store(world, timedelta(seconds=timeout)),
            rank=world.rank,
            world_size=world.size,
            timeout=timedelta(seconds=Budget(timeout).waiting),
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise explain_absent("torch", world, world.address, timeout, error) from error
    return TorchEngine(world, Budget(timeout))


def _find_store(world: World, timeout: timedelta) -> Any:
    """Return the store by which processes find each other: torchrun's, or one that rank 0 serves.

    torchrun keeps one store when it restarts processes. Each start uses a prefix of its own, so that it does not read
    the addresses of dead processes.
    """
    told = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    host, _, port = (world.address if told else meet(world, timeout.total_seconds())[0]).rpartition(":")
    stores: Any = dist  # typed as Any because PyTorch's stub does not declare the stores
    store = stores.TCPStore(host, int(port), world.size, is_master=world.rank == 0 and not told, timeout=timeout)
    return stores.PrefixStore(f"luxport/start_{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)


class TorchEngine:
    """Collectives over the default process group."""

    backend: str | None = "torch"
    failures: tuple[type[Exception], ...] = (RuntimeError,)

    late_failures: tuple[type[Exception], ...] = ()

    def __init__(self, world: World, budget: Budget) -> None:
        self.world, self._budget = world, budget
        self.workers = world.size
        self._on_gpus = torch.cuda.is_available() and dist.is_nccl_available()
        store: Any = dist.distributed_c10d._get_default_store()

        def get(key: str, seconds: float) -> str:
            try:
                store.wait([key], timedelta(seconds=seconds))
            except dist.DistStoreError as error:
                raise TimeoutError(find_first_line(error)) from error
            return store.get(key).decode()

        # `compare_set` returns the value that is stored after the call. The rank in front tells which process stored
        # it, and keeps the value of an empty text from being empty.
        own = f"{world.rank} "
        self._alarm = Alarm(
            world,
            budget,
            "luxport",
            lambda key, text: store.compare_set(key, "", own + text) == (own + text).encode(),
            lambda key: store.check([key]),
            lambda key, seconds: get(key, seconds).partition(" ")[2],
            (RuntimeError,),
        )

    def all_reduce(self, arrays: Sequence[Any], op: str) -> list[Any]:
        """Reduce in buckets, which are all sent before the first is waited for."""
        chosen = {"sum": dist.ReduceOp.SUM, "max": dist.ReduceOp.MAX, "min": dist.ReduceOp.MIN}[op]
        return self._combine_in_buckets(arrays, lambda bucket: dist.all_reduce(bucket, chosen, async_op=True))

    def broadcast(self, arrays: Sequence[Any], root: int) -> list[Any]:
        """Send in buckets, which are all sent before the first is waited for."""
        return self._combine_in_buckets(arrays, lambda bucket: dist.broadcast(bucket, root, async_op=True))

    def begin_agreeing(self, digest: bytes) -> Callable[[], bool]:
        """Start comparing a digest between processes; return a function that waits and returns whether all are equal.

        All are equal if the maximum of the digests and the maximum of their negatives are opposites.
        """
        largest = torch.tensor(convert_digest(digest))
        work: Any = dist.all_reduce(largest, dist.ReduceOp.MAX, async_op=True)

        def wait() -> bool:
            self._wait(work)
            return are_all_the_same(largest.tolist())

        return wait

    def gather(self, row: bytes) -> list[bytes]:
        """Return the rows of all processes, gathered on the host."""
        own = torch.frombuffer(bytearray(row), dtype=torch.uint8)
        rows = [torch.empty_like(own) for _ in range(self.world.size)]
        self._wait(dist.all_gather(rows, own, async_op=True))
        return [one.numpy().tobytes() for one in rows]

    def mean(self, array: Any) -> Any:
        """Return the mean of an array over processes."""
        return compute_weighted_means(self.all_reduce, [array], self.world.size)[0]

    def find_overlap(self) -> Overlapping:
        """Return an object that all-reduces gradients during an eager backward pass."""
        return Overlapping(self.world.size, self._wait)

    def find_missing_ranks(self) -> list[int]:
        """Return the ranks that do not answer through the store."""
        return self._alarm.find_missing_ranks()

    @torch.no_grad()
    def _combine_in_buckets(self, arrays: Sequence[Any], begin: Callable[[Any], Any]) -> list[Any]:
        sent = []
        for members in fill_buckets(arrays):
            rows = [arrays[i].detach().reshape(-1) for i in members]
            # Always a copy, as the collective writes its result over it. For one array `clone` is faster than `cat`.
            joined = rows[0].clone(memory_format=torch.contiguous_format) if len(rows) == 1 else torch.cat(rows)
            sent.append((members, joined, begin(show_to_send(joined))))
        new: list[Any] = [None] * len(arrays)
        for members, joined, work in sent:
            self._wait(work)
            parts = torch.split(joined, [arrays[i].numel() for i in members])
            for i, part in zip(members, parts, strict=True):
                new[i] = part.reshape(arrays[i].shape)
        return new

    def _wait(self, work: Any) -> None:
        """Wait for an operation, and check at intervals whether another process reported a failure.

        On GPUs `wait` only enqueues work and returns; NCCL's own watchdog ends operations that hang.
        """
        if self._on_gpus:
            work.wait()
            return
        deadline = time.monotonic() + self._budget.waiting
        while True:
            try:
                work.wait(timedelta(seconds=self._budget.look))
                return
            except RuntimeError:
                if work.is_completed():
                    work.wait()
                    return
                if self._alarm.is_raised() or time.monotonic() > deadline:
                    raise

    def stop(self) -> None:
        """Leave the group."""
        dist.destroy_process_group()
