"""A whole training step (loss, gradient, Adam, new states) in luxport, against the framework itself and its peers.

``python -m benchmarks.training_step jax`` measures one framework in this process.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

__all__ = ["HEADER", "QUICK_HEADER", "quick_rows", "rows"]

HEADER = (
    *("step", "against", "ours µs", "theirs µs", "ratio", "from", "to"),
    *("our loss", "their loss", "our first s", "their first s", "MiB"),
)
QUICK_HEADER = ("step", "against", "our loss", "their loss")
KERAS_NAMES = {"jax": "jax", "torch": "torch", "tf": "tensorflow"}


def rows(backend: str, seconds: float = 4.0, only: str = "") -> list[tuple[Any, ...]]:
    """Measure the cases that a framework has by hand, or `only` some, named as ``"W1,W8"``.

    Ratios are medians of neighboring measurements, with their quartiles; losses are those of the fifth step. First
    steps (trace, compile) are by the clock. The last column is the peak memory of the process until then.
    """
    os.environ["KERAS_BACKEND"] = KERAS_NAMES[backend]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from benchmarks.models import CASES, luxport_step
    from benchmarks.timing import compare_all

    by_hand = importlib.import_module(f"benchmarks.by_hand_{backend}")
    found: list[tuple[Any, ...]] = []
    for case in CASES:
        if case[:2] not in (only.split(",") if only else by_hand.FORWARDS):
            continue
        ours = luxport_step(case, backend, compiled=by_hand.COMPILED, ready=by_hand.ready)
        theirs = by_hand.step(case)
        first = _first(ours), _first(theirs)
        losses = same_work(ours, theirs, case)
        contenders = {f"{backend} by hand, {'compiled' if by_hand.COMPILED else 'eager'}": theirs}
        contenders |= _peers(backend, case)
        times = compare_all([ours, *contenders.values()], seconds)
        for name, measured in zip(contenders, times[1:], strict=True):
            ratios = [a / b for a, b in zip(times[0], measured, strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            known = (losses[1], first[0], first[1]) if contenders[name] is theirs else ("", first[0], "")
            mine, other = statistics.median(times[0]), statistics.median(measured)
            found.append((case, name, mine, other, middle, low, high, losses[0], *known, _peak()))
    return found


def _peers(backend: str, case: str) -> dict[str, Callable[[], Any]]:
    peers: dict[str, Callable[[], Any]] = {}
    if backend == "torch":
        from benchmarks import by_torch_nn

        peers["torch.nn, fused Adam"] = by_torch_nn.step(case)
    from benchmarks import by_keras

    if case[:2] in by_keras.KNOWN:
        peers[f"Keras 3 on {backend}"] = by_keras.step(case)
    return peers


def _first(step: Callable[[], Any]) -> float:
    start = time.perf_counter()
    float(step())
    return time.perf_counter() - start


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def quick_rows(backend: str, most: int | None = None) -> list[tuple[Any, ...]]:
    """Take the same few steps both ways and time nothing: do the contenders still run, and do the same?

    All that the framework has by hand, or the first `most`.
    """
    from benchmarks.models import CASES, luxport_step

    by_hand = importlib.import_module(f"benchmarks.by_hand_{backend}")
    found: list[tuple[Any, ...]] = []
    for case in [case for case in CASES if case[:2] in by_hand.FORWARDS][:most]:
        ours = luxport_step(case, backend, compiled=by_hand.COMPILED, ready=by_hand.ready)
        found.append((case, f"{backend} by hand", *same_work(ours, by_hand.step(case), case)))
    return found


def same_work(ours: Any, theirs: Any, case: str) -> tuple[float, float]:
    """Expect the same loss at every one of a few steps, and return the last: who does less work is faster."""
    a = b = 0.0
    for i in range(5):
        a, b = float(ours()), float(theirs())
        if abs(a - b) > 1e-3 * abs(b):
            raise AssertionError(f"{case}: step {i} has the loss {a} in luxport, {b} by hand")
    return a, b


if __name__ == "__main__":
    from benchmarks.timing import ON_GPU

    name, seconds, only = (*sys.argv[1:], *("", "4", "")[len(sys.argv) - 1 :])
    if ON_GPU and name == "torch":
        import torch

        torch.set_default_device("cuda")
    print(json.dumps(rows(name, float(seconds), only)))
