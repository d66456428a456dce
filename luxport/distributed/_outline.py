"""`outline`: what of a tree is no array, in lines that processes compare before they step together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from luxport.tree.static import Static

__all__ = ["outline", "tell_without_places"]

_PLACE = re.compile(r" at 0x[0-9a-f]+")


def outline(name: str, values: Any) -> list[str]:
    """List the constants of a tree by their paths: what is frozen, in which mode, by which rule; numbers of Python's.

    >>> outline("st", {"layer_1": {"training": Static(True)}, "layer_2": ()})
    ['st.layer_1.training True']
    """
    return list(_walk(name, values))


def tell_without_places(value: Any) -> list[str]:
    """Return the lines of a `repr` without places in memory, which are others in each process.

    >>> tell_without_places(tell_without_places)
    ['<function tell_without_places>']
    """
    return [line.strip() for line in _PLACE.sub("", repr(value)).splitlines()]


def _walk(path: str, values: Any) -> Iterator[str]:
    if isinstance(values, Static):
        yield f"{path} {' '.join(tell_without_places(values.value))}"
    elif isinstance(values, (bool, int, float, str)):
        yield f"{path} {values!r}"
    elif isinstance(values, Mapping):
        for name in values:
            yield from _walk(f"{path}.{name}", values[name])
    elif isinstance(values, (tuple, list)):
        for name, inner in zip(getattr(values, "_fields", range(len(values))), values, strict=True):
            yield from _walk(f"{path}.{name}", inner)
