"""A stand-in for CuPy on a machine without a GPU: NumPy under the names of CuPy that luxport's backend uses.

What it shares with CuPy: arrays of a type of its own with a `.device`, results that are arrays where NumPy's would be
scalars, no mixing with NumPy's arrays, `asnumpy`. It can show that the backend's code runs and computes the right
results, but it tests no GPU kernel.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as _np

from .cuda.device import Device


class ndarray:
    """An array of the stand-in, which wraps a NumPy array."""

    __hash__ = None  # pyright: ignore[reportAssignmentType]
    __array_priority__ = 100

    def __init__(self, values: Any) -> None:
        self.values = values

    @property
    def device(self) -> Device:
        return Device(0)

    @property
    def T(self) -> ndarray:
        return ndarray(self.values.T)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self.values, name)
        return _forward(name, found) if callable(found) else _own(found)

    def __getitem__(self, key: Any) -> Any:
        return _own(self.values[_plain(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self.values[_plain(key)] = _plain(value)

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()` explicitly")

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Any:
        return (_own(row) for row in self.values)

    def __repr__(self) -> str:
        return repr(self.values)


def _operator(name: str) -> Any:
    def call(self: ndarray, *others: Any) -> Any:
        _refuse_numpy(others)
        found = getattr(self.values, name)(*map(_plain, others))
        if found is NotImplemented:
            return found
        if name.startswith("__i") and name not in ("__invert__", "__int__", "__index__"):
            self.values = found
            return self
        return found if name in _TO_PYTHON else _own(found)

    return call


_TO_PYTHON = ("__bool__", "__int__", "__float__", "__complex__", "__index__")
_ARITHMETIC = (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
)
_UNARY = ("eq", "ne", "lt", "le", "gt", "ge", "neg", "pos", "abs", "invert")
for _name in (
    *_TO_PYTHON,
    *(f"__{kind}{name}__" for name in _ARITHMETIC for kind in ("", "r", "i")),
    *(f"__{name}__" for name in _UNARY),
):
    setattr(ndarray, _name, _operator(_name))


def _plain(value: Any) -> Any:
    if isinstance(value, ndarray):
        return value.values
    if type(value) in (tuple, list):
        return type(value)(map(_plain, value))
    return {key: _plain(entry) for key, entry in value.items()} if type(value) is dict else value


def _own(value: Any) -> Any:
    if isinstance(value, (_np.ndarray, _np.generic)):
        return ndarray(_np.asarray(value))
    if isinstance(value, tuple):
        owned = map(_own, value)
        return type(value)(*owned) if hasattr(value, "_fields") else tuple(owned)
    return list(map(_own, value)) if type(value) is list else value


def _refuse_numpy(values: Any) -> None:
    for value in values:
        if type(value) is _np.ndarray and value.ndim:
            raise TypeError("Unsupported type <class 'numpy.ndarray'>")
        if type(value) in (tuple, list):
            _refuse_numpy(value)


_MAKES = frozenset({"array", "asarray", "from_dlpack", "ascontiguousarray"})


def _forward(name: str, function: Any) -> Any:
    def call(*args: Any, **options: Any) -> Any:
        if name not in _MAKES:
            _refuse_numpy(args)
        return _own(function(*_plain(args), **_plain(options)))

    call.__name__ = name
    return call


def _fill(module: ModuleType, source: ModuleType, left_out: frozenset[str] = frozenset()) -> None:
    for name in dir(source):
        value = getattr(source, name)
        if name.startswith("_") or isinstance(value, ModuleType) or name in left_out:
            continue
        is_function = callable(value) and not isinstance(value, type)
        setattr(module, name, _forward(name, value) if is_function else value)


_fill(sys.modules[__name__], _np, frozenset({"ndarray", "vecdot", "isdtype", "unstack"}))

from . import cuda as cuda  # noqa: E402
from . import fft, linalg  # noqa: E402

_fill(linalg, _np.linalg)
_fill(fft, _np.fft)


def asnumpy(array: Any) -> Any:
    """Return a copy as a NumPy array."""
    return _np.array(_plain(array))


# Functions of dtypes and shapes.
for _name in ("iinfo", "finfo", "result_type", "can_cast", "issubdtype", "promote_types", "broadcast_shapes"):
    setattr(sys.modules[__name__], _name, (lambda f: lambda *args: f(*_plain(args)))(getattr(_np, _name)))
