"""PyTorch's own engine for several processes: `torch.distributed`, by gloo on the CPU and NCCL on GPUs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import torch
import torch.distributed as dist

from luxport.distributed._alarm import Alarm
from luxport.distributed._budget import Budget
from luxport.distributed._errors import DistributedError, first_line, met_not_all, needs_a_place
from luxport.distributed._halves import mean_by
from luxport.distributed._launch import World
from luxport.distributed._meeting import meet
from luxport.distributed._rows import all_the_same, in_numbers

__all__ = ["TorchEngine", "start_collectives"]

BUCKET = 64 * 2**20
"""So many bytes go in one piece: small arrays are joined, as each piece costs a round of messages."""


def start_collectives(world: World, timeout: float) -> TorchEngine:
    """Meet the other processes.

    Raises: DistributedError if they do not come
    """
    if not dist.is_available():
        raise DistributedError("the engine torch needs torch.distributed, which this PyTorch is built without")
    if dist.is_initialized():
        raise DistributedError(
            "initialize('torch') calls torch.distributed.init_process_group itself, and its group is there already: "
            "leave that call out, or destroy_process_group() first"
        )
    if not world.address:
        raise needs_a_place("torch")
    on_gpus = torch.cuda.is_available() and dist.is_nccl_available()
    if on_gpus:
        torch.cuda.set_device(world.local_rank % torch.cuda.device_count())
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if on_gpus else "gloo",
            store=_store(world, timedelta(seconds=timeout)),
            rank=world.rank,
            world_size=world.size,
            timeout=timedelta(seconds=Budget(timeout).waiting),
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise met_not_all("torch", world, world.address, timeout, error) from error
    return TorchEngine(world, Budget(timeout))


def _store(world: World, timeout: timedelta) -> Any:
    """Return what processes find each other by: torchrun's own, or one in rank 0.

    torchrun keeps one store through all starts: each start has a part of its own, without the places of dead processes.
    """
    told = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    host, _, port = (world.address if told else meet(world, timeout.total_seconds())[0]).rpartition(":")
    stores: Any = dist  # whose stub does not name them
    store = stores.TCPStore(host, int(port), world.size, is_master=world.rank == 0 and not told, timeout=timeout)
    return stores.PrefixStore(f"luxport/start_{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)


class TorchEngine:
    """The default process group."""

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
                raise TimeoutError(first_line(error)) from error
            return store.get(key).decode()

        # What is put where nothing is must not be nothing, and each puts something of its own.
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
        """Reduce in buckets, all of them on their way at once."""
        chosen = {"sum": dist.ReduceOp.SUM, "max": dist.ReduceOp.MAX, "min": dist.ReduceOp.MIN}[op]
        return self._combine_in_buckets(arrays, lambda bucket: dist.all_reduce(bucket, chosen, async_op=True))

    def broadcast(self, arrays: Sequence[Any], root: int) -> list[Any]:
        """Send in buckets, all of them on their way at once."""
        return self._combine_in_buckets(arrays, lambda bucket: dist.broadcast(bucket, root, async_op=True))

    def begin_agreeing(self, digest: bytes) -> Callable[[], bool]:
        """Begin with the largest of all digests, and of their opposites."""
        largest = torch.tensor(in_numbers(digest))
        work: Any = dist.all_reduce(largest, dist.ReduceOp.MAX, async_op=True)

        def wait() -> bool:
            self._wait(work)
            return all_the_same(largest.tolist())

        return wait

    def gather(self, row: bytes) -> list[bytes]:
        """Gather on the host."""
        own = torch.frombuffer(bytearray(row), dtype=torch.uint8)
        rows = [torch.empty_like(own) for _ in range(self.world.size)]
        self._wait(dist.all_gather(rows, own, async_op=True))
        return [one.numpy().tobytes() for one in rows]

    def mean(self, array: Any) -> Any:
        """Take the mean at once."""
        return mean_by(self.all_reduce, [array], self.world.size)[0]

    def overlapping(self) -> Overlapping:
        """Add eager gradients up in buckets, each as soon as it is full."""
        return Overlapping(self.world.size, self._wait)

    def missing(self) -> list[int]:
        """Ask the others by the store."""
        return self._alarm.missing()

    @torch.no_grad()
    def _combine_in_buckets(self, arrays: Sequence[Any], begin: Callable[[Any], Any]) -> list[Any]:
        sent = []
        for members in _fill_buckets(arrays):
            rows = [arrays[i].detach().reshape(-1) for i in members]
            # A new array in any case: it is written over, and the given ones stay.
            # Joining one takes longer than a copy.
            joined = rows[0].clone(memory_format=torch.contiguous_format) if len(rows) == 1 else torch.cat(rows)
            sent.append((members, joined, begin(_as_sent(joined))))
        new: list[Any] = [None] * len(arrays)
        for members, joined, work in sent:
            self._wait(work)
            parts = torch.split(joined, [arrays[i].numel() for i in members])
            for i, part in zip(members, parts, strict=True):
                new[i] = part.reshape(arrays[i].shape)
        return new

    def _wait(self, work: Any) -> None:
        """Wait for an operation, and look now and then whether another process does not.

        On GPUs to wait is to put something into a queue, and NCCL's own watch ends it.
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
                if self._alarm.raised() or time.monotonic() > deadline:
                    raise

    def stop(self) -> None:
        """Leave the group."""
        dist.destroy_process_group()


class Overlapping:
    """Adds gradients up while the backward pass goes on: a bucket is sent when all of it and of those before is there.

    Buckets have fixed places, of the last parameters first, so that every process sends the same ones in one order.
    """

    def __init__(self, size: int, wait: Callable[[Any], None]) -> None:
        self.size, self._wait_for = size, wait
        self._kinds: list[Any] = []
        self._buckets: list[list[int]] = []
        self._place: dict[int, tuple[int, int]] = {}
        self._failure: Exception | None = None
        self._hooks: list[Any] = []

    def watch(self, variables: list[Any], settle: Callable[[], float]) -> None:
        """Take the gradients of these as they come; before anything is sent, settle, which returns their weight."""
        self._settle = settle
        kinds = [(one.shape, one.dtype, one.device) for one in variables]
        if kinds != self._kinds:
            self._kinds, last = kinds, len(kinds) - 1
            self._buckets = [[last - i for i in bucket] for bucket in _fill_buckets(variables[::-1])]
            self._place = {
                i: (number, at) for number, bucket in enumerate(self._buckets) for at, i in enumerate(bucket)
            }
        self._failure, self._next = None, 0
        self._left = [len(bucket) for bucket in self._buckets]
        self._memory: list[Any] = [None] * len(self._buckets)
        self._sent: list[Any] = []
        self._came_already: set[int] = set()
        self._forget_hooks()
        self._hooks = [variable.register_hook(partial(self._came, i)) for i, variable in enumerate(variables)]

    def _forget_hooks(self) -> None:
        """Leave the parameters themselves, which the next step differentiates by again, as they were."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def _came(self, i: int, gradient: Any) -> Any:
        """Put a gradient into its bucket, and return its place there, which the sum will be in."""
        if not self._came_already:
            torch.autograd.Variable._execution_engine.queue_callback(self._wait)  # type: ignore[attr-defined]
        self._came_already.add(i)
        number, at = self._place[i]
        place = self._get_parts(number)[at]
        torch.mul(gradient.to(place.dtype), 1 / self.size, out=place)
        self._left[number] -= 1
        while self._next < len(self._left) and self._left[self._next] == 0:
            self._send()
        return place if place.dtype == gradient.dtype else gradient

    def _get_parts(self, number: int) -> list[Any]:
        if self._memory[number] is None:
            shapes = [self._kinds[member][0] for member in self._buckets[number]]
            _, dtype, device = self._kinds[self._buckets[number][0]]
            dtype = torch.float32 if dtype in _HALVES else dtype  # rounded once, in `arrived`
            joined = torch.zeros(sum([shape.numel() for shape in shapes]), dtype=dtype, device=device)
            parts = torch.split(joined, [shape.numel() for shape in shapes])
            self._memory[number] = joined, [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]
        return self._memory[number][1]

    def _send(self) -> None:
        number = self._next
        if number == 0:
            self._weight = self._settle()
        self._next += 1
        self._get_parts(number)
        if self._weight != 1:
            joined = self._memory[number][0]
            _ = joined.mul_(self._weight) if self._weight else joined.zero_()  # means of nothing are NaN
        try:
            self._sent.append(dist.all_reduce(_as_sent(self._memory[number][0]), async_op=True))
        except RuntimeError as error:
            self._failure = self._failure or error

    def _wait(self) -> None:
        """Send what is left, with zeros where no gradient came, so that every process sends the same."""
        while self._next < len(self._left):
            self._send()
        sent, self._sent = self._sent, []
        for work in sent:
            try:
                self._wait_for(work)
            except RuntimeError as error:
                self._failure = self._failure or error

    def arrived(self, gradients: list[Any]) -> list[Any]:
        """Return the means: gradients that came are such already, in the places of others there are those of others.

        Raises: RuntimeError for what went wrong on their way
        """
        self._wait()
        self._forget_hooks()
        if self._failure is not None:
            raise self._failure
        return [
            one if i in self._came_already and one.dtype not in _HALVES else self._get_mean(i)
            for i, one in enumerate(gradients)
        ]

    def _get_mean(self, i: int) -> Any:
        number, at = self._place[i]
        return self._memory[number][1][at].to(self._kinds[i][1])


_HALVES = (torch.float16, torch.bfloat16)


def _fill_buckets(arrays: Sequence[Any]) -> list[list[int]]:
    """Put the places of arrays into buckets of one dtype and device."""
    buckets: dict[Any, list[list[int]]] = {}
    sizes: dict[Any, int] = {}
    for i, array in enumerate(arrays):
        kind, size = (array.dtype, array.device), array.numel() * array.element_size()
        if kind not in buckets or sizes[kind] + size > BUCKET:
            buckets.setdefault(kind, []).append([])
            sizes[kind] = 0
        buckets[kind][-1].append(i)
        sizes[kind] += size
    return [members for kind in buckets.values() for members in kind]


def _as_sent(joined: Any) -> Any:
    """Show the same memory as a dtype that both gloo and NCCL take."""
    if joined.is_complex():
        return torch.view_as_real(joined)
    return joined.view(torch.uint8) if joined.dtype == torch.bool else joined
