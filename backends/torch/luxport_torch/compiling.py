"""`jit` for PyTorch, with `torch.compile`."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
import torch.utils.checkpoint

from luxport.transforms.program_limit import make_room
from luxport.tree.static import Static

__all__ = ["jit"]


def jit(f: Callable[..., Any]) -> Callable[..., Any]:
    """Compile f with `torch.compile` into one graph.

    Called inside a `torch.func` transform, f runs uncompiled: a compiled program can be differentiated neither in
    forward mode nor by `torch.func`.
    """
    if torch.compiler.is_compiling():  # f becomes part of the program that is being compiled
        return f
    # Dynamo would reuse a program for 0.0 where a constant is -0.0, so each combination of such places has a program.
    programs: dict[tuple[int, ...], Callable[..., Any]] = {}

    def call(*args: Any, **kwargs: Any) -> Any:
        if torch._C._are_functorch_transforms_active():
            return f(*args, **kwargs)
        signs: list[int] = []
        _find_negative_zeros((args, kwargs), 0, signs)
        key = tuple(signs)
        program = programs.get(key)
        if program is None:
            make_room(programs)
            program = programs[key] = _compile_program(f)
        try:
            return program(*args, **kwargs)
        except torch._dynamo.exc.FailOnRecompileLimitHit:  # type: ignore[attr-defined]
            program = programs[key] = _compile_program(f)
            return program(*args, **kwargs)
        except torch._dynamo.exc.TorchDynamoException:  # type: ignore[attr-defined]
            # Dynamo reports an error raised by f as code that it cannot trace: called directly, f raises the error.
            try:
                f(*args, **kwargs)
            except Exception as error:
                raise error from None
            raise

    return call


def _find_negative_zeros(value: Any, place: int, found: list[int]) -> int:
    """Append to `found` the positions, among all floats of a tree, of those that are -0.0; return the new count."""
    kind = type(value)
    if kind is dict or kind is tuple or kind is list:
        for entry in value.values() if kind is dict else value:
            if type(entry) is not torch.Tensor:
                place = _find_negative_zeros(entry, place, found)
    elif kind is Static:
        place = _find_in_constant(value.value, place, found)
    elif kind is float or kind is complex:
        place = _find_in_constant(value, place, found)
    return place


def _find_in_constant(value: Any, place: int, found: list[int]) -> int:
    """Do the same inside the value of a `Static`, which may be anything hashable."""
    if isinstance(value, (float, np.floating)):
        place += 1
        if value == 0 and math.copysign(1, value) < 0:
            found.append(place)
        return place
    if isinstance(value, (complex, np.complexfloating)):
        parts: Any = value.real, value.imag
    elif isinstance(value, (tuple, frozenset)):
        parts = value
    elif is_dataclass(value):
        parts = [getattr(value, field.name) for field in fields(value) if field.compare]
    else:
        return place
    for part in parts:
        place = _find_in_constant(part, place, found)
    return place


_programs = itertools.count(1)


def _compile_program(f: Callable[..., Any]) -> Callable[..., Any]:
    def program(*args: Any, **kwargs: Any) -> Any:
        return f(*args, **kwargs)

    # Dynamo allows eight compilations of one code object, and makes numbers symbolic that differed between two calls of
    # functions of one name and line, such as options of two models. So each program gets a code object of its own.
    program.__code__ = program.__code__.replace(co_name=f"program_{next(_programs)}")
    options: Any = {"guard_filter_fn": _choose_guards} if _MAY_CHOOSE else None
    return torch.compile(program, fullgraph=True, options=options)


_MAY_CHOOSE = getattr(torch.compiler, "skip_guard_on_globals_unsafe", None) is not None
"""Whether this version of PyTorch has the option `guard_filter_fn`."""
_OWN = re.compile(r"G\['__import_luxport(_torch)?(_dot_\w+)?'\]")
_FIXED = (FunctionType, BuiltinFunctionType, ModuleType, type)


def _choose_guards(guards: Sequence[Any]) -> list[bool]:
    """Return which guards each call checks: all but those on luxport's own functions, classes and modules.

    These never change, are half of all guards, and take four fifths of a call's time. Luxport's numbers and tables are
    still checked, as is everything that belongs to the user.
    """
    return [not (_OWN.match(guard.name) and isinstance(guard.value, _FIXED)) for guard in guards]
