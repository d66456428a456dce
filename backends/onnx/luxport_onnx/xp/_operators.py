"""Operators and methods of arrays: the functions of the namespace, and conversions to Python's numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from luxport_onnx.graph import Array, is_exporting, make_constant
from luxport_onnx.run_graphs import read_numbers
from luxport_onnx.xp import _bitwise as bitwise
from luxport_onnx.xp import _elementwise as elementwise
from luxport_onnx.xp._indexing import getitem
from luxport_onnx.xp._manipulation import matrix_transpose, permute_dims
from luxport_onnx.xp._reductions import matmul

_NUMBERS = (Array, bool, int, float, np.ndarray, np.generic)


def _set_both_ways(name: str, function: Callable[..., Any]) -> None:
    def forward(self: Array, other: Any) -> Any:
        return function(self, _make_operand(other)) if isinstance(other, _NUMBERS) else NotImplemented

    def backward(self: Array, other: Any) -> Any:
        return function(_make_operand(other), self) if isinstance(other, _NUMBERS) else NotImplemented

    setattr(Array, f"__{name}__", forward)
    setattr(Array, f"__r{name}__", backward)


def _make_operand(x: Any) -> Any:
    return make_constant(x) if isinstance(x, (np.ndarray, np.generic)) else x


_ARITHMETIC = {
    "add": elementwise.add,
    "sub": elementwise.subtract,
    "mul": elementwise.multiply,
    "truediv": elementwise.divide,
    "floordiv": elementwise.floor_divide,
    "mod": elementwise.remainder,
    "pow": elementwise.pow,
    "and": bitwise.bitwise_and,
    "or": bitwise.bitwise_or,
    "xor": bitwise.bitwise_xor,
    "lshift": bitwise.bitwise_left_shift,
    "rshift": bitwise.bitwise_right_shift,
    "matmul": matmul,
    "lt": elementwise.less,
    "le": elementwise.less_equal,
    "gt": elementwise.greater,
    "ge": elementwise.greater_equal,
    "eq": elementwise.equal,
    "ne": elementwise.not_equal,
}
for _name, _function in _ARITHMETIC.items():
    _set_both_ways(_name, _function)


def _find_number(self: Array) -> Any:
    """Return the one number of an array.

    Raises: TypeError while a graph is recorded for export, which serves other inputs too
    """
    if self.is_constant:
        return self.value[()] if self.ndim == 0 else self.value.item()
    if is_exporting():
        raise TypeError(
            "onnx expects a program that does not look at numbers of its inputs, as Python's `if` and `float` do"
        )
    return read_numbers(self).item()


Array.__hash__ = object.__hash__  # type: ignore[method-assign]
for _name, _kind in {"bool": bool, "int": int, "float": float, "complex": complex}.items():
    setattr(Array, f"__{_name}__", lambda self, kind=_kind: kind(_find_number(self)))
Array.__index__ = lambda self: int(_find_number(self))  # type: ignore[attr-defined]
Array.__neg__ = lambda self: elementwise.negative(self)  # type: ignore[attr-defined]
Array.__pos__ = lambda self: self  # type: ignore[attr-defined]
Array.__abs__ = lambda self: elementwise.abs(self)  # type: ignore[attr-defined]
Array.__invert__ = lambda self: bitwise.bitwise_invert(self)  # type: ignore[attr-defined]
Array.__getitem__ = getitem  # type: ignore[attr-defined]
Array.T = property(lambda self: permute_dims(self, range(self.ndim)[::-1]))  # type: ignore[attr-defined]
Array.mT = property(matrix_transpose)  # type: ignore[attr-defined]


def _refuse_change(self: Array, key: Any, value: Any) -> None:
    raise TypeError("onnx changes no array: make a new one")


Array.__setitem__ = _refuse_change  # type: ignore[attr-defined]
