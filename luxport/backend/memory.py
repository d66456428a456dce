"""Checks of sizes that cannot fit into memory, made before anything is allocated."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterable
from typing import Any

from luxport.errors import LayerError, LayerMemoryError
from luxport.text import show

__all__ = ["check_growth", "check_memory", "explain_memory"]

_ANY_AXIS = 1 << 20
_TIMES = 1 << 12


def check_memory(what: str, shape: Iterable[Any], itemsize: int = 4) -> None:
    """Refuse an array on the host that is larger than all of the machine's memory.

    Raises: LayerError

    >>> check_memory("a weight", (10**9, 10**9))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    luxport.errors.LayerError: expects sizes that fit into memory, got a weight of (1000000000, 1000000000): ...
    """
    sizes = tuple([n for n in shape if isinstance(n, int)])
    wanted = itemsize * math.prod(sizes)
    if wanted > 1 << 30 and wanted > _find_memory():
        raise LayerError(
            f"expects sizes that fit into memory, got {what} of {show(sizes)}: {min(wanted, 10**30) / 1e9:,.0f} GB, "
            f"and this machine has {_find_memory() / 1e9:,.0f}"
        )


def check_growth(axis: int, n: Any, new: Any) -> None:
    """Refuse to make an axis longer than a million, and than 4,096 elements for each that it has.

    Raises: LayerError

    >>> check_growth(2, 5, 10**9)
    Traceback (most recent call last):
    luxport.errors.LayerError: expects sizes that fit into memory, got 1000000000 along axis 2, which has 5
    """
    if isinstance(n, int) and isinstance(new, int) and new > _ANY_AXIS and new > _TIMES * n:
        raise LayerError(f"expects sizes that fit into memory, got {new} along axis {axis}, which has {n}")


def explain_memory(error: Exception) -> LayerError | None:
    """Return luxport's own error in place of one that says memory ran out, None for any other.

    What an accelerator's allocator raises stays what it is: programs catch it by its type, and try less.

    >>> explain_memory(MemoryError())
    LayerMemoryError('expects sizes that fit into memory: there is no room for what this call makes')
    """
    text = str(error)[:2000]
    ended = isinstance(error, MemoryError) or any([mark in text for mark in _ENDED])
    if not ended or isinstance(error, LayerError) or "CUDA" in text:
        return None
    return LayerMemoryError("expects sizes that fit into memory: there is no room for what this call makes")


_ENDED = ("DefaultCPUAllocator", "RESOURCE_EXHAUSTED", "OOM when allocating", "std::bad_alloc", "Out of memory")
"""What the frameworks say when a machine's memory runs out, each in an error of another type."""


@functools.cache
def _find_memory() -> int:
    """Return how many bytes of memory the machine has; 4 TiB where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 1 << 42
