"""Packages whose names are imported when they are first used, as PEP 562 has it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(
    package: str, families: Mapping[str, Iterable[str]]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's ``__all__``, ``__getattr__`` and ``__dir__``, from the public names of each of its files.

    A file without names is public itself.

    >>> names, get, _ = lazy_names("luxport.layers", {"dense": ["Dense", "Scale"]})
    >>> names, get("Dense")(2, 3)
    (['Dense', 'Scale'], Dense(2, 3))
    """
    family_of = {name: family for family, names in families.items() for name in names or [family]}

    def get(name: str) -> Any:
        if name not in family_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(f"{package}.{family_of[name]}")
        value = getattr(module, name) if families[family_of[name]] else module
        setattr(sys.modules[package], name, value)
        return value

    def listing() -> list[str]:
        return sorted({*vars(sys.modules[package]), *family_of})

    return sorted(family_of), get, listing
