"""Count how often `torch.compile` compiles a layer, a loss or an operation whose sizes change: ``make compile-counts``.

A program is compiled for the first sizes, and a second one for all others. Each public layer is called with 12 batch
sizes, and, if it takes images or sequences, with 12 sizes of these; each loss with 12 batch sizes; each operation with
12 sizes of each axis. The run fails if anything needs more than `MOST` programs without an entry in `KNOWN`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from compile_counts_of_operations import list_growing_operations
from torch._dynamo.testing import CompileCounter

import luxport
from luxport import tree
from luxport_conformance.examples import EXAMPLES, Example

MOST = 2
SIZES = 12
KNOWN: dict[str, str] = {}
"""Layers, losses and operations that need more programs, with the reason."""

GAVE_UP = 99


def count_compilations(f: Callable[..., Any], calls: Iterator[tuple[Any, ...]]) -> int:
    """Count the programs compiled for these calls; `GAVE_UP` if PyTorch refuses to compile more."""
    torch._dynamo.reset()
    counter = CompileCounter()
    program = torch.compile(f, fullgraph=True, backend=counter)
    try:
        for call in calls:
            program(*call)
    except torch._dynamo.exc.FailOnRecompileLimitHit:  # type: ignore[attr-defined]
        return GAVE_UP
    return counter.frame_count


def grow_inputs(example: Example, axes: Callable[[Any], tuple[int, ...]]) -> Iterator[tuple[Any, ...]]:
    """Yield arguments of an example's layer whose arrays grow along the axes that `axes` returns for each."""
    x, ps, st = tree.map(
        lambda leaf: luxport.asarray(leaf, backend="torch", dtype=_single(leaf)), example.draw_values()
    )
    for more in range(SIZES):

        def grow(leaf: Any, more: int = more) -> Any:
            for axis in axes(leaf):
                leaf = torch.cat([leaf, *[leaf.narrow(axis, 0, 1)] * more], axis)
            return leaf

        yield tree.map(grow, x), ps, st


def _single(leaf: Any) -> str | None:
    return "float32" if leaf.dtype == np.float64 else None


def batch_axes(array: torch.Tensor) -> tuple[int, ...]:
    """Return the axis of samples."""
    return (0,)


def image_axes(array: torch.Tensor) -> tuple[int, ...]:
    """Return the axes of an image (N, C, ...)."""
    return tuple(range(2, array.ndim))


def time_axes(array: torch.Tensor) -> tuple[int, ...]:
    """Return the time axes of a sequence (N, T, ...), of flags (N, T), or of a mask of scores (N, 1, T, T)."""
    if array.dtype == torch.bool:
        return (2, 3) if array.ndim == 4 else (1,)
    return (1,) if array.ndim > 2 else ()


_IMAGES = ("conv", "conv_transpose", "pooling", "adaptive_pooling", "upsample")
_NORMS_OF_CHANNELS = (luxport.BatchNorm, luxport.GroupNorm, luxport.InstanceNorm)
_SEQUENCES = ("recurrence", "recurrent", "attention")


def growing_axes(name: str, example: Example) -> dict[str, Callable[[Any], tuple[int, ...]]]:
    """Return the kinds of sizes that may change in an example's inputs, each with a function that finds the axes."""
    layer = example.layer
    family = type(layer).__module__.rpartition("._")[2]
    found: dict[str, Callable[[Any], tuple[int, ...]]] = {"batch": batch_axes} if example.per_sample else {}
    if family in _IMAGES or isinstance(layer, (*_NORMS_OF_CHANNELS, luxport.FlattenLayer)):
        found["image"] = image_axes
    elif family in _SEQUENCES or isinstance(layer, luxport.ReverseSequence):
        found["time"] = time_axes
    return found


def list_losses() -> Iterator[tuple[str, Callable[..., Any], Iterator[tuple[Any, ...]]]]:
    """Yield each loss with its name and with calls of growing size."""
    for name in luxport.losses.__all__:
        loss = getattr(luxport.losses, name)
        if callable(loss) and not isinstance(loss, type):
            yield name, loss, _call_loss(name)


def _call_loss(name: str) -> Iterator[tuple[Any, ...]]:
    for n in range(4, 4 + SIZES):
        y_hat = torch.softmax(torch.arange(3.0 * n).reshape(n, 3) % 5.0, -1)
        if name == "ctc_loss":
            steps = torch.cat([y_hat, y_hat])
            yield torch.stack([steps, steps.flip(1)]), torch.ones(2, n, dtype=torch.int64)
        elif name == "label_smoothing":
            yield y_hat, 0.1
        elif name == "gaussian_nll":
            yield y_hat, y_hat.flip(1), y_hat
        elif name == "triplet_margin_loss":
            yield y_hat, y_hat.flip(1), y_hat + 1.0
        else:
            labels = name.startswith("sparse") or name == "nll_loss"
            yield y_hat, torch.arange(n) % 3 if labels else y_hat.flip(1)


def main(wanted: list[str]) -> int:
    """Print the counts of all layers, losses and operations, or of the named ones; return 1 if any are too high."""
    programs = [
        (name, f"{kind} {number}", example.layer, grow_inputs(example, axes))
        for name, examples in EXAMPLES.items()
        for number, example in enumerate(examples, 1)
        for kind, axes in growing_axes(name, example).items()
    ]
    programs += [(name, "batch", loss, calls) for name, loss, calls in list_losses()]
    programs += [(growing.name, growing.kind, growing, growing.calls()) for growing in list_growing_operations()]
    unknown = set(wanted) - {name for name, *_ in programs}
    if unknown:
        print(f"no layer, loss or operation: {', '.join(sorted(unknown))}")
        return 1
    failures = 0
    for name, kind, f, calls in programs:
        if wanted and name not in wanted:
            continue
        try:
            count = count_compilations(f, calls)
        except (luxport.LayerError, ValueError, RuntimeError, TypeError) as error:
            failures += 1
            print(f"{name:24} {kind:10}    not counted: {str(error).splitlines()[0][:90]}", flush=True)
            continue
        failures += count > MOST and name not in KNOWN
        text = "gave up" if count == GAVE_UP else str(count)
        print(f"{name:24} {kind:10} {text:>7}", "" if count <= MOST else KNOWN.get(name, "TOO MANY"), flush=True)
    print(f"{failures} need more than {MOST} programs without a reason")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
