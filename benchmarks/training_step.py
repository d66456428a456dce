"""A whole training step (loss, gradient, Adam, new states) in luxport, against the framework itself and Keras 3.

``python -m benchmarks.training_step jax`` measures one framework in this process.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

__all__ = ["HEADER", "LIMITS", "QUICK_HEADER", "quick_rows", "rows"]

HEADER = ("step", "against", "ours µs", "theirs µs", "ratio", "limit")
QUICK_HEADER = ("step", "against", "our loss", "their loss")
LIMITS = {
    ("jax", "quick"): 1.05,
    ("jax", "MLP"): 1.05,
    ("torch", "quick"): 1.5,
    ("torch", "MLP"): 1.3,
    ("tf", "quick"): 1.1,
    ("tf", "MLP"): 1.1,
}
KERAS_NAMES = {"jax": "jax", "torch": "torch", "tf": "tensorflow"}


def rows(backend: str, seconds: float = 4.0) -> list[tuple[Any, ...]]:
    """Measure both models on one backend."""
    os.environ["KERAS_BACKEND"] = KERAS_NAMES[backend]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from benchmarks.models import CASES, luxport_step
    from benchmarks.timing import compare

    by_hand = importlib.import_module(f"benchmarks.by_hand_{backend}")
    found: list[tuple[Any, ...]] = []
    for case in CASES:
        ours = luxport_step(case, backend, compiled=by_hand.COMPILED, ready=by_hand.ready)
        theirs = by_hand.step(case)
        same_work(ours, theirs, case)
        kind = "compiled" if by_hand.COMPILED else "eager"
        limit = LIMITS[backend, case.split()[0].rstrip(",")]
        found.append((case, f"{backend} by hand, {kind}", *compare(ours, theirs, seconds), limit))
        from benchmarks import by_keras

        found.append((case, f"Keras 3 on {backend}", *compare(ours, by_keras.step(case), seconds), 1.0))
    return found


def quick_rows(backend: str, most: int | None = None) -> list[tuple[Any, ...]]:
    """Take the same few steps both ways and time nothing: do the contenders still run, and do the same?

    Both models, or the first `most`.
    """
    from benchmarks.models import CASES, luxport_step

    by_hand = importlib.import_module(f"benchmarks.by_hand_{backend}")
    found: list[tuple[Any, ...]] = []
    for case in list(CASES)[:most]:
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
    print(json.dumps(rows(sys.argv[1], *map(float, sys.argv[2:]))))
