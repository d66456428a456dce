"""`list_constants`: the leaves of a tree that are not arrays, as lines that processes compare with each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from luxport.tree.static import Static

__all__ = ["list_constants", "write_without_addresses"]

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def list_constants(name: str, values: Any) -> list[str]:
    """List the `Static` values (modes, rules and others), numbers and strings of a tree, each with its path.

    >>> list_constants("st", {"layer_1": {"training": Static(True)}, "layer_2": ()})
    ['st.layer_1.training True']
    """
    return list(_walk(name, values))


def write_without_addresses(value: Any) -> list[str]:
    """Return the lines of a `repr` without memory addresses, which differ between processes.

    >>> write_without_addresses(write_without_addresses)
    ['<function write_without_addresses>']
    """
    return [line.strip() for line in _ADDRESS.sub("", repr(value)).splitlines()]


def _walk(path: str, values: Any) -> Iterator[str]:
    if isinstance(values, Static):
        yield f"{path} {' '.join(write_without_addresses(values.value))}"
    elif isinstance(values, (bool, int, float, str)):
        yield f"{path} {values!r}"
    elif isinstance(values, Mapping):
        for name in values:
            yield from _walk(f"{path}.{name}", values[name])
    elif isinstance(values, (tuple, list)):
        for name, inner in zip(getattr(values, "_fields", range(len(values))), values, strict=True):
            yield from _walk(f"{path}.{name}", inner)
