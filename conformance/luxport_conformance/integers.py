"""The law of integers: what is called with integers or booleans computes what it does of the same floating numbers.

Or it says in one line what it takes, the same on every backend, eager and compiled. Nothing is rounded away in
silence: where a result is one of integers, it is the one of floating numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

import luxport
from luxport import losses, tree
from luxport.backend import Backend, get_backend
from luxport_conformance.arrays import move_to_backend, move_to_host
from luxport_conformance.backends import find_abilities
from luxport_conformance.compare import Violation
from luxport_conformance.compiling import compile_quickly
from luxport_conformance.examples import EXAMPLES
from luxport_conformance.operation_examples import OPERATIONS
from luxport_conformance.operation_examples.example import draw
from luxport_conformance.operations import every_operation

__all__ = ["CALLS", "KINDS", "KINDS_OF_JAX", "Call", "call_with_integers"]

KINDS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "bool")

KINDS_OF_JAX = tuple([kind for kind in KINDS if kind != "int64"])
"""Outside of its mode of 64 bits JAX makes int32 of int64."""

_UNSIGNED = "expects numbers that torch computes with"
"""PyTorch holds unsigned integers of more than 8 bits and has no arithmetic of them: a line says what to do."""

_OUT_OF_RANGE = "expects indices of at least"
"""What a compiled program cannot say of numbers that come from data: it marks the result with NaN."""

_INNER = (
    *("adam_step", "adam_update", "descent_update", "momentum_update"),
    *("crossentropy_of_labels", "crossentropy_of_logits"),
)
"""What rules and losses call after they have asked for floating numbers: a backend may compute what another refuses."""

_GIVEN_FLOATING = ("squared_error", "rotation_taps", "average")
"""What `mse`, `imrotate` and means call with arrays of one floating dtype; they themselves are asked of integers."""

_ROUNDED = {"upsample_linear": 0.5, "Upsample": 0.5}
"""What says of itself that it rounds to integers, and by how much."""


@dataclass(frozen=True, eq=False)
class Call:
    """An operation, loss or layer, and arrays of which those at `places` become integers."""

    name: str
    f: Callable[..., Any]
    arrays: tuple[Any, ...]
    places: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} with integers as {', '.join(map(str, self.places))}"


def call_with_integers(call: Call, kind: str, backend: Backend, *, compiles: bool = False) -> float:
    """Call with integers of a kind.

    Raises: Violation if the line is another one than NumPy's, or the numbers are not those of floating ones
    """
    arrays = _convert_arrays(call, kind)
    told = _call_on_numpy(call, kind)
    program = partial(_flatten, call.f)
    if compiles:
        # PyTorch's compiler does not show what was raised while it traced; luxport's does.
        program = (
            luxport.jit(program) if isinstance(told, str) else compile_quickly(backend, program, tracing_only=True)
        )
    got = _record_outcome(program, arrays, backend)
    unsigned = isinstance(got, str) and _UNSIGNED in got and kind in ("uint16", "uint32")
    marked = compiles and isinstance(told, str) and _OUT_OF_RANGE in told and not isinstance(got, str)
    if marked and all(np.isnan(leaf).any() for leaf in got):
        return 0.0
    inner = call.name in _INNER and (isinstance(got, str) or isinstance(told, str))
    if unsigned or inner or (isinstance(got, str) and isinstance(told, str) and got == told):
        return 0.0
    what = f"{call} of {kind}{' compiled' if compiles else ''}"
    if isinstance(got, str) or isinstance(told, str):
        raise Violation(f"{what}: as on NumPy {_shorten(told)} expected, got {_shorten(got)}")
    want = _call_on_numpy(call, kind, floating=True)
    if isinstance(want, str):
        raise Violation(f"{what}: the line of floating numbers expected, {want!r}, got {_shorten(got)}")
    allowed = _ROUNDED.get(call.name, 0.0)
    for mine, exact in zip(got, want, strict=True):
        if mine.dtype.kind in "iu":  # whose extremes stand for infinity
            bounds = np.iinfo(mine.dtype)
            exact = np.clip(exact, bounds.min, bounds.max)
        if not np.allclose(mine, exact, rtol=1e-3, atol=1e-3 + allowed, equal_nan=True):
            raise Violation(f"{what}: {_shorten([exact])} expected, got {_shorten([mine])}")
    return 0.0


@cache
def _call_on_numpy(call: Call, kind: str, floating: bool = False) -> Any:
    """Return NumPy's outcome; `floating` for that of the same numbers in float32, whose epsilons are its own."""
    arrays = _convert_arrays(call, kind)
    if floating:
        arrays = [array.astype("float32") if i in call.places else array for i, array in enumerate(arrays)]
    return _record_outcome(partial(_flatten, call.f), arrays, get_backend("numpy"))


def _convert_arrays(call: Call, kind: str) -> list[Any]:
    return [_convert(array, kind) if i in call.places else array for i, array in enumerate(call.arrays)]


def _convert(array: Any, kind: str) -> Any:
    if kind == "bool":
        return array > 0
    numbers = np.round(2.0 * np.clip(array, -1.6, 1.6))
    return (np.abs(numbers) if kind[0] == "u" else numbers).astype(kind)


def _flatten(f: Callable[..., Any], *arrays: Any) -> tuple[Any, ...]:
    return tuple(tree.leaves(f(*arrays)))


def _record_outcome(program: Any, arrays: list[Any], backend: Backend) -> Any:
    """Return numbers, or the line that was raised."""
    try:
        with np.errstate(all="ignore"):
            return move_to_host(list(program(*move_to_backend(arrays, backend, "float32"))), backend)
    except luxport.LayerError as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}, which is none of ours: {error}"


def _shorten(outcome: Any) -> str:
    return repr(outcome if isinstance(outcome, str) else [np.ravel(leaf)[:6].tolist() for leaf in outcome])[:400]


def _list_places(arrays: tuple[Any, ...]) -> list[tuple[int, ...]]:
    """Return each array of floating numbers alone, and all of them."""
    floating = tuple([i for i, array in enumerate(arrays) if array is not None and np.asarray(array).dtype.kind == "f"])
    return [*[(i,) for i in floating], *([floating] if len(floating) > 1 else [])]


def _list_operations() -> Iterator[Call]:
    for name, operation in sorted(every_operation().items()):
        if name in _GIVEN_FLOATING:
            continue
        for example in OPERATIONS.get(name, ()):
            if not example.looks and not example.tells:
                for places in _list_places(example.arrays):
                    yield Call(name, partial(operation, **example.options), example.arrays, places)


def _list_layers() -> Iterator[Call]:
    for name, examples in EXAMPLES.items():
        if name in ("CompactLayer", "WrappedFunction"):  # whose product is the user's own, and the framework's
            continue
        for example in examples:
            x, ps, st = example.draw_values()
            x, st = tree.leaves(x), luxport.test_mode(st)
            structure, arrays = tree.structure((example.draw_values()[0], ps, st)), (*x, *tree.leaves((ps, st)))

            def f(*arrays: Any, example: Any = example, structure: Any = structure) -> Any:
                return example.layer(*tree.unflatten(structure, iter(arrays)))[0]

            floating = tuple([i for i, leaf in enumerate(x) if leaf.dtype.kind == "f"])
            if floating:
                yield Call(name, f, arrays, floating)


def _list_losses() -> Iterator[Call]:
    rows = np.abs(draw(4, 3)) / 4.0 + 0.1
    labels, more = np.asarray([0, 2, 1, 1], np.int32), np.abs(draw(4, 3, seed=5)) / 4.0 + 0.1
    for name in losses.__all__:
        loss = getattr(losses, name)
        if isinstance(loss, type):
            continue
        arrays: tuple[Any, ...] = (rows, more)
        if name == "ctc_loss":
            arrays = draw(2, 5, 4), np.asarray([[0, 1], [2, 2]], np.int32)
        elif name.startswith("sparse") or name == "nll_loss":
            arrays = rows, labels
        elif name in ("gaussian_nll", "triplet_margin_loss"):
            arrays = rows, more, more + 0.5
        elif name == "label_smoothing":
            loss, arrays = partial(loss, alpha=0.1), (rows,)
        for places in _list_places(arrays):
            yield Call(name, loss, arrays, places)


CALLS: tuple[Call, ...] = (*_list_operations(), *_list_layers(), *_list_losses())


def main(names: list[str]) -> int:
    """Print every violation; return 1 if there was one."""
    failed = 0
    for name in names or ("numpy", "torch", "tf", "jax"):
        backend, checked = get_backend(name), 0
        for compiles in (False, True)[: 1 + find_abilities(name).compiles]:
            for call in CALLS:
                # Other kinds of integers are traced as these.
                for kind in ("int32", "bool") if compiles else KINDS_OF_JAX if name == "jax" else KINDS:
                    try:
                        call_with_integers(call, kind, backend, compiles=compiles)
                    except Violation as violation:
                        failed += 1
                        print(f"{name}: {violation}", flush=True)
                    checked += 1
        print(f"{name}: {checked} calls with integers; {failed} failed so far", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
