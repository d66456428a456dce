"""Sizes of arrays that may be learned late: a compiled program may know them only when it runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from luxport.backend import Array, find_array_device, is_array, namespace
from luxport.ops._operation import operation

__all__ = [
    "are_fixed",
    "broadcast_sizes",
    "is_number",
    "mark_unknown",
    "make_one_place",
    "reshape_samples",
    "read_sizes",
    "spread_alike",
    "can_spread_over",
]


def read_sizes(x: Array) -> tuple[Any, ...]:
    """Return the sizes of x to compute with: ints, or where only the running program knows one, a scalar array.

    What is made of these, slices and shapes included, is right for every size. Python may branch only on those that are
    ints.

    >>> import numpy as np
    >>> read_sizes(np.ones((2, 3)))
    (2, 3)
    """
    shape = x.shape
    for n in shape:
        if n is None:
            return running_sizes(x)
    return tuple(shape)


def make_one_place(xp: Any, x: Array, axis: int) -> Array:
    """Return zeros like x but of size 1 along an axis, which may have no place.

    >>> import numpy as np
    >>> make_one_place(np, np.ones((2, 0)), 1)
    array([[0.],
           [0.]])
    """
    sizes = list(read_sizes(x))
    sizes[axis] = 1
    return xp.broadcast_to(xp.zeros((1,) * len(sizes), dtype=x.dtype, device=find_array_device(x)), tuple(sizes))


def broadcast_sizes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Join shapes by the rules of broadcasting; sizes stay the objects that they are.

    Raises: ValueError if they cannot be joined

    >>> broadcast_sizes((2, 1), (3,))
    (2, 3)
    """
    joined: list[int] = []
    for i in range(1, max(map(len, shapes), default=0) + 1):
        size = 1
        for n in [shape[-i] for shape in shapes if len(shape) >= i]:
            if size == 1:
                size = n
            elif n != size and n != 1:
                raise ValueError(f"shapes expected that can be broadcast together, got {', '.join(map(str, shapes))}")
        joined.append(size)
    return tuple(joined[::-1])


def is_number(size: Any) -> bool:
    """Tell whether a size has a value to look at, as opposed to an array that only the running program fills."""
    return not is_array(size)


def mark_unknown(sizes: Iterable[int | None]) -> tuple[int, ...]:
    """Leave a size that a compiled program does not know yet to `reshape`, which takes one of them.

    >>> mark_unknown((2, None))
    (2, -1)
    """
    return tuple([-1 if n is None else n for n in sizes])


def spread_alike(shape: Any, other: Any) -> bool:
    """Tell whether two shapes broadcast; a size that is not known yet passes.

    >>> spread_alike((2, 1), (3,)), spread_alike((2, 2), (3,))
    (True, False)
    """
    pairs = zip(reversed(tuple(shape)), reversed(tuple(other)), strict=False)
    return all([n == m or n in (1, None) or m in (1, None) for n, m in pairs])


def can_spread_over(shape: Any, other: Any) -> bool:
    """Tell whether a shape broadcasts to another one, which stays as it is.

    >>> can_spread_over((3,), (2, 3)), can_spread_over((2, 3), (3,))
    (True, False)
    """
    if len(shape) > len(other):
        return False
    pairs = zip(reversed(tuple(shape)), reversed(tuple(other)), strict=False)
    return all([n == m or n in (1, None) or m is None for n, m in pairs])


@operation
def running_sizes(x: Array) -> tuple[Any, ...]:
    """Return the sizes of x, as scalar arrays where they are unknown; a backend that has such sizes overrides this."""
    return tuple(x.shape)


@operation
def are_fixed(x: Array) -> bool:
    """Tell whether the sizes of x are numbers that belong to the program, of which Python may make tables and loops.

    Where they are not, the program serves other sizes, too: see `read_sizes`.
    """
    return None not in tuple(x.shape)


@operation
def reshape_samples(x: Array, *, sizes: tuple[Any, ...]) -> Array:
    """Return x with other axes behind its first one, which stays; sizes may be known only when the program runs.

    >>> import numpy as np
    >>> reshape_samples(np.ones((2, 6)), sizes=(3, 2)).shape
    (2, 3, 2)
    """
    return namespace(x).reshape(x, (read_sizes(x)[0], *sizes))
