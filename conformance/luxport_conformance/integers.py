"""The law of integers: a function called with integers or booleans gives the same numbers as with equal floats.

Otherwise it raises a one-line error about the dtypes that it takes, the same on every backend, eager and compiled. A
result in an integer dtype must equal the floating result too: no function rounds without an error.
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
"""Without int64, which JAX converts to int32 unless its 64-bit mode is enabled."""

_UNSIGNED = "expects numbers that torch computes with"
"""A part of the error for uint16 and uint32 on PyTorch, which stores these dtypes but has no arithmetic for them."""

_OUT_OF_RANGE = "expects indices of at least"
"""A part of the error for indices out of range. A compiled program cannot raise it, and returns NaN instead."""

_INNER = (
    *("adam_step", "adam_update", "descent_update", "momentum_update"),
    *("crossentropy_of_labels", "crossentropy_of_logits"),
)
"""Operations that rules and losses call after a check for floats: backends may differ in whether they take integers."""

_GIVEN_FLOATING = ("squared_error", "rotation_taps", "average")
"""Operations that are left out: `mse`, `imrotate` and means, which are checked, call them with floats only."""

_ROUNDED = {"upsample_linear": 0.5, "Upsample": 0.5}
"""Functions that are documented to round integer results, with the largest rounding error."""


@dataclass(frozen=True, eq=False)
class Call:
    """An operation, loss or layer `f`, and arrays for it; the arrays at the positions `places` become integers."""

    name: str
    f: Callable[..., Any]
    arrays: tuple[Any, ...]
    places: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} with integers as {', '.join(map(str, self.places))}"


def call_with_integers(call: Call, kind: str, backend: Backend, *, compiles: bool = False) -> float:
    """Compare a call with integers of a dtype to the call on NumPy, and to the call with floats; return 0.

    Raises: Violation if the error differs from NumPy's, or the numbers differ from those of the call with floats
    """
    arrays = _convert_arrays(call, kind)
    told = _call_on_numpy(call, kind)
    program = partial(_flatten, call.f)
    if compiles:
        # torch.compile hides the errors raised while it traces; luxport.jit raises them again.
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
        if mine.dtype.kind in "iu":  # infinity becomes the largest or smallest integer
            bounds = np.iinfo(mine.dtype)
            exact = np.clip(exact, bounds.min, bounds.max)
        if not np.allclose(mine, exact, rtol=1e-3, atol=1e-3 + allowed, equal_nan=True):
            raise Violation(f"{what}: {_shorten([exact])} expected, got {_shorten([mine])}")
    return 0.0


@cache
def _call_on_numpy(call: Call, kind: str, floating: bool = False) -> Any:
    """Return the outcome of the call on NumPy, with `floating` for the same numbers converted to float32."""
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
    """Return the arrays of the result on the host, or the message of the error."""
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
    """Return the sets of positions to convert: each floating array alone, then all of them together."""
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
        if name in ("CompactLayer", "WrappedFunction"):  # a user's function, by the framework's rules
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
    """Print every violation; return 1 if there is one."""
    failed = 0
    for name in names or ("numpy", "torch", "tf", "jax"):
        backend, checked = get_backend(name), 0
        for compiles in (False, True)[: 1 + find_abilities(name).compiles]:
            for call in CALLS:
                # Programs for the other integer dtypes are traced as for int32.
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
