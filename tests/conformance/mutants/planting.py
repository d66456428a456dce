"""Planting faults, and expecting the suite to catch them."""

from __future__ import annotations
import __future__

import inspect
import textwrap
from collections.abc import Callable
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


def edited(function: Callable[..., Any], old: str, new: str, *, op: str = "", backend: str = "numpy") -> Plant:
    """Change a fragment of a function's source, for whoever calls it.

    The backend's own version of the operation goes: of the function itself, or of `op`, whose definition calls it.
    """

    def plant(patch: pytest.MonkeyPatch) -> None:
        definition: Any = inspect.unwrap(getattr(function, "__func__", function))
        source = textwrap.dedent(inspect.getsource(definition))
        source = source[source.index("def ") :]
        assert source.count(old) == 1, f"{source.count(old)} of {old!r} in {definition.__qualname__}"
        scope: dict[str, Any] = {}
        flags = __future__.annotations.compiler_flag
        exec(compile(source.replace(old, new), __file__, "exec", flags), definition.__globals__, scope)
        patch.setattr(definition, "__code__", scope[definition.__name__].__code__)
        patch.delattr(get_backend(backend).ops, op or definition.__name__, raising=False)

    return plant


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
