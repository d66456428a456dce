"""How often `torch.compile` compiles a layer or a loss whose sizes change: ``make compile-counts``.

A program is compiled for the first sizes, and once more for all others. Each public layer is called with 12 sizes of
its batch, and, if it takes images or sequences, with 12 sizes of these; each loss with 12 sizes of its batch. It fails
where a layer needs more programs than `MOST`, or than those that are known to be needed, with the reason.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch._dynamo.testing import CompileCounter

import luxport
from luxport import tree
from luxport_conformance.examples import EXAMPLES, Example

MOST = 2
SIZES = 12
_UNROLLED = "a sweep is written out step by step, a program for each length, and given up at the ninth"
KNOWN: dict[str, str] = {
    "RNN": _UNROLLED,
    "LSTM": _UNROLLED,
    "GRU": _UNROLLED,
    "GRUv3": _UNROLLED,
    "Recurrence": _UNROLLED,
    "BidirectionalRNN": _UNROLLED,
}
"""Why a layer needs more programs when the size of its sequences changes."""

GAVE_UP = 99


def compilations(f: Callable[..., Any], calls: Iterator[tuple[Any, ...]]) -> int:
    """Count the programs that f needs for these calls; `GAVE_UP` if PyTorch compiles no more."""
    torch._dynamo.reset()
    counter = CompileCounter()
    program = torch.compile(f, fullgraph=True, backend=counter)
    try:
        for call in calls:
            program(*call)
    except torch._dynamo.exc.FailOnRecompileLimitHit:  # type: ignore[attr-defined]
        return GAVE_UP
    return counter.frame_count


def calls_of(example: Example, axes: Callable[[int], tuple[int, ...]]) -> Iterator[tuple[Any, ...]]:
    """Call an example's layer with inputs that grow along some of their axes, which their rank tells."""
    x, ps, st = tree.map(lambda leaf: luxport.asarray(leaf, backend="torch", dtype=_single(leaf)), example.values())
    for more in range(SIZES):

        def grown(leaf: Any, more: int = more) -> Any:
            for axis in axes(leaf.ndim):
                leaf = torch.cat([leaf, *[leaf.narrow(axis, 0, 1)] * more], axis)
            return leaf

        yield tree.map(grown, x), ps, st


def _single(leaf: Any) -> str | None:
    return "float32" if leaf.dtype == np.float64 else None


def batch(rank: int) -> tuple[int, ...]:
    """Name the axis of samples."""
    return (0,)


def image(rank: int) -> tuple[int, ...]:
    """Name the axes of an image (N, C, ...)."""
    return tuple(range(2, rank))


def time(rank: int) -> tuple[int, ...]:
    """Name the axis of time of a sequence (N, T, ...)."""
    return (1,) if rank > 2 else ()


def sizes_that_change(name: str, example: Example) -> dict[str, Callable[[int], tuple[int, ...]]]:
    """Name the axes along which an example's inputs may grow."""
    family = type(example.layer).__module__.rpartition("._")[2]
    found: dict[str, Callable[[int], tuple[int, ...]]] = {"batch": batch} if example.per_sample else {}
    if family in ("conv", "conv_transpose", "pooling", "adaptive_pooling", "upsample"):
        found["image"] = image
    elif family in ("recurrence", "recurrent", "attention"):
        found["time"] = time
    return found


def losses() -> Iterator[tuple[str, Callable[..., Any], Iterator[tuple[Any, ...]]]]:
    """Call each loss of two arrays, of labels where it takes labels."""
    for name in luxport.losses.__all__:
        loss = getattr(luxport.losses, name)
        if isinstance(loss, type) or name in ("label_smoothing", "ctc_loss", "siamese_contrastive_loss"):
            continue

        def calls(sparse: bool = name.startswith("sparse")) -> Iterator[tuple[Any, ...]]:
            for n in range(4, 4 + SIZES):
                y_hat = torch.softmax(torch.arange(3.0 * n).reshape(n, 3) % 5.0, -1)
                yield y_hat, torch.arange(n) % 3 if sparse else y_hat.flip(1)

        yield name, loss, calls()


def main(wanted: list[str]) -> int:
    """Print the counts of all layers and losses, or of those named; return how many need too many programs."""
    failures = 0
    for name, examples in EXAMPLES.items():
        for kind, axes in sizes_that_change(name, examples[0]).items():
            if wanted and name not in wanted:
                continue
            known = KNOWN.get(name) if kind == "time" else None
            try:
                count = compilations(examples[0].layer, calls_of(examples[0], axes))
            except (luxport.LayerError, ValueError, RuntimeError, TypeError) as error:
                failures += known is None
                print(f"{name:24} {kind:6}    not counted: {str(error).splitlines()[0][:90]}", flush=True)
                continue
            failures += count > MOST and known is None
            _say(name, kind, count, known)
    for name, loss, calls in losses():
        if wanted and name not in wanted:
            continue
        try:
            count = compilations(loss, calls)
        except (luxport.LayerError, ValueError, RuntimeError, TypeError) as error:
            failures += 1
            print(f"{name:24} {'batch':6}    not counted: {str(error).splitlines()[0][:90]}", flush=True)
            continue
        failures += count > MOST
        _say(name, "batch", count, None)
    print(f"{failures} need more than {MOST} programs without a reason")
    return int(failures > 0)


def _say(name: str, kind: str, count: int, known: str | None) -> None:
    text = "gave up" if count == GAVE_UP else str(count)
    wrong = "" if count <= MOST else f"   {known or 'TOO MANY'}"
    print(f"{name:24} {kind:6} {text:>7}{wrong}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
