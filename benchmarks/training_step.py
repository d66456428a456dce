"""A whole training step (loss, gradient, Adam, new states) in luxport, against the framework itself and its peers.

``python -m benchmarks.training_step jax`` measures one framework in this process.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import traceback
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["HEADER", "QUICK_HEADER", "measure_rows", "compare_losses"]

HEADER = ("step", "against", "ours µs", "theirs µs", "ratio", "from", "to", "our loss", "their loss")
QUICK_HEADER = ("step", "against", "our loss", "their loss")
KERAS_NAMES = {"jax": "jax", "torch": "torch", "tf": "tensorflow"}
PEERS = {
    "jax": {
        "Equinox": ("by_equinox", "equinox"),
        "Flax linen": ("by_flax_linen", "flax"),
        "Flax nnx": ("by_flax_nnx", "flax"),
        "Haiku": ("by_haiku", "haiku"),
    },
    "torch": {"torch.nn, fused Adam": ("by_torch_nn", "torch")},
    "tf": {},
}


def measure_rows(backend: str, failed: list[str], seconds: float = 4.0, only: str = "") -> Iterator[tuple[Any, ...]]:
    """Measure the cases that a framework has by hand, or `only` some, named as ``"W1,W8"``, and yield row by row.

    The backend may be ``"torch, compiled"``, too, or ``"jax, 10 steps a call"``, which have no peers. Ratios are
    medians of neighboring measurements, with their quartiles; losses are those of the fifth call. A contender or a case
    that raises is added to what has `failed`, and the others go on.
    """
    framework, _, way = backend.partition(", ")
    os.environ["KERAS_BACKEND"] = KERAS_NAMES[framework]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from benchmarks.models import CASES

    by_hand = import_module(f"benchmarks.by_hand_{framework}")
    peers = {} if way else _find_peers(framework)
    for case in CASES:
        if case[:2] not in (only.split(",") if only else by_hand.FORWARDS):
            continue
        with _noting(failed, f"{case} on {backend}"):
            yield from _measure_case(case, framework, way, by_hand, peers, seconds, failed)


def _measure_case(
    case: str, backend: str, way: str, by_hand: Any, peers: Any, seconds: float, failed: list[str]
) -> Iterator[tuple[Any, ...]]:
    from benchmarks.timing import compare_all

    ours, theirs, name = _make_sides(case, backend, way, by_hand)
    losses = expect_same_losses(ours, theirs, case)
    contenders = {name: theirs}
    for name, make in peers.items():
        with _noting(failed, f"{case}: {name}"):
            step = make(case)
            step()
            contenders[name] = step
    times = compare_all([ours, *contenders.values()], seconds)
    for name, measured in zip(contenders, times[1:], strict=True):
        ratios = [a / b for a, b in zip(times[0], measured, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        known = losses[1] if contenders[name] is theirs else ""
        mine, other = statistics.median(times[0]), statistics.median(measured)
        yield case, name, mine, other, middle, low, high, losses[0], known


def _make_sides(case: str, backend: str, way: str, by_hand: Any) -> tuple[Callable[[], Any], Callable[[], Any], str]:
    """Return a step of ours and the one by hand, or several of both, and what they are called."""
    from benchmarks.models import make_luxport_step

    steps = int(way.split()[0]) if way.endswith("steps a call") else 1
    compiled = way == "compiled" or by_hand.COMPILED
    ours = make_luxport_step(case, backend, compiled=compiled, wait=by_hand.wait_for, steps=steps)
    theirs = by_hand.make_step(case, compiled=True) if way == "compiled" else by_hand.make_step(case)
    name = f"{backend} by hand, {'compiled' if compiled else 'eager'}"
    return (ours, theirs, name) if steps == 1 else (ours, _repeat(theirs, steps), f"{name}; {way}")


def _repeat(step: Callable[[], Any], times: int) -> Callable[[], Any]:
    """Take several steps by a call each."""

    def take_steps() -> Any:
        value = None
        for _ in range(times):
            value = step()
        return value

    return take_steps


class _noting:
    """Note what raises, with its traceback on standard error, and let the rest go on."""

    def __init__(self, failed: list[str], what: str) -> None:
        self._failed = failed
        self._what = what

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> bool:
        if kind is None or not issubclass(kind, Exception):
            return False
        traceback.print_exc()
        self._failed.append(self._what)
        return True


def _find_peers(backend: str) -> dict[str, Callable[[str], Callable[[], Any]]]:
    """Return the function that makes a case's step for each library that is installed; print a line for others."""
    peers: dict[str, Callable[[str], Callable[[], Any]]] = {}
    for name, (module, library) in (PEERS[backend] | {f"Keras 3 on {backend}": ("by_keras", "keras")}).items():
        if find_spec(library) is None:
            print(f"{name} is left out: {library} is not installed; pip install 'luxport-nn[peers]'", file=sys.stderr)
        elif library == "keras" and import_module("keras").config.backend() != KERAS_NAMES[backend]:
            print(
                f"{name} is left out: this process has it on {import_module('keras').config.backend()}", file=sys.stderr
            )
        else:
            peers[name] = import_module(f"benchmarks.{module}").make_step
    return peers


def compare_losses(backend: str, most: int | None = None) -> list[tuple[Any, ...]]:
    """Take the same few steps both ways, without timing, to check that all contenders run and compute the same.

    All that the framework has by hand, or the first `most`; backends are named as in `measure_rows`.
    """
    from benchmarks.models import CASES

    framework, _, way = backend.partition(", ")
    by_hand = import_module(f"benchmarks.by_hand_{framework}")
    peers = {} if way else _find_peers(framework)
    found: list[tuple[Any, ...]] = []
    for case in [case for case in CASES if case[:2] in by_hand.FORWARDS][:most]:
        ours, theirs, name = _make_sides(case, framework, way, by_hand)
        found.append((case, name, *expect_same_losses(ours, theirs, case)))
        for name, step in peers.items():
            # They begin with initial values of their own.
            take_step = step(case)
            before, after = float(take_step()), float(take_step())
            if not after < before:
                raise AssertionError(f"{case}: a step of {name} takes the loss from {before} to {after}")
            found.append((case, name, found[-1][2], after))
    return found


def expect_same_losses(ours: Any, theirs: Any, case: str) -> tuple[float, float]:
    """Expect the same loss at each of a few steps, and return the last: a contender must not do less work."""
    a = b = 0.0
    for i in range(5):
        a, b = float(ours()), float(theirs())
        if abs(a - b) > 1e-3 * abs(b):
            raise AssertionError(f"{case}: step {i} has the loss {a} in luxport, {b} by hand")
    return a, b


if __name__ == "__main__":
    from benchmarks.timing import ON_GPU

    name, seconds, only = (*sys.argv[1:], *("", "4", "")[len(sys.argv) - 1 :])
    if ON_GPU and name.startswith("torch"):
        import torch

        torch.set_default_device("cuda")
    failed: list[str] = []
    for row in measure_rows(name, failed, float(seconds), only):
        print(json.dumps(row), flush=True)
    if failed:
        sys.exit("failed: " + "; ".join(failed))
