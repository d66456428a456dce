"""Calls of public functions with missing, unknown, repeated and too many arguments, and the errors they must raise.

Arguments that do not fit a signature raise an error before any array is used, so most functions are called without
arrays. Only operations, which a backend may override, are called with arrays of each backend too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import luxport
from luxport import initializers, layers, losses, ops, optimizers, porting, schedules, training
from luxport.backend import Backend
from luxport_conformance.arrays import move_to_backend
from luxport_conformance.compare import Violation
from luxport_conformance.examples import EXAMPLES
from luxport_conformance.operation_examples import OPERATIONS

__all__ = ["WrongCall", "expect_refused", "list_layer_calls", "list_operation_calls", "list_public_calls"]

_PUBLIC: tuple[ModuleType, ...] = (
    *(luxport, ops, losses, layers, optimizers, schedules, training, porting, initializers),
)
_MOST = 40
"""More arguments than any function takes."""
_HOME = Path(luxport.__file__).parent


@dataclass(frozen=True)
class WrongCall:
    """A call with wrong arguments: the function's name, the fault, and words of which the error must contain one."""

    name: str
    what: str
    words: tuple[str, ...]
    call: Callable[[], Any]


def list_public_calls() -> Iterator[WrongCall]:
    """Yield wrong calls without arrays of every public function and class that has a signature."""
    seen: set[int] = set()
    for module in _PUBLIC:
        for name in module.__all__:
            value: Any = getattr(module, name)
            if id(value) in seen or not callable(value) or _is_left_out(value):
                continue
            seen.add(id(value))
            yield from _list_calls(value, inspect.signature(value).parameters, (), {})


def list_operation_calls(backend: Backend, *, with_complex: bool = True) -> Iterator[WrongCall]:
    """Yield calls of operations with arrays of a backend, in which only one argument is wrong."""
    for name, examples in OPERATIONS.items():
        operation = getattr(ops, name, None)
        # A namespace without complex numbers cannot represent the arrays of some examples.
        fits = examples and (with_complex or not any(map(np.iscomplexobj, examples[0].arrays)))
        if operation is not None and fits:
            arrays = tuple([move_to_backend(array, backend, "float32") for array in examples[0].arrays])
            parameters = inspect.signature(operation).parameters
            yield from _list_calls(operation, parameters, arrays, dict(examples[0].options))


def list_layer_calls() -> Iterator[WrongCall]:
    """Yield calls of one example of each layer with too few, too many, repeated or unknown arguments."""
    for examples in EXAMPLES.values():
        for example in examples[:1] if isinstance(examples, (list, tuple)) else ():
            layer = example.layer
            x, ps, st = example.draw_values()
            name = type(layer).__name__
            for what, words, args, options in (
                ("nothing", ("x",), (), {}),
                ("x alone", ("ps",), (x,), {}),
                ("no states", ("st",), (x, ps), {}),
                ("four", ("4",), (x, ps, st, x), {}),
                ("x twice", ("both by position and by name",), (x, ps, st), {"x": x}),
                ("misspelled", ("misspelled",), (x, ps, st), {"misspelled": 1}),
            ):
                yield WrongCall(name, what, words, _bind(layer, args, options))


def expect_refused(wrong: WrongCall) -> str:
    """Check that a wrong call raises luxport's own one-line error with the function's name and the fault; return it.

    Raises: Violation if it raises no error or another one
    """
    at = f"{wrong.name} called with {wrong.what}"
    try:
        wrong.call()
    except (TypeError, luxport.LayerError) as error:
        text = str(error)
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        if frame is None or _HOME not in Path(frame.tb_frame.f_code.co_filename).parents:
            raise Violation(f"{at}: luxport's own words expected, got {text!r}") from None
        told = wrong.name in text and any([word in text for word in wrong.words])
        if not told or not text.isprintable():
            words = " or ".join(wrong.words)
            raise Violation(f"{at}: one line with its name and {words} expected, got {text!r}") from None
        return text
    except Exception as error:
        raise Violation(f"{at}: a TypeError expected, got {type(error).__name__}: {error}") from None
    raise Violation(f"{at}: an error expected, got none")


def _is_left_out(value: Any) -> bool:
    """Return whether a public object is left out: a type that users do not construct, or one of `_ANYTHING`."""
    if isinstance(value, type):
        return inspect.isabstract(value) or value.__name__ in _NOT_BUILT or issubclass(value, BaseException)
    try:
        inspect.signature(value)
    except (TypeError, ValueError):  # a type alias has no signature
        return True
    return getattr(value, "__name__", "") in _ANYTHING


_ANYTHING = {"namespace", "backend_of", "operation", "definition_of", "in_dtype_of"}
"""Functions that take any number of arrays, or are for authors of operations and rules."""
_NOT_BUILT = {"Array", "Backend", "Compound", "FlatParameters", "HigherOrder", "Initializer", "InputSpec", "Layer"} | {
    *("LayerSummary", "Loss", "ModelSummary", "NamedLayers", "Replacement", "Rule", "SavedFile", "Static", "StepIf"),
    *("OptimizerState", "Progress", "TrainState"),
}


def _list_calls(
    function: Any, parameters: Any, arrays: tuple[Any, ...], options: dict[str, Any]
) -> Iterator[WrongCall]:
    name = getattr(function, "__name__", None) or repr(function)
    kinds = [p.kind for p in parameters.values()]
    by_position = [
        p for p in parameters.values() if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    ]
    required = [p.name for p in parameters.values() if p.default is p.empty and p.kind not in _VARIADIC]
    absent = () if arrays else tuple(required)
    if required:
        yield WrongCall(name, "nothing", (required[0],), _bind(function, (), {}))
    if Parameter.VAR_KEYWORD not in kinds:
        unknown = {**options, "misspelled": 1}
        yield WrongCall(name, "misspelled", ("misspelled", *absent), _bind(function, arrays, unknown))
    if Parameter.VAR_POSITIONAL not in kinds:
        more = (*arrays, *range(_MOST - len(arrays)))
        yield WrongCall(name, f"{_MOST} arguments", (str(_MOST), *absent), _bind(function, more, options))
    first = by_position[0] if by_position else None
    if first is not None and first.kind is Parameter.POSITIONAL_OR_KEYWORD:
        given = arrays or (1,)
        twice = {**options, first.name: given[0]}
        yield WrongCall(name, f"{first.name} twice", (first.name,), _bind(function, given, twice))
    for missing in options:
        if parameters[missing].default is Parameter.empty:
            rest = {key: value for key, value in options.items() if key != missing}
            yield WrongCall(name, f"no {missing}", (missing,), _bind(function, arrays, rest))


_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def _bind(function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Callable[[], Any]:
    return lambda: function(*args, **options)
