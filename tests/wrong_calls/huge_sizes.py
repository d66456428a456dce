"""Call every layer and operation with each whole-number option made huge.

python tests/wrong_calls/huge_sizes.py [BACKEND [NAME ...]]

Each call may take 2 GiB, so a billion numbers never fit, and must end within two seconds with an error or a result.
Calls that hang, need more memory or end the process are printed; errors that are not luxport's own are found by
`run.py`.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from judging import BACKENDS, Call, enable_doubles, judge_all, sweep
from right_calls import list_right_calls

import luxport
from luxport_conformance.examples import EXAMPLES

__all__ = ["list_calls"]

HUGE = (10**9, 2**31, 2**62, 2**70)
SLOWEST = 2.0
MEMORY = 2 << 30


def list_calls(backend: str, names: tuple[str, ...] = ()) -> Iterator[Call]:
    """Yield calls of operations and layers with one huge number each."""
    for right in list_right_calls():
        arrays = [luxport.asarray(a, backend=backend) if isinstance(a, np.ndarray) else a for a in right.arrays]
        for name, value in right.options.items():
            for huge in _make_huge(value):
                if not names or right.name in names:
                    options = {**right.options, name: huge}
                    yield f"{right.name}({name}={huge!r})", _call_operation(right.function, arrays, options)
    for name, examples in EXAMPLES.items():
        for example in examples[:2]:
            if not names or name in names:
                yield from _list_layer_calls(name, example, backend)


def _list_layer_calls(name: str, example: Any, backend: str) -> Iterator[Call]:
    layer = example.layer
    for field in dataclasses.fields(layer):
        if not field.init:
            continue
        for huge in _make_huge(getattr(layer, field.name)):
            yield f"{name}({field.name}={huge!r})", _call_layer(layer, {field.name: huge}, example, backend)


def _call_operation(function: Callable[..., Any], arrays: list[Any], options: dict[str, Any]) -> Callable[[], Any]:
    return lambda: function(*arrays, **options)


def _call_layer(layer: Any, change: dict[str, Any], example: Any, backend: str) -> Callable[[], Any]:
    def call() -> None:
        changed = dataclasses.replace(layer, **change)
        ps, st = luxport.setup(0, changed, backend=backend)
        if isinstance(example.x, tuple) and all(isinstance(n, int) for n in example.x):
            changed(luxport.asarray(np.ones(example.x, np.float32), backend=backend), ps, st)

    return call


def _make_huge(value: Any) -> Iterator[Any]:
    if isinstance(value, bool):
        return
    if isinstance(value, (int, float)):
        yield from HUGE
    elif isinstance(value, tuple) and value and isinstance(value[0], (int, float, tuple)):
        for huge in _make_huge(value[0]):
            yield (huge, *value[1:])


def _limit_time(call: Callable[[], Any]) -> Callable[[], Any]:
    def timed() -> None:
        began = time.process_time()
        try:
            call()
        finally:
            if (took := time.process_time() - began) > SLOWEST:
                raise TimeoutError(f"took {took:.1f} s")

    return timed


def main() -> int:
    """Judge all calls on the named backend, or on each, in child processes; return 1 if one is too slow or large."""
    if "--child" in sys.argv:
        _, *names, _, backend, _, first = sys.argv
        enable_doubles(backend)
        luxport.setup(0, luxport.Dense(1, 1), backend=backend)
        judge_all(((name, _limit_time(call)) for name, call in list_calls(backend, tuple(names))), int(first), MEMORY)
        return 0
    _, *named = sys.argv
    return max([_report(backend, named[1:]) for backend in named[:1] or BACKENDS])


def _report(backend: str, names: list[str]) -> int:
    """Print the calls that took too long or too much memory; return 1 if there are any."""
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
