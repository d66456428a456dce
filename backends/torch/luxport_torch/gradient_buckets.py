"""Buckets: small arrays joined for one message, and all-reduce of gradients during the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.distributed as dist

__all__ = ["BUCKET", "Overlapping", "fill_buckets", "show_to_send"]

BUCKET = 64 * 2**20
"""The largest size of a bucket in bytes. Small arrays are joined because each message has a fixed cost."""


class Overlapping:
    """All-reduces gradients while the backward pass still runs.

    A bucket is sent as soon as its gradients and those of all earlier buckets are there. The first bucket has the
    gradients of the last parameters, which are computed first. Buckets depend on shapes and dtypes alone, so that every
    process sends the same buckets in the same order.
    """

    def __init__(self, size: int, wait: Callable[[Any], None]) -> None:
        self.size, self._wait_for = size, wait
        self._kinds: list[Any] = []
        self._buckets: list[list[int]] = []
        self._place: dict[int, tuple[int, int]] = {}
        self._failure: Exception | None = None
        self._hooks: list[Any] = []

    def watch(self, variables: list[Any], settle: Callable[[], float]) -> None:
        """Register hooks that collect the gradients of these variables.

        Args:
            variables: the parameters
            settle: called once, before the first bucket is sent; returns the weight of this process in the mean
        """
        self._settle = settle
        kinds = [(one.shape, one.dtype, one.device) for one in variables]
        if kinds != self._kinds:
            self._kinds, last = kinds, len(kinds) - 1
            self._buckets = [[last - i for i in bucket] for bucket in fill_buckets(variables[::-1])]
            self._place = {
                i: (number, at) for number, bucket in enumerate(self._buckets) for at, i in enumerate(bucket)
            }
        self._failure, self._next = None, 0
        self._left = [len(bucket) for bucket in self._buckets]
        self._memory: list[Any] = [None] * len(self._buckets)
        self._sent: list[Any] = []
        self._came_already: set[int] = set()
        self._forget_hooks()
        self._hooks = [variable.register_hook(partial(self._take_gradient, i)) for i, variable in enumerate(variables)]

    def _forget_hooks(self) -> None:
        """Remove the hooks: the next step registers new ones on the same parameters."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def _take_gradient(self, i: int, gradient: Any) -> Any:
        """Copy a gradient into its bucket; return its slice of the bucket, in which the mean will be."""
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
            dtype = torch.float32 if dtype in _HALVES else dtype  # rounded in `finish_means`, once
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
            _ = joined.mul_(self._weight) if self._weight else joined.zero_()  # the mean of no samples is NaN
        try:
            self._sent.append(dist.all_reduce(show_to_send(self._memory[number][0]), async_op=True))
        except RuntimeError as error:
            self._failure = self._failure or error

    def _wait(self) -> None:
        """Send the remaining buckets, with zeros for parameters without a gradient, and wait for all of them.

        Processes must send the same buckets, even if a parameter has a gradient in some of them only.
        """
        while self._next < len(self._left):
            self._send()
        sent, self._sent = self._sent, []
        for work in sent:
            try:
                self._wait_for(work)
            except RuntimeError as error:
                self._failure = self._failure or error

    def finish_means(self, gradients: list[Any]) -> list[Any]:
        """Return the means of gradients over all processes.

        Gradients that the hooks have seen are slices of buckets, and are means by now. The means of all others, and of
        half types, are read from the buckets.

        Raises: RuntimeError if a message failed
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


def fill_buckets(arrays: Sequence[Any]) -> list[list[int]]:
    """Return buckets, as lists of indices into `arrays`: each of one dtype and device, and at most `BUCKET` bytes."""
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


def show_to_send(joined: Any) -> Any:
    """Return a view of an array in a dtype that both gloo and NCCL support."""
    if joined.is_complex():
        return torch.view_as_real(joined)
    return joined.view(torch.uint8) if joined.dtype == torch.bool else joined
