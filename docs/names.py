"""Writes docs/names.md: every public name by family, with the first line of its docstring."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable
from itertools import groupby, pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import luxport
from luxport import devices, distributed, initializers, layers, losses, ops, optimizers, porting, schedules, training

PAGE = Path(__file__).with_name("names.md")
AREAS: tuple[tuple[str, ModuleType, ModuleType], ...] = (
    ("Layers", luxport, layers),
    ("Operations", ops, ops),
    ("Losses", losses, losses),
    ("Optimizers", optimizers, optimizers),
    ("Schedules", schedules, schedules),
    ("Initializers", initializers, initializers),
    ("Training", training, training),
    ("Devices", devices, devices),
    ("Several processes", distributed, distributed),
    ("Models from Julia", porting, porting),
)
"""The title of an area, the module that its names are written with, and the one whose ``__all__`` lists them."""


def list_public_names() -> Iterable[tuple[str, ModuleType, list[str]]]:
    """Yield each area's title, the module to find its names in, and these; those of luxport alone come last."""
    listed: list[Any] = []
    for title, module, owner in AREAS:
        listed += [getattr(module, name) for name in owner.__all__]
        yield title, module, sorted(owner.__all__, key=str.lower)
    # Not by name: `luxport.setup` is another function than that of the optimizers.
    known = {id(value) for value in listed}
    others = [name for name in luxport.__all__ if id(getattr(luxport, name)) not in known and not name.startswith("_")]
    yield "Everything else", luxport, sorted(others, key=str.lower)


def find_docstring(value: Any, name: str) -> str:
    """Return the docstring of what a name stands for, a type's own or that after an assignment; "" if it has none."""
    if _is_plain(value):
        return _assigned(name)[1]
    if isinstance(value, type):
        own = vars(value).get("__doc__") or ""
        return "" if own.startswith(f"{value.__name__}(") else inspect.cleandoc(own)  # dataclasses make one up
    return inspect.getdoc(value) or ""


def summarize(value: Any, name: str) -> str:
    """Return the first line of the docstring, or which other name it is another one for."""
    original = getattr(value, "__name__", name)
    if original != name and not inspect.ismodule(value) and not _is_plain(value):
        return f"The same as `{original}`."
    return find_docstring(value, name).partition("\n")[0]


def write_page() -> str:
    """Write the whole page."""
    lines = [
        "# Every public name",
        "",
        "By family, with the first line of its docstring: `help(luxport.Dense)` has the rest. The layers and",
        "activations are names of `luxport` itself as well.",
        "",
        "Written by `make docs`.",
    ]
    for title, module, names in list_public_names():
        lines += ["", f"## {title}"]
        found = sorted(((find_family(getattr(module, name), name, module), name) for name in names), key=_by_family)
        for family, entries in groupby(found, key=lambda entry: entry[0]):
            lines += ["", f"### {read_first_line(family)}", "", "| Name | |", "| --- | --- |"]
            for _, name in entries:
                summary = summarize(getattr(module, name), name).replace("|", "\\|")
                lines.append(f"| `{module.__name__}.{name}` | {summary} |")
    return "\n".join(lines) + "\n"


def _by_family(entry: tuple[str, str]) -> tuple[str, str]:
    return entry[0], entry[1].lower()


def find_family(value: Any, name: str, module: ModuleType) -> str:
    """Return the module that a name comes from."""
    if inspect.ismodule(value):
        return module.__name__
    if _is_plain(value):
        return _assigned(name)[0] or module.__name__
    return value.__module__


def _is_plain(value: Any) -> bool:
    """Tell what Python keeps no docstring of: a type under another name."""
    return not inspect.ismodule(value) and not value.__module__.startswith("luxport")


def _assigned(name: str) -> tuple[str, str]:
    """Return the module that assigns a name and documents it in the next line, and what it says there."""
    for module in sorted(key for key in sys.modules if key.partition(".")[0] == "luxport"):
        file = getattr(sys.modules[module], "__file__", None)
        if file is None:
            continue
        for statement, following in pairwise(ast.parse(Path(file).read_text(encoding="utf-8")).body):
            targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
            if [getattr(target, "id", None) for target in targets] == [name] and isinstance(following, ast.Expr):
                return module, ast.literal_eval(following.value)
    return "", ""


def read_first_line(module: str) -> str:
    """Return what a module says of itself."""
    return (sys.modules[module].__doc__ or module).partition("\n")[0].rstrip(".")


if __name__ == "__main__":
    PAGE.write_text(write_page(), encoding="utf-8")
