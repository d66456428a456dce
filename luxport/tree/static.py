"""`Static`: a constant in a tree that compilers treat as part of the program, not as data."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Hashable
from importlib import import_module
from typing import Any, Generic, TypeVar

import numpy as np

from luxport.text import show
from luxport.when_imported import when_imported

__all__ = ["ExactlyEqual", "Static", "drop_oldest", "make_hashable", "is_same_constant"]

T = TypeVar("T", bound=Hashable)


class ExactlyEqual:
    """A base of classes whose ``==`` compares by `is_same_constant`, which therefore does not look at their fields."""

    __slots__ = ()


class Static(ExactlyEqual, Generic[T]):
    """A hashable constant in a state tree: a node without leaves.

    Compilers and transforms see the value as part of the tree's structure: `jax.jit`, `torch.compile` and
    `tf.function` compile anew when it changes, and `vmap` and `grad` leave it alone. Its truth value is that of its
    value, so that `if st["training"]:` works. Two are equal only if no program could distinguish their values: 1, 1.0
    and True are three values, 0.0 and -0.0 are two, inside tuples and dataclasses, too; NaN is equal to itself.

    Raises: TypeError if the value is not hashable

    >>> Static(True) == Static(True), bool(Static(False))
    (True, False)
    """

    __slots__ = ("value",)
    value: T

    def __init__(self, value: T) -> None:
        try:
            hash(value)
        except TypeError as error:
            raise TypeError(
                f"Static expects a hashable value, such as a number or a tuple, got {show(value)}: {error}"
            ) from None
        object.__setattr__(self, "value", value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("Static is immutable: build a new one")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Static) and is_same_constant(self.value, other.value)

    def __hash__(self) -> int:
        return hash((Static, make_hashable(self.value)))

    def __bool__(self) -> bool:
        return bool(self.value)

    def __repr__(self) -> str:
        return f"Static({self.value!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Static, (self.value,)

    # TensorFlow's protocol for nodes of `tf.nest`, which finds these methods by name: no registration is needed.
    def __tf_flatten__(self) -> tuple[tuple[T], tuple[()]]:
        return (self.value,), ()

    @classmethod
    def __tf_unflatten__(cls, metadata: tuple[T], components: tuple[()]) -> Static[T]:
        return cls(*metadata)


def is_same_constant(one: Any, other: Any) -> bool:
    """Return whether a program compiled for one constant is valid for the other.

    >>> is_same_constant((1, 0.0), (True, 0.0)), is_same_constant(0.0, -0.0), is_same_constant("a", "a")
    (False, False, True)
    """
    if one is other:
        return True
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is bool or kind is int or kind is str:
        return one == other
    if isinstance(one, float):
        return math.copysign(1, one) == math.copysign(1, other) if one == other else one != one and other != other
    if isinstance(one, complex):
        return is_same_constant(one.real, other.real) and is_same_constant(one.imag, other.imag)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(is_same_constant, one, other))
    if isinstance(one, np.generic):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if one != other:
        return False
    if isinstance(one, frozenset):
        return all(any(is_same_constant(entry, candidate) for candidate in other) for entry in one)
    if dataclasses.is_dataclass(one) and not isinstance(one, ExactlyEqual):
        compared = [field.name for field in dataclasses.fields(one) if field.compare]
        return all([is_same_constant(getattr(one, name), getattr(other, name)) for name in compared])
    return True


_PLAIN = frozenset([bool, int, str, type(None)])


def make_hashable(value: Any) -> Any:
    """Return a value to hash instead of this one: all NaN get the same, where Python hashes each NaN differently."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, tuple):
        return tuple(map(make_hashable, value))
    if isinstance(value, (float, complex)):
        return "nan" if value != value else value
    return value.tobytes() if isinstance(value, np.generic) else value


def flatten_static(static: Static[T]) -> tuple[tuple[()], Static[T]]:
    """Return the children (none) and the structure (the `Static` itself), as pytree libraries ask for them."""
    return (), static


def unflatten_static(static: Static[T], children: Any) -> Static[T]:
    """Return a `Static` from its structure, which is the immutable object itself."""
    return static


def register_with_optree(kind: type, flatten: Callable[..., Any], unflatten: Callable[..., Any]) -> None:
    """Register a type of tree node with optree when that is imported; luxport itself does not use optree."""

    def register() -> None:
        optree: Any = import_module("optree")
        optree.register_pytree_node(kind, flatten, unflatten, namespace=vars(optree.registry)["__GLOBAL_NAMESPACE"])

    when_imported("optree", register)


register_with_optree(Static, flatten_static, unflatten_static)


def drop_oldest(table: dict[Any, Any]) -> None:
    """Remove the first entry of a table of programs.

    Deleting by key could fail: an object in the key may have been changed since, and have another hash now.
    """
    kept = list(table.items())[1:]
    table.clear()
    table.update(kept)
