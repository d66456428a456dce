"""Sizes that nobody can have meant: every option of every layer and operation that is a whole number, made huge.

    python tests/wrong_calls/huge_sizes.py [BACKEND [NAME ...]]

Each call may take 2 GiB, so that a billion numbers never fit, and is to end within two seconds, in an error or
in a result. What stands still, wants more memory or ends the process is printed; another error than luxport's own is
the matter of `run.py`.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from judging import BACKENDS, Call, hold_doubles, judge_all, sweep
from right_calls import right_calls

import luxport
from luxport_conformance.examples import EXAMPLES

__all__ = ["calls"]

HUGE = (10**9, 2**31, 2**62, 2**70)
SLOWEST = 2.0
MEMORY = 2 << 30


def calls(backend: str, names: tuple[str, ...] = ()) -> Iterator[Call]:
    """Yield calls of operations and layers, each with one number that is huge."""
    for right in right_calls():
        arrays = [luxport.asarray(a, backend=backend) if isinstance(a, np.ndarray) else a for a in right.arrays]
        for name, value in right.options.items():
            for huge in _made_huge(value):
                if not names or right.name in names:
                    options = {**right.options, name: huge}
                    yield f"{right.name}({name}={huge!r})", _operation(right.function, arrays, options)
    for name, examples in EXAMPLES.items():
        for example in examples[:2]:
            if not names or name in names:
                yield from _of_layer(name, example, backend)


def _of_layer(name: str, example: Any, backend: str) -> Iterator[Call]:
    layer = example.layer
    for field in dataclasses.fields(layer):
        if not field.init:
            continue
        for huge in _made_huge(getattr(layer, field.name)):
            yield f"{name}({field.name}={huge!r})", _layer(layer, {field.name: huge}, example, backend)


def _operation(function: Callable[..., Any], arrays: list[Any], options: dict[str, Any]) -> Callable[[], Any]:
    return lambda: function(*arrays, **options)


def _layer(layer: Any, change: dict[str, Any], example: Any, backend: str) -> Callable[[], Any]:
    def call() -> None:
        changed = dataclasses.replace(layer, **change)
        ps, st = luxport.setup(0, changed, backend=backend)
        if isinstance(example.x, tuple) and all(isinstance(n, int) for n in example.x):
            changed(luxport.asarray(np.ones(example.x, np.float32), backend=backend), ps, st)

    return call


def _made_huge(value: Any) -> Iterator[Any]:
    if isinstance(value, bool):
        return
    if isinstance(value, (int, float)):
        yield from HUGE
    elif isinstance(value, tuple) and value and isinstance(value[0], (int, float, tuple)):
        for huge in _made_huge(value[0]):
            yield (huge, *value[1:])


def _timed(call: Callable[[], Any]) -> Callable[[], Any]:
    def timed() -> None:
        began = time.process_time()
        try:
            call()
        finally:
            if (took := time.process_time() - began) > SLOWEST:
                raise TimeoutError(f"took {took:.1f} s")

    return timed


def main() -> int:
    """Sweep the backend that is named, or each, in child processes; the exit status tells whether all were told."""
    if "--child" in sys.argv:
        _, *names, _, backend, _, first = sys.argv
        hold_doubles(backend)
        luxport.setup(0, luxport.Dense(1, 1), backend=backend)
        judge_all(((name, _timed(call)) for name, call in calls(backend, tuple(names))), int(first), MEMORY)
        return 0
    _, *named = sys.argv
    return max([_report(backend, named[1:]) for backend in named[:1] or BACKENDS])


def _report(backend: str, names: list[str]) -> int:
    """Print what took too long or too much on a backend."""
    found = sweep(backend, [__file__, *names])
    bad = [
        one
        for one in found
        if one.verdict == "crash"
        or "TimeoutError" in one.text
        or ("memory" in one.text.lower() and one.verdict == "raw")
    ]
    for one in bad:
        print(f"{one.verdict} {one.name}: {one.text[:150]}")
    print(f"{backend}: {len(found)} calls, {len(bad)} too slow or too large", flush=True)
    return int(bool(bad))


if __name__ == "__main__":
    raise SystemExit(main())
