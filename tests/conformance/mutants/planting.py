"""Plant a fault into luxport, and check that the conformance suite catches it."""

from __future__ import annotations
import __future__

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

from luxport.backend import get_backend
from luxport_conformance.cases import BY_ID
from luxport_conformance.compare import Violation
from luxport_conformance.examples import EXAMPLES
from luxport_conformance.laws import LAWS
from luxport_conformance.runner import run_case, run_held, run_law, run_override

from .fragments import FragmentError, FunctionTree, Place

Plant = Callable[[pytest.MonkeyPatch], None]
Check = Callable[[], float]
Mutants = dict[str, tuple[Plant, Check]]
"""The name of a fault: the function that plants it, and the case or law that must catch it."""


def expect_caught(plant: Plant, check: Check, patch: pytest.MonkeyPatch) -> None:
    """Assert that a check passes before a fault is planted, and fails afterward."""
    assert check() < float("inf")
    plant(patch)
    with pytest.raises(Violation):
        check()


def catch_each(mutants: Mutants) -> Callable[[str, pytest.MonkeyPatch], None]:
    """Return a test with a parameter for each fault."""

    @pytest.mark.parametrize("mutant", mutants)
    def test(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
        expect_caught(*mutants[mutant], monkeypatch)

    return test


def fault(public: Any, old: str, new: str, check: str | Check, *, backend: str = "numpy") -> tuple[Plant, Check]:
    """Return the `edited` fault and the check that must catch it, which is given or is the name of a case on NumPy."""
    return edited(public, old, new, backend=backend), case(check) if isinstance(check, str) else check


def edited(public: Any, old: str, new: str, *, backend: str = "numpy") -> Plant:
    """Return a function that replaces a fragment in the code of a public function or class.

    The fragment is searched in the function or the methods of the class, and in the functions of luxport that these
    call; it is replaced in the nearest one (see `fragments`). Operations on the way to it lose the backend's own
    versions, so that the definition runs.
    """

    def plant(patch: pytest.MonkeyPatch) -> None:
        way, place = _find(public, old)
        patch.setattr(way[-1], "__code__", _compile(way[-1], place, new))
        for function in way:
            patch.delattr(get_backend(backend).ops, function.__name__, raising=False)

    return plant


Way = tuple[FunctionType, ...]
"""Functions, of which each calls the next."""


def _find(public: Any, fragment: str) -> tuple[Way, Place]:
    """Return the single place that a fragment matches, in the nearest function, and the way to it.

    If no function matches by name, local variables may be renamed; then it must be the only match in all functions.
    """
    ways = [(way, tree) for way in _ways_from(public) if (tree := _tree(way[-1])) is not None]
    for way, tree in ways:
        if places := tree.find(fragment):
            return way, _only(fragment, [(way, place) for place in places])[1]
    renamed = [(way, place) for way, tree in ways for place in tree.find(fragment, way[-1].__globals__)]
    if not renamed:
        raise FragmentError(f"{fragment!r} stands in nothing that {public.__name__} calls")
    return _only(fragment, renamed)


def _only(fragment: str, found: list[tuple[Way, Place]]) -> tuple[Way, Place]:
    if len(found) > 1:
        names = sorted({way[-1].__qualname__ for way, _ in found})
        raise FragmentError(
            f"{fragment!r} stands {len(found)} times in {', '.join(names)}: say more, so that one is meant"
        )
    return found[0]


def _compile(function: FunctionType, place: Place, new: str) -> CodeType:
    """Return the code of a function in which ``new`` replaces the fragment at a place."""
    tree = _tree(function)
    assert tree is not None
    scope: dict[str, Any] = {}
    changed = ast.Module([tree.replace(place, new)], type_ignores=[])
    exec(compile(changed, __file__, "exec", __future__.annotations.compiler_flag), function.__globals__, scope)
    code = scope[function.__name__].__code__
    strange = set(code.co_names) - set(function.__code__.co_names) - {*function.__globals__, *dir(builtins)}
    unknown = sorted(strange & {node.id for node in ast.walk(ast.parse(new)) if isinstance(node, ast.Name)})
    if unknown:
        raise FragmentError(f"{new!r} has {', '.join(unknown)}, which {function.__qualname__} does not know")
    return code


@cache
def _tree(function: FunctionType) -> FunctionTree | None:
    """Parse a function; return None for lambdas and generated methods of dataclasses, which have no definition."""
    if "<" in function.__code__.co_filename or "<" in function.__name__:
        return None
    return FunctionTree(textwrap.dedent(inspect.getsource(function)))


def _ways_from(public: Any) -> Iterator[Way]:
    """Yield the shortest chain of calls from a public function to each function of luxport that it can reach."""
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
    """Yield the luxport functions in a value: the function itself, the methods of a class, the entries of a table."""
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
    """Yield the values of the global names that a function uses, in its module and in the modules that it names."""
    codes = [function.__code__]
    for code in codes:
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    names = {name for code in codes for name in code.co_names}
    scopes = [function.__globals__]
    scopes += [vars(m) for m in map(function.__globals__.get, names) if isinstance(m, ModuleType)]
    yield from [scope[name] for scope in scopes for name in sorted(names) if name in scope]


_FAMILIES = tuple([f"luxport.{family}" for family in ("initializers", "layers", "losses", "ops", "optimizers")])


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
