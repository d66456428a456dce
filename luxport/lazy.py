"""Packages whose names are imported when they are first used (PEP 562), and written down once: in their stubs."""

from __future__ import annotations

import pkgutil
import re
import sys
import threading
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import resolve_name
from typing import Any

__all__ = ["read_lazy_names"]

_LINE = re.compile(r"^from (\.\S*) import (\w+) as \2$", re.MULTILINE)


def read_lazy_names(
    package: str, *, at_once: Iterable[str] = ()
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's ``__all__``, ``__getattr__`` and ``__dir__``, from the lines of its ``__init__.pyi``.

    Each line is a public name and where it comes from, which is what editors and type checkers read:
    ``from ._dense import Dense as Dense``.

    Args:
        package: its full name
        at_once: beginnings of places, such as ".ops", whose names are imported with the package

    >>> names, get, _ = read_lazy_names("luxport.layers")
    >>> "Scale" in names, get("Dense")(2, 3)
    (True, Dense(2, 3))
    """
    stub = (pkgutil.get_data(package, "__init__.pyi") or b"").decode()
    place_of = {name: place for place, name in _LINE.findall(stub)}

    def get(name: str) -> Any:
        if name not in place_of:
            from luxport.habits import hint_at_name  # mistakes alone need it

            raise AttributeError(f"module {package!r} has no attribute {name!r}{hint_at_name(package, name, place_of)}")
        with _one_at_a_time:
            return put(name, _import_in_order(module_of(name)))

    def module_of(name: str) -> str:
        place = place_of[name]
        return f"{package}.{name}" if place == "." else resolve_name(place, package)

    def put(name: str, module: Any) -> Any:
        value = module if place_of[name] == "." else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    def listing() -> list[str]:
        # Modules that stand in the package because something imported them are no public names.
        return sorted({*place_of, *(name for name in vars(sys.modules[package]) if name.startswith("__"))})

    beginnings = tuple(at_once)
    names = [name for name, place in place_of.items() if place.startswith(beginnings)]
    modules = {module: import_module(module) for module in dict.fromkeys(map(module_of, names))}
    for name in names:
        put(name, modules[module_of(name)])
    return sorted(place_of), get, listing


# Two threads that meet in a package which is being imported would get halves of its modules. No module of luxport's
# asks for a name of this kind while it is imported itself, so nobody waits here for a module that waits for this lock.
_one_at_a_time = threading.RLock()


def _import_in_order(module: str) -> Any:
    """Import a module after the packages that it is in, from the outside to the inside.

    Python alone takes a module's lock first, and then waits for its package, which may wait for the module.
    """
    outer = module.rpartition(".")[0]
    if outer:
        _import_in_order(outer)
    return import_module(module)
