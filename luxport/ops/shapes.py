"""Sizes of arrays, some of which a compiled program may know only when it runs."""

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
    "make_zero_slice",
    "reshape_samples",
    "read_sizes",
    "can_broadcast_together",
    "can_broadcast_to",
]


def read_sizes(x: Array) -> tuple[Any, ...]:
    """Return the sizes of x to compute with: ints, or scalar arrays for those that only the running program knows.

    Slices and shapes may be computed from both, but Python can branch only on ints, see `is_number`.

    >>> import numpy as np
    >>> read_sizes(np.ones((2, 3)))
    (2, 3)
    """
    shape = x.shape
    for n in shape:
        if n is None:
            return running_sizes(x)
    return tuple(shape)


def make_zero_slice(xp: Any, x: Array, axis: int) -> Array:
    """Return zeros like x but of size 1 along an axis, where x itself may be empty.

    >>> import numpy as np
    >>> make_zero_slice(np, np.ones((2, 0)), 1)
    array([[0.],
           [0.]])
    """
    sizes = list(read_sizes(x))
    sizes[axis] = 1
    return xp.broadcast_to(xp.zeros((1,) * len(sizes), dtype=x.dtype, device=find_array_device(x)), tuple(sizes))


def broadcast_sizes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that shapes broadcast to; its sizes are those very objects, symbols for instance.

    Raises: ValueError if they do not broadcast

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
    """Tell whether a size is a number, and not an array that only the running program computes."""
    return not is_array(size)


def mark_unknown(sizes: Iterable[int | None]) -> tuple[int, ...]:
    """Replace an unknown size by -1, for `reshape` to find out, which can do so for one size.

    >>> mark_unknown((2, None))
    (2, -1)
    """
    return tuple([-1 if n is None else n for n in sizes])


def can_broadcast_together(shape: Any, other: Any) -> bool:
    """Tell whether two shapes broadcast; an unknown size fits any other.

    >>> can_broadcast_together((2, 1), (3,)), can_broadcast_together((2, 2), (3,))
    (True, False)
    """
    pairs = zip(reversed(tuple(shape)), reversed(tuple(other)), strict=False)
    return all([n == m or n in (1, None) or m in (1, None) for n, m in pairs])


def can_broadcast_to(shape: Any, other: Any) -> bool:
    """Tell whether a shape broadcasts to another one, which keeps its sizes; an unknown size fits any other.

    >>> can_broadcast_to((3,), (2, 3)), can_broadcast_to((2, 3), (3,))
    (True, False)
    """
    if len(shape) > len(other):
        return False
    pairs = zip(reversed(tuple(shape)), reversed(tuple(other)), strict=False)
    return all([n == m or n in (1, None) or m is None for n, m in pairs])


@operation
def running_sizes(x: Array) -> tuple[Any, ...]:
    """Return the sizes of x, unknown ones as scalar arrays; a backend that has such sizes overrides this."""
    return tuple(x.shape)


@operation
def are_fixed(x: Array) -> bool:
    """Tell whether the sizes of x are constants of the program, from which Python may build tables and loops.

    Otherwise the same program runs for other sizes, too: see `read_sizes`.
    """
    return None not in tuple(x.shape)


@operation
def reshape_samples(x: Array, *, sizes: tuple[Any, ...]) -> Array:
    """Reshape all axes but the first, the batch; sizes may be known only when the program runs.

    >>> import numpy as np
    >>> reshape_samples(np.ones((2, 6)), sizes=(3, 2)).shape
    (2, 3, 2)
    """
    return namespace(x).reshape(x, (read_sizes(x)[0], *sizes))
