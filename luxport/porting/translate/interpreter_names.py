"""The names and operators that `interpreter` can evaluate, with the Python functions behind them."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

import luxport
from luxport.porting.translate.tables import INITIALIZERS

__all__ = [
    "BINARY",
    "BUILTINS",
    "COMPARED",
    "GIVEN",
    "INITIALIZER_FUNCTIONS",
    "MAKERS",
    "METHODS",
    "OPERATORS",
    "UNARY",
]

BUILTINS: dict[str, Any] = {
    **{kind.__name__: kind for kind in (abs, enumerate, float, getattr, int, isinstance, len, list, max, min, range)},
    **{kind.__name__: kind for kind in (bool, dict, reversed, round, slice, str, sum, tuple, zip)},
    "__name__": "ported",
}
GIVEN = {
    **{f"math.{name}": getattr(math, name) for name in ("ceil", "exp", "floor", "inf", "log", "log2", "pi", "sqrt")},
    **{f"math.{name}": getattr(math, name) for name in ("gcd", "isqrt", "lcm")},
    **{f"operator.{name}": getattr(operator, name) for name in ("add", "mul", "sub")},
    "functools.reduce": None,
    "math.prod": math.prod,
}
OPERATORS: dict[Any, type[ast.operator]] = {operator.add: ast.Add, operator.mul: ast.Mult, operator.sub: ast.Sub}
METHODS = ("append", "extend", "get", "items")
INITIALIZER_FUNCTIONS = {getattr(luxport.initializers, name) for name in INITIALIZERS.values()}
MAKERS = {luxport.SamePad, luxport.compact, luxport.initializers.constant, luxport.non_trainable, luxport.parameter}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.Not: operator.not_,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Mult: operator.mul,
    ast.Pow: operator.pow,
    ast.Sub: operator.sub,
}
COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.NotEq: operator.ne,
    ast.NotIn: lambda a, b: a not in b,
}
