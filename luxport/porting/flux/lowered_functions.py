"""Compile the lowered code of Julia's anonymous functions to Python functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import luxport
from luxport.backend import namespace
from luxport.errors import LayerError
from luxport.porting import julia
from luxport.porting.flux.named_functions import ACTIVATIONS

__all__ = ["MOST_METHODS", "JuliaFunction", "compile_function"]


MOST_METHODS = 4
"""How many methods of an unreadable function are shown to the user, who has to replace it."""


@dataclass(frozen=True)
class JuliaFunction:
    """A Julia function of one array, evaluated from the tree of calls in its lowered code."""

    body: Any
    source: str = ""

    def __call__(self, x: Any) -> Any:
        """Evaluate the calls."""
        return _evaluate(self.body, x)

    def __repr__(self) -> str:
        return f"<Julia {self.source}>"


_X = "x"


_COLON = ":"


@dataclass(frozen=True)
class _Call:
    function: str
    args: tuple[Any, ...]


_LARGEST = 10_000
"""How many calls and arguments a function may have; a shared result counts in each place where it is used."""


class _Unknown(Exception):
    """The code has a construct that luxport does not understand."""


def compile_function(method: julia.Method) -> JuliaFunction | None:
    """Return the function that a method of one argument computes; None if its code is not understood."""
    if len(method.arguments) != 1:
        return None
    try:
        body = _read_body(method)
    except (_Unknown, IndexError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return JuliaFunction(body, f"{method.name} at line {method.line}")


def _read_body(method: julia.Method) -> Any:
    values: list[Any] = []
    slots: dict[int, Any] = {2: _X}  # the first slot is the function itself
    # The sizes of the trees of statements and slots: a tree grows exponentially if each result is used twice.
    value_sizes: list[int] = []
    slot_sizes: dict[int, int] = {}
    left = _LARGEST

    def charge(size: int) -> None:
        nonlocal left
        left -= size
        if left < 0:
            raise _Unknown

    def read(node: Any) -> Any:
        charge(1)
        match node:
            case julia.Struct(type=julia.TypeName() as kind):
                match kind.path, node.fields:
                    case "Core.SSAValue", [int(number)]:
                        charge(value_sizes[number - 1])
                        return values[number - 1]
                    case (("Core.SlotNumber" | "Core.Argument" | "Core.TypedSlot"), [int(number), *_]):
                        if number not in slots:
                            raise _Unknown
                        charge(slot_sizes.get(number, 1))
                        return slots[number]
                    case "Core.GlobalRef", [_, julia.Symbol(name), *_]:
                        return _Call("global", (name,))
                    case "Core.QuoteNode", [value]:
                        return read(value)
                    case "Core.Expr", [julia.Symbol(head), list(parts), *_]:
                        return read_expression(head, parts)
            case bool() | int() | float() | np.integer() | np.floating():
                return node.item() if isinstance(node, (np.integer, np.floating)) else node
            case julia.Function():
                return _Call("global", (node.name,))
            case julia.Symbol():
                return _Call("global", (node.name,))
        raise _Unknown

    def read_expression(head: str, parts: list[Any]) -> Any:
        if head == "call":
            function, *args = [read(part) for part in parts]
            return _make_call(function, tuple(args))
        if head == "=":
            target, value = parts
            if not (isinstance(target, julia.Struct) and target.type.path == "Core.SlotNumber"):
                raise _Unknown
            before = left
            slots[target.fields[0]] = read(value)
            slot_sizes[target.fields[0]] = before - left
            return slots[target.fields[0]]
        raise _Unknown

    for statement in method.statements:
        if isinstance(statement, julia.Struct) and isinstance(statement.type, julia.TypeName):
            path, fields = statement.type.path, statement.fields
            if path == "Core.ReturnNode":
                return _resolve_globals(read(fields[0]))
            if path == "Core.Expr" and isinstance(fields[0], julia.Symbol) and fields[0].name == "return":
                return _resolve_globals(read(fields[1][0]))
        before = left
        values.append(None if statement is None else read(statement))
        value_sizes.append(before - left)
    raise _Unknown


def _make_call(function: Any, args: tuple[Any, ...]) -> Any:
    if not (isinstance(function, _Call) and function.function == "global"):
        raise _Unknown
    name = function.args[0]
    if name == "broadcasted":
        called = args[0].args[0] if isinstance(args[0], _Call) and args[0].function == "global" else ""
        return _Call(f".{called}", args[1:]) if f".{called}" in _JULIA else _make_call(args[0], args[1:])
    is_of_tracker = name in ("param", "data") and len(args) == 1  # Tracker.jl wraps and unwraps arrays with these
    if name in ("materialize", "identity") or is_of_tracker:
        return args[0]
    if name == "tuple":
        return args
    if name == "Colon":
        return _COLON
    if name in ACTIVATIONS or name in _JULIA:
        return _Call(name, args)
    raise _Unknown


def _resolve_globals(node: Any) -> Any:
    """Return a tree without references to globals: a colon becomes `_COLON`, and any other global raises `_Unknown`."""
    match node:
        case _Call("global", (":" | "Colon",)):
            return _COLON
        case _Call("global", (name,)):
            raise _Unknown(name)
        case _Call(function, args):
            return _Call(function, tuple([_resolve_globals(arg) for arg in args]))
        case tuple():
            return tuple([_resolve_globals(entry) for entry in node])
    return node


def _evaluate(node: Any, x: Any) -> Any:
    match node:
        case "x":
            return x
        case _Call(function, args):
            values = [_evaluate(arg, x) for arg in args]
            return (ACTIVATIONS.get(function) or _JULIA[function])(*values)
        case tuple():
            return tuple([_evaluate(entry, x) for entry in node])
    return node


def _find_size(x: Any, axis: int | None = None) -> Any:
    sizes = tuple(x.shape)[::-1]
    return sizes if axis is None else sizes[axis - 1]


def _reshape(x: Any, *sizes: Any) -> Any:
    flat = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], tuple) else sizes
    return namespace(x).reshape(x, tuple([-1 if size == _COLON else size for size in flat])[::-1])


def _make_pool(name: str) -> Callable[..., Any]:
    def pool(x: Any, window: tuple[int, ...]) -> Any:
        sizes = tuple(window)[::-1]
        layer = getattr(luxport, name)(sizes)
        return layer(x, {}, {})[0]

    return pool


def _multiply(x: Any, *rest: Any) -> Any:
    for factor in rest:
        x = x * factor
    return x


def _multiply_by_scalars(x: Any, *rest: Any) -> Any:
    if sum(_is_array(value) for value in (x, *rest)) > 1:
        raise LayerError(
            "multiplies matrices in lowered Julia code, which luxport does not support: "
            "pass a function in its place as load_model(..., functions=...)"
        )
    return _multiply(x, *rest)


def _take_entry(sizes: Any, position: int) -> Any:
    if _is_array(sizes):
        raise LayerError(
            "indexes an array in lowered Julia code, which luxport does not support: "
            "pass a function in its place as load_model(..., functions=...)"
        )
    return sizes[position - 1]


def _is_array(value: Any) -> bool:
    return not isinstance(value, (bool, int, float, tuple, str)) and value is not None


_JULIA: Mapping[str, Callable[..., Any]] = {
    "+": lambda x, *rest: sum(rest, start=x),
    "-": lambda x, *rest: x - rest[0] if rest else -x,
    "*": _multiply_by_scalars,
    ".*": _multiply,
    "./": lambda x, y: x / y,
    "/": lambda x, y: _multiply_by_scalars(x, 1 / y),
    "div": lambda x, y: x // y,
    "getindex": _take_entry,
    "lastindex": len,
    "ndims": lambda x: len(x.shape),
    "flatten": lambda x: namespace(x).reshape(x, (x.shape[0], -1)),
    "maxpool": _make_pool("MaxPool"),
    "meanpool": _make_pool("MeanPool"),
    "reshape": _reshape,
    "size": _find_size,
    "÷": lambda x, y: x // y,
}
"""Functions that lowered code may call besides `ACTIVATIONS`, by their Julia names."""
