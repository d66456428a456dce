"""Discovery of cases and examples: a module of a package is found by the table that it defines, and listed nowhere."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

__all__ = ["find_tables", "merge_tables"]


def find_tables(package: str, name: str) -> Iterator[Any]:
    """Yield the tables of this name that modules of a package define, in the order of the modules' names."""
    parent = import_module(package)
    for module in sorted(info.name for info in pkgutil.iter_modules(parent.__path__)):
        found = vars(import_module(f"{package}.{module}")).get(name)
        if found is not None:
            yield found


def merge_tables(package: str, name: str) -> Mapping[str, Any]:
    """Merge the tables of this name that modules of a package define, which may have no key in common."""
    merged: dict[str, Any] = {}
    for table in find_tables(package, name):
        twice = sorted(merged.keys() & table.keys())
        assert not twice, f"{', '.join(twice)} stand in two tables {name} of {package}"
        merged |= table
    return merged
