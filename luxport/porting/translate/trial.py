"""Import a generated module, build its models, and try them: parameters, shapes, and a trained model's file."""

from __future__ import annotations

import ast
import inspect
import sys
import time
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import luxport
from luxport.porting import load_parameters
from luxport.porting.translate.interpreter import Interpreter
from luxport.porting.translate.interpreter_values import Budget, TooExpensive, WouldRaise
from luxport.porting.translate.module import Translation
from luxport.porting.translate.own_calls import OwnCall
from luxport.porting.translate.own_inputs import Drawn, DrawnInputs
from luxport.porting.translate.trial_inputs import Inputs, Whole, find_shapes, write_first_line

__all__ = ["import_models", "report"]

_NAME = "luxport_ported"
_STEPS = 150_000
_SECONDS = 20.0
"""The longest search for shapes, of all models together."""


def import_models(translation: Translation) -> dict[str, luxport.Layer]:
    """Import a module that `translate` has written, and return its models by name.

    Functions that quickly make a model without arguments are called, too: their models are named ``name()``. So are
    the calls in the source's functions that make models, named after the call.
    """
    module = sys.modules[_NAME] = ModuleType(_NAME)  # dataclasses look up their module there
    calls = {f"own_call_{place}": call for place, call in enumerate(translation.own_calls, 1)}
    added = "\n\n\n".join(call.python for call in translation.own_calls)
    imports = "".join(f"import {name}\n" for name in ("functools", "math", "operator") if f"{name}." in added)
    python = f"{translation.python}\n\n{imports}\n\n{added}"
    there: set[str] = set()
    try:
        exec(compile(python.encode(), "ported.py", "exec"), vars(module))
        names = vars(module)
        found = {name: value for name, value in names.items() if isinstance(value, luxport.Layer)}
        for name in _find_makers(python):
            call = calls.get(name)
            if name not in names or (call and call.made_up in there):
                continue
            if isinstance(made := names[name](), luxport.Layer):
                there |= {call.made_up if call else name} - {""}
                if call is not None and any(made == other for other in found.values()):
                    continue  # equal to a variable of the file
                found[_describe_call(call) if call else f"{name}()"] = made
    finally:
        del sys.modules[_NAME]
    return found


def _describe_call(call: OwnCall) -> str:
    return f"{call.julia}, sizes made up" if call.made_up else call.julia


def _find_makers(python: str) -> Iterator[str]:
    """Yield the names of functions that make a layer without arguments, according to `interpreter`."""
    interpreter = Interpreter(Budget(_STEPS))
    for statement in ast.parse(python).body:
        try:
            interpreter.run_statement(statement)
        except (WouldRaise, TooExpensive):  # cannot happen: such statements are under __main__
            return
    for name, function in list(interpreter.names.items()):
        if (
            isinstance(function, FunctionType)
            and not _has_required_arguments(function)
            and _can_make_layer(interpreter, name)
        ):
            yield name


def _has_required_arguments(function: Any) -> bool:
    given = inspect.signature(function).parameters.values()
    return any(one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in given)


def _can_make_layer(interpreter: Interpreter, name: str) -> bool:
    try:
        return isinstance(
            interpreter.evaluate(ast.parse(f"{name}()", mode="eval").body, interpreter.names), luxport.Layer
        )
    except Exception:  # the function may do anything
        return False


def report(translation: Translation, trained: str | None = None) -> Iterator[str]:
    """Yield a line for each model: its parameters, its shapes, and whether the parameters of a trained file fit."""
    models = import_models(translation)
    end = time.monotonic() + _SECONDS
    if not models:
        yield "no model is built when it is imported"
    for name, model in models.items():
        try:
            line = f"{name}: {type(model).__name__} with {luxport.parameter_length(model):,} parameters"
        except Exception as error:  # the model may do anything
            yield f"{name}: {type(model).__name__}; {write_first_line(error)}"
            continue
        seconds = min(2.0, max(0.2, end - time.monotonic()))
        line += f", {find_shapes(model, map(_make_inputs, translation.inputs_tried), seconds)}"
        if trained is not None:
            try:
                load_parameters(trained, model)
                line += f"; those in {trained} fit"
            except ValueError as error:  # a FileFormatError is one, too
                line += f"; {error}"
        yield line


def _make_inputs(drawn: DrawnInputs) -> Inputs:
    """Return inputs found in the source as arrays without values."""
    if isinstance(drawn, Drawn):
        return Whole(drawn.shape, "int64" if drawn.whole else "float32")
    if isinstance(drawn, dict):
        return {name: _make_inputs(value) for name, value in drawn.items()}
    return tuple(map(_make_inputs, drawn))
