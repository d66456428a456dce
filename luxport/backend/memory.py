"""Refuse sizes that cannot fit into memory before allocating, and explain a framework's out-of-memory error."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterable
from typing import Any

from luxport.errors import LayerError, LayerMemoryError
from luxport.text import read_message, show

__all__ = ["check_growth", "check_memory", "explain_memory"]

# `check_growth` refuses an axis that exceeds both this length and this multiple of the input's.
_LONGEST_AXIS = 1 << 20
_LARGEST_GROWTH = 1 << 12


def check_memory(what: str, shape: Iterable[Any], itemsize: int = 4) -> None:
    """Expect an array on the host to be no larger than the machine's whole memory; `what` names it in the error.

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
    """Expect that the new length of an axis exceeds 2**20 only if it is at most 4,096 times the length `n`.

    Raises: LayerError

    >>> check_growth(2, 5, 10**9)
    Traceback (most recent call last):
    luxport.errors.LayerError: expects sizes that fit into memory, got 1000000000 along axis 2, which has 5
    """
    if isinstance(n, int) and isinstance(new, int) and new > _LONGEST_AXIS and new > _LARGEST_GROWTH * n:
        raise LayerError(f"expects sizes that fit into memory, got {new} along axis {axis}, which has {n}")


def explain_memory(error: Exception) -> LayerError | None:
    """Return a LayerMemoryError for an error that says the host's memory ran out; None for any other.

    An error about an accelerator's memory is not replaced: programs catch it by its type to retry with a smaller batch.

    >>> explain_memory(MemoryError())
    LayerMemoryError('expects sizes that fit into memory: there is no room for what this call makes')
    """
    text = read_message(error)[:2000]
    is_memory = isinstance(error, MemoryError) or any([phrase in text for phrase in _OUT_OF_MEMORY])
    if not is_memory or isinstance(error, LayerError) or "CUDA" in text:
        return None
    return LayerMemoryError("expects sizes that fit into memory: there is no room for what this call makes")


_OUT_OF_MEMORY = ("DefaultCPUAllocator", "RESOURCE_EXHAUSTED", "OOM when allocating", "std::bad_alloc", "Out of memory")
"""Phrases in the frameworks' errors about exhausted memory, which have no common type."""


@functools.cache
def _find_memory() -> int:
    """Return how many bytes of memory the machine has; 4 TiB if the system does not provide the number."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 1 << 42
