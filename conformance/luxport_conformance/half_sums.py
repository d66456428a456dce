"""The law of sums in half types: sums of thousands of numbers are as exact as in float32, also in gradients.

The examples sum over thousands of samples, positions or entries. The numbers are near 1 (a half type that adds up ones
stops at 256 or 2,048) or near 500 (whose square overflows float16). The expected values are computed by PyTorch in
float64 from the same rounded numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import luxport
from luxport import tree
from luxport.backend import Backend, get_backend
from luxport_conformance.arrays import move_to_backend, move_to_host
from luxport_conformance.backends import find_abilities
from luxport_conformance.compare import EPSILON, Violation
from luxport_conformance.compiling import prepare

__all__ = ["HALVES", "Spread", "measure_half_sums"]

HALVES = ("float16", "bfloat16")
_LARGEST = {"float16": 65504.0, "bfloat16": 3.38e38}
_LEAST = {"float16": 2.0**-24, "bfloat16": 2.0**-133}


@dataclass(frozen=True)
class Spread:
    """An operation, loss or layer `f`, and arrays for it that are long along the axes it sums over.

    `weight` is the size of the cotangents, small enough that the gradients do not overflow the half type. `steps` is
    the number of roundings to the half type, each with an error of up to half a unit of the largest number.
    `constant` has the positions of arrays whose gradients are not checked.
    """

    name: str
    f: Callable[..., Any]
    arrays: tuple[Any, ...]
    weight: float = 1.0
    steps: int = 1
    constant: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> str:
        """The name of the operation, loss or layer: the first word of `name`."""
        return self.name.split()[0].rstrip(",")


def measure_half_sums(spread: Spread, backend: Backend, dtype: str) -> float:
    """Return the largest deviation, in units of half the dtype's eps times the largest number of the array.

    Raises: Violation if it is more than 6 for each step, or a result is not finite although the exact one fits
    """
    arrays = tuple([_round(array, dtype) for array in spread.arrays])
    by = tuple([i for i, array in enumerate(arrays) if _is_floating(array) and i not in spread.constant])
    torch = get_backend("torch")
    wide = move_to_backend(arrays, torch, "float64")
    shape = tuple(tree.leaves(spread.f(*wide))[0].shape)
    cotangent = _round(spread.weight * np.random.Generator(np.random.Philox(9)).uniform(0.5, 1.5, shape), dtype)
    want = move_to_host(_make_program(spread.f, by, True)(move_to_backend(cotangent, torch, "float64"), *wide), torch)
    program = prepare(backend, _make_program(spread.f, by, find_abilities(backend.name).gradients))
    with np.errstate(all="ignore"):
        got = move_to_host(
            program(move_to_backend(cotangent, backend, dtype), *move_to_backend(arrays, backend, dtype)), backend
        )
    pairs = [("the value", got[0], want[0])]
    if got[1] is not None:
        pairs += [(f"gradient {i}", mine, exact) for i, mine, exact in zip(by, got[1], want[1], strict=True)]
    # The value may overflow the half type, but then some gradient has to fit, or nothing is compared.
    if got[1] is not None and not any([_fits(exact, dtype).any() for _, _, exact in pairs]):
        raise ValueError(f"{spread} in {dtype}: nothing that is wanted fits: a smaller weight makes it")
    largest = max(float(np.abs(exact[_fits(exact, dtype)]).max(initial=0.0)) for _, _, exact in pairs)
    return max(
        _measure_deviation(f"{spread} in {dtype}: {what}", mine, exact, dtype, spread.steps, largest)
        for what, mine, exact in pairs
    )


def _make_program(f: Callable[..., Any], by: tuple[int, ...], gradients: bool) -> Callable[..., Any]:
    def sum_weighted(cotangent: Any, *arrays: Any) -> Any:
        y = tree.leaves(f(*arrays))[0]
        xp = luxport.namespace(y)
        wide = xp.float64 if "64" in str(cotangent.dtype) else xp.float32
        return xp.sum(xp.astype(y, wide) * xp.astype(cotangent, wide))

    def program(cotangent: Any, *arrays: Any) -> Any:
        differentiates = gradients and len(by) > 0
        slopes = luxport.grad(sum_weighted, tuple([i + 1 for i in by]))(cotangent, *arrays) if differentiates else None
        return tree.leaves(f(*arrays))[0], slopes

    return program


def _fits(want: Any, dtype: str) -> Any:
    return np.abs(want) < _LARGEST[dtype] * (1 - EPSILON[dtype])


def _measure_deviation(what: str, got: Any, want: Any, dtype: str, steps: int, largest: float) -> float:
    got = np.asarray(got, np.float64)
    if got.shape != want.shape:
        raise Violation(f"{what}: shape {want.shape} expected, got {got.shape}")
    fits = _fits(want, dtype)
    if not np.isfinite(got[fits]).all():
        raise Violation(f"{what}: finite numbers expected, got {got[fits][~np.isfinite(got[fits])][0]}")
    size = float(np.abs(want[fits]).max(initial=0.0))
    if size < 1e-9 * largest:  # it cancels, as the bias of attention's keys: the error is relative to the terms
        size = largest
    unit = max(EPSILON[dtype] / 2 * size, _LEAST[dtype])
    distance = np.abs(np.where(fits, got, 0.0) - np.where(fits, want, 0.0)) / unit
    worst = np.unravel_index(int(np.argmax(distance)), distance.shape)
    if distance[worst] > 6 * steps:
        raise Violation(f"{what}: {want[worst]} expected, got {got[worst]}, {distance[worst]:.3g} half units apart")
    return float(distance[worst])


def _is_floating(array: Any) -> bool:
    return array is not None and array.dtype.kind == "f"


def _round(array: Any, dtype: str) -> Any:
    if not _is_floating(array):
        return array
    if dtype == "float16":
        return array.astype(np.float16).astype(np.float64)
    # bfloat16 is the upper half of float32's bits, rounded to nearest even.
    bits = array.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).view(np.float32).astype(np.float64)
