"""Wrong calls of every operation, loss and function of labels, derived from right ones."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from judging import WRONG_ARGUMENTS, Call, label
from right_calls import RightCall, list_right_calls

import luxport

__all__ = ["list_calls", "list_calls_of"]

WRONG_OPTIONS: tuple[Any, ...] = (*WRONG_ARGUMENTS, -7, 2**62, float("inf"), 1j, (-1, -1), (0, 0), "sum")


def list_calls(backend: str) -> Iterator[Call]:
    """Yield every wrong call; some values are right for some functions."""
    seen: set[str] = set()
    for right in list_right_calls():
        yield from list_calls_of(right, backend, again=right.name in seen)
        seen.add(right.name)


def list_calls_of(right: RightCall, backend: str, *, again: bool = False) -> Iterator[Call]:
    """Yield the wrong calls of one function; for a second example only those with wrong arrays."""
    arrays = [_put(array, backend) for array in right.arrays]
    head = f"{right.name} (2)" if again else right.name
    if not again:
        yield from _list_calls_of_other_length(right, arrays)
        yield from _list_calls_with_other_options(right, arrays)
    for i, array in enumerate(right.arrays):
        for what, wrong in _list_wrong_arrays(array, arrays[i], backend):
            changed = [*arrays[:i], wrong, *arrays[i + 1 :]]
            yield f"{head}: argument {i} {what}", _bind(right, changed, dict(right.options))
    if len(arrays) > 1:
        yield f"{head}: arrays reversed", _bind(right, arrays[::-1], dict(right.options))
        for what, change in _EVERY:
            wrong = [change(array, backend) if isinstance(array, np.ndarray) else array for array in right.arrays]
            yield f"{head}: every array {what}", _bind(right, wrong, dict(right.options))


def _bind(right: RightCall, arrays: Any, options: dict[str, Any]) -> Callable[[], Any]:
    return lambda: right.function(*arrays, **options)


def _list_calls_of_other_length(right: RightCall, arrays: list[Any]) -> Iterator[Call]:
    name, options = right.name, dict(right.options)
    yield f"{name}()", _bind(right, (), {})
    yield f"{name}(**options)", _bind(right, (), options) if arrays else _bind(right, (1,), options)
    for n in range(1, len(arrays)):
        yield f"{name}: {n} of {len(arrays)} arrays", _bind(right, arrays[:n], options)
    if arrays:
        yield f"{name}: one array more", _bind(right, [*arrays, arrays[0]], options)
    yield f"{name}: ten arguments more", _bind(right, [*arrays, *range(10)], options)
    yield f"{name}(misspelled=)", _bind(right, arrays, {**options, "misspelled": 1})
    positional = [p.name for p in right.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    if arrays and positional:
        yield f"{name}: {positional[0]} twice", _bind(right, arrays, {**options, positional[0]: arrays[0]})
        named = dict(zip(positional, arrays, strict=False))
        for missing in named:
            rest = {key: value for key, value in named.items() if key != missing}
            yield f"{name}: by name without {missing}", _bind(right, (), {**rest, **options})
    for missing in options:
        rest = {key: value for key, value in options.items() if key != missing}
        if right.parameters[missing].default is inspect.Parameter.empty:
            yield f"{name}: without {missing}", _bind(right, arrays, rest)


def _list_calls_with_other_options(right: RightCall, arrays: list[Any]) -> Iterator[Call]:
    names = [p.name for p in right.parameters.values() if p.kind is p.KEYWORD_ONLY or p.name in right.options]
    for name in names:
        for value in WRONG_OPTIONS:
            yield f"{right.name}({name}={label(value)})", _bind(right, arrays, {**right.options, name: value})
        if arrays:
            yield f"{right.name}({name}=an array)", _bind(right, arrays, {**right.options, name: arrays[0]})


def _list_wrong_arrays(host: Any, placed: Any, backend: str) -> Iterator[tuple[str, Any]]:
    """Yield values that cannot stand for an array."""
    other = "torch" if backend == "numpy" else "numpy"
    yield from (("None", None), ("a string", "x"), ("a number", 3.5), ("a bool", True), ("an object", object()))
    yield from (("a dict", {"x": placed}), ("a layer", luxport.Dense(2, 2)), ("a type", float))
    yield from (
        ("a list of lists", [[1.0, 2.0]]),
        ("a tuple of arrays", (placed, placed)),
        ("strings", np.array(["a"])),
    )
    yield "floats of another backend", luxport.asarray(np.ones((4, 3), np.float32), backend=other)
    host = np.ones((4, 3), np.float32) if host is None else np.asarray(host)
    yield "a list", host.tolist()
    yield "of another backend", luxport.asarray(_to_single(host), backend=other)
    for kind in ("bool", "int8", "int32", "uint8", "float16", "float32", "complex64"):
        if kind != _to_single(host).dtype.name:
            yield f"in {kind}", luxport.asarray(host.astype(kind), backend=backend, dtype=kind)
    shapes = [((), "without axes"), ((0,), "empty"), ((*host.shape, 1), "an axis more"), ((1,) * 6, "six axes")]
    shapes += [((7,), "one axis"), ((5, 7), "two axes"), ((2, 5, 7), "three axes"), ((2, 5, 7, 3), "four axes")]
    shapes += [(host.shape[1:], "an axis less")] if host.shape else []
    for axis, n in enumerate(host.shape):
        for size in (0, n + 1, 2 * n):
            shapes.append(((*host.shape[:axis], size, *host.shape[axis + 1 :]), f"{size} along {axis}"))
    for shape, what in shapes:
        yield what, _put(np.ones(shape, host.dtype), backend)
    if host.dtype.kind == "i":
        for number in (-1, -1000, 1000, 2**31 - 1):
            yield f"of {number}", _put(np.full(host.shape, number, host.dtype), backend)
    else:
        yield "of NaN", _put(np.full(host.shape, np.nan), backend)


def _to_single(host: Any) -> Any:
    kinds = {"float64": np.float32, "complex128": np.complex64, "int64": np.int32}
    return host.astype(kinds.get(host.dtype.name, host.dtype))


def _put(host: Any, backend: str) -> Any:
    return luxport.asarray(_to_single(host), backend=backend) if isinstance(host, np.ndarray) else host


def _cast(kind: str) -> Callable[[Any, str], Any]:
    return lambda host, backend: luxport.asarray(host.astype(kind), backend=backend, dtype=kind)


_EVERY: tuple[tuple[str, Callable[[Any, str], Any]], ...] = (
    *[(f"in {kind}", _cast(kind)) for kind in ("bool", "int32", "uint8", "float16", "complex64")],
    ("empty", lambda host, backend: _put(np.ones((0, *host.shape[1:]), host.dtype), backend)),
    ("an axis more", lambda host, backend: _put(host[None], backend)),
)
