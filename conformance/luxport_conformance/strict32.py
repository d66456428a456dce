"""`array_api_strict` without the features that accelerators lack, as a backend.

The namespace has no complex numbers, no 64-bit dtypes, and no dtype named ``bool`` (booleans are recognized by
`isdtype` only); its arrays have no ``.device`` and no assignment to items. Code that runs on it needs none of these.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import wraps
from types import FunctionType, SimpleNamespace
from typing import Any

import array_api_strict as full
import numpy as np

__all__ = ["capabilities", "name", "ops", "xp"]

name = "strict32"
capabilities: frozenset[str] = frozenset()
ops = SimpleNamespace()

_HELD: dict[Any, Any] = {full.int64: full.int32, full.uint64: full.uint32, full.float64: full.float32}
_ABSENT = ("complex64", "complex128", "float64", "int64", "uint64", "bool", "fft", "from_dlpack")


class Array:
    """A wrapped array of `array_api_strict`; 64-bit dtypes become 32-bit ones, complex numbers raise a TypeError."""

    __slots__ = ("_held",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, held: Any) -> None:
        wanted: Any = _HELD.get(held.dtype, held.dtype)
        if full.isdtype(wanted, "complex floating"):
            raise TypeError("complex numbers are not there")
        self._held = held if wanted is held.dtype else full.astype(held, wanted)

    shape = property(lambda self: self._held.shape)
    dtype = property(lambda self: self._held.dtype)
    ndim = property(lambda self: self._held.ndim)
    size = property(lambda self: self._held.size)
    T = property(lambda self: Array(self._held.T))
    mT = property(lambda self: Array(self._held.mT))

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        return xp

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(np.from_dlpack(self._held), dtype)

    def __dlpack__(self, **options: Any) -> Any:
        return self._held.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._held.__dlpack_device__()

    def __getitem__(self, key: Any) -> Array:
        return Array(self._held[_unwrap(key)])

    def __repr__(self) -> str:
        return repr(self._held)


def _unwrap(value: Any) -> Any:
    """Replace the wrapped arrays of a tree by the strict arrays inside."""
    if isinstance(value, Array):
        return value._held
    if isinstance(value, (tuple, list)):
        return type(value)([_unwrap(entry) for entry in value])
    return value


def _wrap(value: Any) -> Any:
    """Wrap the strict arrays of a tree."""
    if isinstance(value, full._array_object.Array):
        return Array(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return SimpleNamespace(**{name: _wrap(getattr(value, name)) for name in value._fields})  # type: ignore[attr-defined]
    if isinstance(value, (tuple, list)):
        return type(value)([_wrap(entry) for entry in value])
    return value


def _pass_on(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        given = {name: _unwrap(value) for name, value in options.items()}
        return _wrap(function(*[_unwrap(arg) for arg in args], **given))

    return call


_BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift")
_COMPARED = ("eq", "ne", "lt", "le", "gt", "ge")
_UNARY = ("neg", "pos", "abs", "invert")
for _name in (*_BINARY, *[f"r{name}" for name in _BINARY], *_COMPARED, *_UNARY):
    setattr(Array, f"__{_name}__", _pass_on(getattr(type(full.zeros(0)), f"__{_name}__")))
for _name, _convert in (("bool", bool), ("int", int), ("float", float), ("index", operator.index)):
    setattr(Array, f"__{_name}__", lambda self, _convert=_convert: _convert(self._held))


def _cut_down(namespace: Any, absent: tuple[str, ...]) -> SimpleNamespace:
    kept = {key: getattr(namespace, key) for key in namespace.__all__ if key not in absent}
    functions = {key: _pass_on(value) for key, value in kept.items() if isinstance(value, FunctionType)}
    return SimpleNamespace(**{**kept, **functions})


xp: Any = _cut_down(full, (*_ABSENT, "linalg"))
xp.linalg = _cut_down(full.linalg, ())
xp.__name__ = name


def owns_type(array_type: type) -> bool:
    """Return whether this is the type of this namespace's arrays."""
    return array_type is Array


def asarray(values: Any, *, dtype: str | None = None, device: str | None = None) -> Array:
    """Copy values to a new array of this namespace."""
    host = to_numpy(values) if isinstance(values, Array) else np.array(values)
    return Array(full.asarray(host if dtype is None else host.astype(dtype)))


def to_numpy(array: Array) -> Any:
    """Copy an array to a new NumPy array."""
    return np.array(np.from_dlpack(array._held))


def from_dlpack(array: Any, *, share: bool) -> Array:
    """Convert another framework's array, with `share` without a copy."""
    return Array(full.from_dlpack(array, copy=not share))


def devices() -> list[str]:
    """Return the name of the only device."""
    return ["cpu"]


def device_of(array: Any) -> str:
    """Return the name of the only device."""
    return "cpu"
