"""Lazy imports (PEP 562): a package reads its public names from its ``__init__.pyi`` and imports each on first use."""

from __future__ import annotations

import pkgutil
import re
import sys
import threading
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import resolve_name
from typing import Any

__all__ = ["explain_absent_names", "read_lazy_names"]

_LINE = re.compile(r"^from (\.\S*) import (\w+) as \2$", re.MULTILINE)


def read_lazy_names(
    package: str, *, at_once: Iterable[str] = ()
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's ``__all__``, ``__getattr__`` and ``__dir__``, from the lines of its ``__init__.pyi``.

    Each line is a public name and where it comes from, which is what editors and type checkers read:
    ``from ._dense import Dense as Dense``.

    Args:
        package: its full name
        at_once: prefixes of module names, such as ".ops", whose names are imported together with the package

    >>> names, get, _ = read_lazy_names("luxport.layers")
    >>> "Scale" in names, get("Dense")(2, 3)
    (True, Dense(2, 3))
    """
    stub = (pkgutil.get_data(package, "__init__.pyi") or b"").decode()
    place_of = {name: place for place, name in _LINE.findall(stub)}

    def get(name: str) -> Any:
        if name not in place_of:
            raise _make_absence_error(package, name, place_of)
        with _one_at_a_time:
            return put(name, _import_in_order(find_module(name)))

    def find_module(name: str) -> str:
        place = place_of[name]
        return f"{package}.{name}" if place == "." else resolve_name(place, package)

    def put(name: str, module: Any) -> Any:
        value = module if place_of[name] == "." else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    def list_names() -> list[str]:
        # Submodules become attributes of the package when they are imported, and are not public names.
        return sorted({*place_of, *(name for name in vars(sys.modules[package]) if name.startswith("__"))})

    beginnings = tuple(at_once)
    names = [name for name, place in place_of.items() if place.startswith(beginnings)]
    modules = {module: import_module(module) for module in dict.fromkeys(map(find_module, names))}
    for name in names:
        put(name, modules[find_module(name)])
    return sorted(place_of), get, list_names


def explain_absent_names(module: str) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a module that imports all its names: its error says what to use for a wrong one.

    Hide it from type checkers, which would take every name for one of the module's.
    """

    def get(name: str) -> Any:
        known = vars(sys.modules[module])
        raise _make_absence_error(module, name, known.get("__all__") or [n for n in known if not n.startswith("_")])

    return get


def _make_absence_error(module: str, name: str, known: Iterable[str]) -> AttributeError:
    from luxport.hints import hint_at_name  # imported only when a name is wrong

    return AttributeError(f"module {module!r} has no attribute {name!r}{hint_at_name(module, name, known)}")


# Two threads that use a package for the first time at once would see partly imported modules. This cannot deadlock: no
# module of luxport uses a lazy name during its own import, so a thread that holds this lock never waits for one that
# wants it.
_one_at_a_time = threading.RLock()


def _import_in_order(module: str) -> Any:
    """Import a module after its parent packages, the outermost first.

    Python takes the module's lock first and then waits for its package, which may be waiting for the module: a
    deadlock between two threads.
    """
    outer = module.rpartition(".")[0]
    if outer:
        _import_in_order(outer)
    return import_module(module)
