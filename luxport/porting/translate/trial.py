"""What a ported module defines, tried: its models, and those that its functions make by themselves."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import luxport
from luxport.porting import load_parameters
from luxport.porting.translate.counted_run import Budget, Raised, Run, TooMuch

__all__ = ["models_of", "report"]

_NAME = "luxport_ported"
_STEPS = 150_000


def models_of(python: str) -> dict[str, luxport.Layer]:
    """Import a module that `translate` has written, and return its models by name.

    A function that can be called with nothing is among them as ``name()`` if it makes one, and does so soon.
    """
    module = sys.modules[_NAME] = ModuleType(_NAME)  # where dataclasses look for what they belong to
    try:
        exec(compile(python.encode(), "ported.py", "exec"), vars(module))
        names = vars(module)
        found = {name: value for name, value in names.items() if isinstance(value, luxport.Layer)}
        for name in _makers(python):
            if name in names and isinstance(made := names[name](), luxport.Layer):
                found[f"{name}()"] = made
    finally:
        del sys.modules[_NAME]
    return found


def _makers(python: str) -> Iterator[str]:
    """Name the functions that make a layer of nothing, as the counted reader of the module has it."""
    run = Run(Budget(_STEPS))
    for statement in ast.parse(python).body:
        try:
            run.statement(statement)
        except (Raised, TooMuch):  # what stands below __main__ is not executed, so nothing should
            return
    for name, function in list(run.names.items()):
        if isinstance(function, FunctionType) and not _required(function) and _makes_layer(run, name):
            yield name


def _required(function: Any) -> bool:
    given = inspect.signature(function).parameters.values()
    return any(one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in given)


def _makes_layer(run: Run, name: str) -> bool:
    try:
        return isinstance(run.value(ast.parse(f"{name}()", mode="eval").body, run.names), luxport.Layer)
    except Exception:  # as it does whatever is in it
        return False


def report(python: str, trained: str | None = None) -> Iterator[str]:
    """Yield a line for each model: how many parameters it has, and whether those of a trained file fit."""
    models = models_of(python)
    if not models:
        yield "no model is built when it is imported"
    for name, model in models.items():
        line = f"{name}: {type(model).__name__} with {luxport.parameter_length(model):,} parameters"
        if trained is not None:
            try:
                load_parameters(trained, model)
                line += f"; those in {trained} fit"
            except ValueError as error:  # which a FileFormatError is
                line += f"; {error}"
        yield line
