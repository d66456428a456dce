"""Discovery of cases and examples: find the modules of a package that define a table of a given name."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

__all__ = ["find_tables", "merge_tables"]


def find_tables(package: str, name: str) -> Iterator[Any]:
    """Yield the variables of this name from the modules of a package, in the order of the modules' names."""
    parent = import_module(package)
    for module in sorted(info.name for info in pkgutil.iter_modules(parent.__path__)):
        found = vars(import_module(f"{package}.{module}")).get(name)
        if found is not None:
            yield found


def merge_tables(package: str, name: str) -> Mapping[str, Any]:
    """Merge the mappings of this name from the modules of a package; no key may be in two of them."""
    merged: dict[str, Any] = {}
    for table in find_tables(package, name):
        twice = sorted(merged.keys() & table.keys())
        assert not twice, f"{', '.join(twice)} stand in two tables {name} of {package}"
        merged |= table
    return merged
