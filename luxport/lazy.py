"""Packages whose names are imported when they are first used, as PEP 562 has it."""

from __future__ import annotations

import sys
import threading
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
        with _one_at_a_time:
            module = _imported(f"{package}.{family_of[name]}")
            value = getattr(module, name) if families[family_of[name]] else module
            setattr(sys.modules[package], name, value)
        return value

    def listing() -> list[str]:
        return sorted({*vars(sys.modules[package]), *family_of})

    return sorted(family_of), get, listing


# Two threads that meet in a package which is being imported would get halves of its modules. No module of luxport's
# asks for a name of this kind while it is imported itself, so nobody waits here for a module that waits for this lock.
_one_at_a_time = threading.RLock()


def _imported(module: str) -> Any:
    """Import a module after the packages that it is in, from the outside to the inside.

    Python alone takes a module's lock first, and then waits for its package, which may wait for the module.
    """
    outer = module.rpartition(".")[0]
    if outer:
        _imported(outer)
    return import_module(module)
