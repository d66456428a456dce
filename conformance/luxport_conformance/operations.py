"""Comparing a backend's overrides of operations with luxport's definitions."""

from __future__ import annotations

import inspect
import pkgutil
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from types import FunctionType
from typing import Any

import numpy as np

import luxport
from luxport import tree
from luxport.backend import Backend, dtype_name
from luxport.ops import definition_of
from luxport_conformance.arrays import move_to_backend, move_to_host
from luxport_conformance.backends import find_abilities
from luxport_conformance.compare import Violation, compare
from luxport_conformance.compiling import compiles_operations, prepare
from luxport_conformance.joint_programs import Together
from luxport_conformance.operation_examples import OPERATIONS, OverrideExample

__all__ = ["Overrides", "every_operation", "expect_held"]


def find_operations() -> Mapping[str, Callable[..., Any]]:
    """Return all operations that a backend may override, by name, from all modules of luxport."""
    for module in pkgutil.walk_packages(luxport.__path__, "luxport."):
        if "porting" not in module.name and not module.name.endswith("__main__"):
            import_module(module.name)
    modules = [module for name, module in sys.modules.items() if name.startswith("luxport.")]
    return {
        value.__name__: value
        for module in modules
        for value in vars(module).values()
        # A public function that only calls an operation has that operation's definition, under another name.
        if isinstance(value, FunctionType) and getattr(vars(value).get("definition"), "__name__", "") == value.__name__
    }


every_operation = cache(find_operations)


def expect_held(backend: Backend) -> float:
    """Check that each override of a backend has an example, and the same signature as the definition; return 0.

    Raises: Violation if one has not, or a function among the backend's operations overrides no operation
    """
    operations = find_operations()
    for name in dir(backend.ops):
        own, operation = getattr(backend.ops, name), operations.get(name)
        if operation is None:
            home = getattr(backend.ops, "__name__", backend.name)
            if isinstance(own, FunctionType) and not name.startswith("_") and own.__module__.startswith(home):
                raise Violation(f"{name} stands among the operations of {backend.name}, and is none: nothing calls it")
            continue
        if not OPERATIONS.get(name):
            raise Violation(f"{backend.name} has its own {name}, which no example holds against the definition")
        _expect_signature(name, own, definition_of(operation))
    return 0.0


def _expect_signature(name: str, own: Callable[..., Any], definition: Callable[..., Any]) -> None:
    taken = inspect.signature(own).parameters
    anything = any(p.kind is p.VAR_KEYWORD for p in taken.values())
    for parameter in inspect.signature(definition).parameters.values():
        found = taken.get(parameter.name)
        if found is None and anything and parameter.kind is parameter.KEYWORD_ONLY:
            continue
        if found is None or (found.kind, found.default) != (parameter.kind, parameter.default):
            raise Violation(f"{name} takes {parameter} by its definition; a backend's own takes {found}")


class Overrides:
    """Comparisons of overrides with definitions on the examples; compiled results are cached for one run."""

    def __init__(self) -> None:
        self._groups: dict[Any, Together] = {}

    def compare(self, name: str, position: int, backend: Backend, dtype: str) -> float:
        """Compare values, dtypes and gradients of an override with those of the definition on the same arrays.

        Return the largest deviation in units of eps, or 0 if the backend has no override.

        Raises: Violation if they differ by more than is allowed
        """
        if getattr(backend.ops, name, None) is None:
            return 0.0
        example = OPERATIONS[name][position]
        if example.looks or example.tells:
            return _compare_answers(name, example, backend, dtype)
        got, want, got_slopes, want_slopes = self._run(name, position, backend, dtype)
        for leaf, wanted in zip(tree.leaves(got), tree.leaves(want), strict=True):
            if dtype_name(leaf) != dtype_name(wanted):
                raise Violation(f"a result in {dtype_name(wanted)} expected, got {dtype_name(leaf)}")
        got, want = move_to_host(got, backend), move_to_host(want, backend)
        worst = compare(got, want, dtype=dtype, tolerance=example.tolerance)
        slopes = move_to_host(got_slopes, backend), move_to_host(want_slopes, backend)
        return max(worst, compare(*slopes, dtype=dtype, tolerance=example.tolerance, path="gradient"))

    def _run(self, name: str, position: int, backend: Backend, dtype: str) -> Any:
        if not compiles_operations(backend.name):
            program, arrays = _make_job(name, position, backend, dtype)
            before = move_to_host(list(arrays), backend)
            results = program(*arrays)
            if not all(map(_has_same_bits, before, move_to_host(list(arrays), backend))):
                raise Violation("inputs as they were expected, got one that has changed")
            _expect_own_memory(results[0], results[1], arrays)
            return results
        key = (name, backend.name, dtype)
        if key not in self._groups:
            jobs = {i: _make_job(name, i, backend, dtype) for i in range(len(OPERATIONS[name]))}
            self._groups[key] = Together(lambda program: prepare(backend, program), jobs)
        return self._groups[key][position]


def _make_job(name: str, position: int, backend: Backend, dtype: str) -> tuple[Any, tuple[Any, ...]]:
    """Return a program and an example's arrays; the program computes override and definition and their gradients."""
    example = OPERATIONS[name][position]
    versions = getattr(backend.ops, name), definition_of(every_operation()[name])
    floating = tuple(i for i, array in enumerate(example.arrays) if array is not None and array.dtype.kind == "f")
    differentiates = find_abilities(backend.name).gradients and bool(floating)

    def program(*arrays: Any) -> Any:
        results = [version(*arrays, **example.options) for version in versions]
        if not differentiates:
            return (*results, None, None)
        losses = [_make_loss(version, example.options) for version in versions]
        return (*results, *[luxport.grad(loss, floating)(*arrays) for loss in losses])

    return program, tuple([move_to_backend(array, backend, dtype) for array in example.arrays])


def _compare_answers(name: str, example: OverrideExample, backend: Backend, dtype: str) -> float:
    arrays = [move_to_backend(array, backend, dtype) for array in example.arrays]
    versions = getattr(backend.ops, name), definition_of(every_operation()[name])
    got, want = [move_to_host(version(*arrays, **example.options), backend) for version in versions]
    if got != want:
        raise Violation(f"{want} expected, got {got}")
    return 0.0


def _expect_own_memory(got: Any, want: Any, arrays: tuple[Any, ...]) -> None:
    """Check that a result does not share memory with an input, unless the definition's result does."""
    inputs = [_read_memory(array) for array in arrays if array is not None]
    for leaf, wanted in zip(tree.leaves(got), tree.leaves(want), strict=True):
        views = [
            any(np.shares_memory(memory, held) for held in inputs)
            for memory in (_read_memory(leaf), _read_memory(wanted))
        ]
        if views == [True, False]:
            raise Violation("a result of its own expected, got a view of an input")


def _has_same_bits(before: Any, after: Any) -> bool:
    return before is after is None or before.tobytes() == after.tobytes()


def _read_memory(array: Any) -> Any:
    """Return a NumPy view of an array's memory, or an empty array if DLPack cannot share it."""
    try:
        return np.from_dlpack(array)
    except (TypeError, AttributeError, BufferError, RuntimeError, ValueError):
        return np.empty(0)


def _make_loss(version: Any, options: Mapping[str, Any]) -> Any:
    def sum_weighted(*arrays: Any) -> Any:
        y = tree.leaves(version(*arrays, **options))[0]
        xp = luxport.namespace(y)
        # The weights differ between entries: with a plain sum, gradients of the wrong entries would not be noticed.
        weights = xp.cos(xp.astype(xp.reshape(xp.arange(int(np.prod(y.shape))), tuple(y.shape)), y.dtype))
        return xp.sum(y * weights)

    return sum_weighted
