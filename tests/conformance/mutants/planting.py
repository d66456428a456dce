"""Planting faults, and expecting the suite to catch them."""

from __future__ import annotations
import __future__

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

from luxport import ops
from luxport.backend import get_backend
from luxport_conformance.cases import BY_ID
from luxport_conformance.compare import Violation
from luxport_conformance.examples import EXAMPLES
from luxport_conformance.laws import LAWS
from luxport_conformance.runner import run_case, run_held, run_law, run_override

Plant = Callable[[pytest.MonkeyPatch], None]
Check = Callable[[], float]
Mutants = dict[str, tuple[Plant, Check]]
"""By what is wrong: the fault, and the case or law that must catch it."""


def expect_caught(plant: Plant, check: Check, patch: pytest.MonkeyPatch) -> None:
    """Expect a check to pass before a fault is planted, and to fail after."""
    assert check() < float("inf")
    plant(patch)
    with pytest.raises(Violation):
        check()


def edited(public: Any, old: str, new: str, *, backend: str = "numpy") -> Plant:
    """Change a fragment of what a public function or class is made of, for whoever calls it.

    The fragment stands in the function, in the methods of the class, or else in what they call of luxport: which
    helper has it, and on how many lines, is no matter; the nearest is changed. Operations on the way lose the
    backend's own versions.
    """

    def plant(patch: pytest.MonkeyPatch) -> None:
        found = ((way, code) for way in _ways_from(public) if (code := _edit(way[-1], old, new)) is not None)
        way, code = next(found, ((), None))
        assert way, f"{old!r} stands in nothing that {public.__name__} calls"
        patch.setattr(way[-1], "__code__", code)
        for function in way:
            patch.delattr(get_backend(backend).ops, function.__name__, raising=False)

    return plant


def _edit(function: FunctionType, old: str, new: str) -> CodeType | None:
    """Compile a function's source again with one fragment of it changed, if it has the fragment."""
    source, start = _source(function)
    found = list(_pattern(old).finditer(source, start))
    if not found:
        return None
    assert len(found) == 1, f"{len(found)} of {old!r} in {function.__qualname__}"
    scope: dict[str, Any] = {}
    changed = source[: found[0].start()] + new + source[found[0].end() :]
    exec(compile(changed, __file__, "exec", __future__.annotations.compiler_flag), function.__globals__, scope)
    return scope[function.__name__].__code__


@cache
def _source(function: FunctionType) -> tuple[str, int]:
    """Return a function's source from its `def` on, and where its code begins, after what is said of it.

    Of what a dataclass makes and of lambdas there is none.
    """
    if "<" in function.__code__.co_filename or "<" in function.__name__:
        return "", 0
    source = textwrap.dedent(inspect.getsource(function))
    source = source[source.index("def ") :]
    docstring = function.__doc__ or ""
    return source, source.index('"""', source.index('"""') + 3) if docstring else 0


@cache
def _pattern(fragment: str) -> re.Pattern[str]:
    """Find a fragment whatever lines it is broken into, with a comma before what closes it or without."""
    words = re.findall(r"\w+|\s+|.", fragment.strip())
    parts = [r"\s*,?\s*" + re.escape(word) if word in ")]}" else re.escape(word) for word in words if word.strip()]
    return re.compile((r"\b" if words[0][0].isalnum() else "") + r"\s*".join(parts))


def _ways_from(public: Any) -> Iterator[tuple[FunctionType, ...]]:
    """Yield each function of luxport that a public one calls, with the functions on the shortest way to it."""
    seen: set[FunctionType] = set()
    ways = [(function,) for function in _functions(public)]
    while ways:
        longer = []
        for way in ways:
            if way[-1] not in seen:
                seen.add(way[-1])
                yield way
                longer += [(*way, function) for called in _names_in(way[-1]) for function in _functions(called)]
        ways = longer


def _functions(value: Any) -> Iterator[FunctionType]:
    """Yield the functions of luxport's that a value is: what an operation defines, a class's methods, a table's."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple):
        for part in value:
            yield from _functions(part) if callable(part) else ()
    elif isinstance(value, type):
        classes = [base for base in value.__mro__ if base.__module__.startswith(_FAMILIES)]
        yield from _functions(tuple([part for base in classes for part in vars(base).values()]))
    elif callable(value):
        function = inspect.unwrap(getattr(value, "__func__", value))
        if isinstance(function, FunctionType) and function.__module__.startswith(_FAMILIES):
            yield function


def _names_in(function: FunctionType) -> Iterator[Any]:
    """Yield what the names in a function stand for, in its module and in the modules of luxport that it names."""
    codes = [function.__code__]
    for code in codes:
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    names = {name for code in codes for name in code.co_names}
    scopes = [function.__globals__]
    scopes += [vars(m) for m in map(function.__globals__.get, names) if isinstance(m, ModuleType)]
    yield from [scope[name] for scope in scopes for name in sorted(names) if name in scope]


_FAMILIES = tuple([f"luxport.{family}" for family in ("initializers", "layers", "losses", "ops", "optimizers")])


def replace_operation(name: str, faulty: Callable[..., Any]) -> Plant:
    """Layers look operations up in `luxport.ops`: the fault is there on every backend."""
    return lambda patch: patch.setattr(ops, name, faulty)


def replace_call(layer: type, faulty: Callable[..., Any]) -> Plant:
    return lambda patch: patch.setattr(layer, "__call__", faulty)


def override(name: str, faulty: Callable[..., Any]) -> Plant:
    return lambda patch: patch.setattr(get_backend("torch").ops, name, faulty, raising=False)


def case(name: str, backend: str = "numpy", dtype: str = "float32") -> Check:
    return lambda: run_case(BY_ID[name], backend, "eager", dtype)


def law(name: str, layer: str, example: int = 1, backend: str = "numpy", dtype: str = "float32") -> Check:
    return lambda: run_law(LAWS[name], EXAMPLES[layer][example - 1], backend, dtype)


def overrides(name: str, example: int = 1) -> Check:
    return lambda: run_override(name, example - 1, "torch", "float32")


def held() -> float:
    return run_held("torch")
