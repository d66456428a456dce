"""The keyword arguments of a compact layer's function: parameters, states, constants and layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from luxport.backend import dtype_name, find_owner, numpy_bfloat16
from luxport.call_arguments import explain_call_errors
from luxport.core.layer import Layer
from luxport.core.layer_base import NamedLayers
from luxport.initializers import Initializer
from luxport.random import Rng
from luxport.text import name_kind

__all__ = ["Bindings", "Initial", "is_child", "make_binding", "non_trainable", "parameter"]


@dataclass(frozen=True)
class Initial:
    """How a parameter or a state is initialized: by ``init(rng, shape)``, or ``init(rng)`` if the shape is None."""

    init: Callable[..., Any]
    shape: tuple[int, ...] | None
    trainable: bool

    def draw(self, rng: Rng) -> Any:
        return self.init(rng) if self.shape is None else self.init(rng, self.shape)

    def __repr__(self) -> str:
        how = "parameter" if self.trainable else "non_trainable"
        if isinstance(self.init, _Values):
            return f"{how}({self.init.shape})"
        return f"{how}({', '.join(map(_write_value, filter(None, (self.init, self.shape))))})"


@explain_call_errors
def parameter(init: Any, shape: int | tuple[int, ...] | None = None) -> Initial:
    """Describe a parameter of a `compact` layer.

    Args:
        init: an initializer with a shape, a function of rng without one, or values, which are stored in float32
        shape: an int or a tuple of ints

    Source: Lux.jl ``@init_fn``

    >>> import luxport
    >>> @luxport.compact(weight=parameter(luxport.initializers.glorot_uniform, (3, 2)))
    ... def linear(x, weight):
    ...     return x @ weight
    >>> luxport.parameter_length(linear)
    6
    """
    return _make_initial(init, shape, True)


@explain_call_errors
def non_trainable(init: Any, shape: int | tuple[int, ...] | None = None) -> Initial:
    """Describe an array in the state of a `compact` layer, as `parameter` does one among the parameters.

    Args:
        init: as `parameter` takes it, or what `parameter` returned
        shape: an int or a tuple of ints

    Source: Lux.jl ``@non_trainable``
    """
    if isinstance(init, Initial) and shape is None:
        return replace(init, trainable=False)
    return _make_initial(init, shape, False)


class Bindings:
    """What a compact layer binds besides its children: hashable, and printed as keyword arguments."""

    __slots__ = ("items",)
    items: tuple[tuple[str, Any], ...]

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.items = tuple(values.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bindings) and self._add_types() == other._add_types()

    def __hash__(self) -> int:
        return hash(self.items)

    def __repr__(self) -> str:
        return ", ".join(f"{name}={_write_value(value)}" for name, value in self.items)

    def _add_types(self) -> tuple[Any, ...]:
        # 1 == True in Python, but layers with these two constants are different.
        return tuple([(name, type(value), value) for name, value in self.items])


@dataclass(frozen=True)
class _Values:
    """An initializer that returns fixed values, stored as bytes, which can be hashed."""

    shape: tuple[int, ...]
    dtype: str
    data: bytes = field(repr=False)

    @classmethod
    def of(cls, values: Any) -> _Values:
        owner = find_owner(type(values))
        host = np.asarray(values if owner is None else owner.to_numpy(values))
        if host.dtype.kind not in "biufc" and dtype_name(host) != "bfloat16":
            raise TypeError(f"a parameter or state expects numbers, got the dtype {host.dtype}")
        host = host.astype({"float64": "float32", "complex128": "complex64"}.get(host.dtype.name, host.dtype))
        return cls(host.shape, host.dtype.name, host.tobytes())

    def __call__(self, rng: Rng) -> Any:
        dtype = numpy_bfloat16() if self.dtype == "bfloat16" else self.dtype
        return np.frombuffer(self.data, dtype).reshape(self.shape).copy()


def _make_initial(init: Initializer | Any, shape: int | tuple[int, ...] | None, trainable: bool) -> Initial:
    if isinstance(shape, int):
        shape = (shape,)
    if callable(init):
        return Initial(init, None if shape is None else tuple(shape), trainable)
    if shape is not None:
        raise TypeError(f"an initializer expected with the shape {shape}, got {name_kind(init)}")
    return Initial(_Values.of(init), None, trainable)


def make_binding(value: Any) -> Any:
    """Return a child (hashable), an `Initial`, or a constant."""
    if isinstance(value, (Layer, Initial, NamedLayers)):
        return value
    if isinstance(value, (tuple, list, Mapping)):
        inner = list(value.values()) if isinstance(value, Mapping) else list(value)
        parts = [make_binding(part) for part in inner]
        if parts and all(isinstance(part, (Layer, NamedLayers, _Children)) for part in parts):
            return NamedLayers(zip(value, parts, strict=True)) if isinstance(value, Mapping) else _Children(parts)
    elif find_owner(type(value)) is not None and not isinstance(value, np.generic):
        return _make_initial(value, None, True)
    return value


class _Children(tuple[Any, ...]):
    """A sequence of layers, distinct from a tuple of constants."""

    __slots__ = ()


def is_child(value: Any) -> bool:
    return isinstance(value, (Layer, NamedLayers, _Children))


def _write_value(value: Any) -> str:
    return getattr(value, "__name__", None) or repr(value)
