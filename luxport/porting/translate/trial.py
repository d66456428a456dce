"""What a ported module defines, tried: its models, and those that its functions make by themselves."""

from __future__ import annotations

import ast
import inspect
import math
import sys
from collections.abc import Iterable, Iterator
from types import FunctionType, ModuleType
from typing import Any

import luxport
from luxport.core.initial_values import abstract_values, initial_parameters
from luxport.porting import load_parameters
from luxport.porting.translate.counted_run import Budget, Raised, Run, TooMuch
from luxport.porting.translate.module import Translation

__all__ = ["models_of", "report"]

_NAME = "luxport_ported"
_STEPS = 150_000


def models_of(translation: Translation) -> dict[str, luxport.Layer]:
    """Import a module that `translate` has written, and return its models by name.

    A function that can be called with nothing is among them as ``name()`` if it makes one, and does so soon; so is
    what the source makes itself in its functions, by what it calls.
    """
    module = sys.modules[_NAME] = ModuleType(_NAME)  # where dataclasses look for what they belong to
    named = {f"own_call_{place}": call.julia for place, call in enumerate(translation.own_calls, 1)}
    python = "\n\n\n".join([translation.python, *(call.python for call in translation.own_calls)])
    try:
        exec(compile(python.encode(), "ported.py", "exec"), vars(module))
        names = vars(module)
        found = {name: value for name, value in names.items() if isinstance(value, luxport.Layer)}
        for name in _makers(python):
            if name in names and isinstance(made := names[name](), luxport.Layer):
                if name in named and any(made == other for other in found.values()):
                    continue  # what a variable of the file has
                found[named.get(name, f"{name}()")] = made
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


def report(translation: Translation, trained: str | None = None) -> Iterator[str]:
    """Yield a line for each model: its parameters, its shapes, and whether the parameters of a trained file fit."""
    models = models_of(translation)
    if not models:
        yield "no model is built when it is imported"
    for name, model in models.items():
        try:
            line = f"{name}: {type(model).__name__} with {luxport.parameter_length(model):,} parameters"
        except Exception as error:  # of the model, whatever it is
            yield f"{name}: {type(model).__name__}; {_first_line(error)}"
            continue
        line += f", {_shapes(model, translation.shapes_tried)}"
        if trained is not None:
            try:
                load_parameters(trained, model)
                line += f"; those in {trained} fit"
            except ValueError as error:  # which a FileFormatError is
                line += f"; {error}"
        yield line


def _shapes(model: luxport.Layer, tried: Iterable[tuple[int, ...]]) -> str:
    """Return the shape of an input that a model takes, and of what it makes of it."""
    failed: Exception | None = None
    for shape in dict.fromkeys([*tried, *_likely(model)]):
        for dtype in ("float32", "int64"):
            try:
                return f"{shape} -> {luxport.output_shape(model, shape, dtype=dtype)}"
            except NotImplementedError as error:  # a hole in the middle
                return _first_line(error)
            except Exception as error:  # one of another shape may do
                failed = failed if dtype == "int64" else error
    return f"no input found that it takes: {_first_line(failed)}" if failed else "no input found that it takes"


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".split("\n")[0]


def _likely(model: luxport.Layer) -> Iterator[tuple[int, ...]]:
    """Yield shapes of inputs that the first weight of a model would take, of a layer that is no table."""
    for path, leaf in luxport.tree.leaves_with_path(abstract_values(initial_parameters, model)):
        if path[-1] == "weight" and leaf.ndim > 2:
            yield from ((2, *[size] * (leaf.ndim - 2), leaf.shape[1]) for size in _SIZES)
            yield from ((2, leaf.shape[1], *[size] * (leaf.ndim - 2)) for size in _SIZES)
            yield from ((2, leaf.shape[0], *[size] * (leaf.ndim - 2)) for size in _SIZES)
            return
        if path[-1] in ("weight", "weight_ih") and leaf.ndim == 2:
            size = leaf.shape[0]
            yield from ((2, size), (2, 5, size), (2, 5))
            sides = [(channels, math.isqrt(size // channels)) for channels in (1, 3)]  # of images that are flattened
            yield from ((2, channels, side, side) for channels, side in sides if channels * side * side == size)
            return


_SIZES = (28, 32, 64, 224, 128, 256)
