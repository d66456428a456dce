"""`Static`: a value inside a state that belongs to the program, not to the data."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Generic, TypeVar

import optree

__all__ = ["Static"]

T = TypeVar("T", bound=Hashable)


class Static(Generic[T]):
    """A hashable constant in a state tree: a node without leaves.

    Compilers and transforms see the value as part of the tree's structure: `jax.jit`, `torch.compile` and
    `tf.function` compile anew when it changes, and `vmap` and `grad` leave it alone. Its truth is its value's, so
    `if st["training"]:` reads well.

    Raises: TypeError if the value is not hashable

    >>> Static(True) == Static(True), bool(Static(False))
    (True, False)
    """

    __slots__ = ("value",)
    value: T

    def __init__(self, value: T) -> None:
        hash(value)
        object.__setattr__(self, "value", value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("Static is immutable: build a new one")

    def __eq__(self, other: object) -> bool:
        # 1 == True in Python, but a program specialised on one is not the program of the other.
        return isinstance(other, Static) and type(self.value) is type(other.value) and self.value == other.value

    def __hash__(self) -> int:
        return hash((Static, self.value))

    def __bool__(self) -> bool:
        return bool(self.value)

    def __repr__(self) -> str:
        return f"Static({self.value!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Static, (self.value,)

    # TensorFlow's own protocol for nodes of `tf.nest`: found by name, so nothing needs to be registered there.
    def __tf_flatten__(self) -> tuple[tuple[T], tuple[()]]:
        return (self.value,), ()

    @classmethod
    def __tf_unflatten__(cls, metadata: tuple[T], components: tuple[()]) -> Static[T]:
        return cls(*metadata)


def flatten_static(static: Static[T]) -> tuple[tuple[()], Static[T]]:
    """Return the children (none) and the structure (the whole of it), as every pytree library wants them."""
    return (), static


def unflatten_static(static: Static[T], children: Any) -> Static[T]:
    """Rebuild a `Static` from its structure: it cannot change, so it may be the same one."""
    return static


optree.register_pytree_node(
    Static,  # type: ignore[arg-type]
    flatten_static,  # type: ignore[arg-type]
    unflatten_static,  # type: ignore[arg-type]
    namespace=optree.registry.__GLOBAL_NAMESPACE,  # type: ignore[attr-defined]
)
