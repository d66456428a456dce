"""`find_family`: the group of rows in the report that a subject belongs to."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from luxport import initializers, losses, optimizers
from luxport_conformance import examples, operation_examples

__all__ = ["find_family"]


def find_family(subject: str) -> str:
    """Return the family of a layer, operation, loss, rule or initializer: the name of the file with its examples."""
    return _list_families().get(subject, "other")


@cache
def _list_families() -> dict[str, str]:
    found = dict.fromkeys(initializers.__all__, "initializers")
    found |= dict.fromkeys(dir(losses), "losses") | dict.fromkeys(dir(optimizers), "optimizers")
    for package, table in ((operation_examples, "OPERATIONS"), (examples, "EXAMPLES")):
        for module in iter_modules(package.__path__):
            names = getattr(import_module(f"{package.__name__}.{module.name}"), table, ())
            found |= dict.fromkeys(names, module.name.replace("_", " "))
    return found
