"""Writes the pages of the reference: every public name with its signature and its docstring, by family."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from functools import cache
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Any

import names
import results_pages

import luxport

SECTION = re.compile(r"(Args|Shapes|Params|State|Raises|Source): *(.*)")
TITLES = {"Params": "Parameters", "Args": "Options"}
Entry = tuple[str, str, Any]
"""The family's first line, the name as users write it, and what it stands for."""


def write(folder: Path) -> None:
    """Write a page for each area, and one for each family of layers; pages that stay as they are are left alone."""
    pages = {}
    targets = _targets()
    for title, module, listed in names.list_public_names():
        entries = sorted(_entry(module, name) for name in listed)
        slug = _slug(title)
        if title == "Layers":
            families = {family: list(found) for family, found in groupby(entries, key=lambda entry: entry[0])}
            for family, found in families.items():
                pages[f"{slug}_{_slug(found[0][1].rpartition('.')[2])}"] = _page(family, [("", found)], targets)
            contents = [name for name in pages if name.startswith(f"{slug}_")]
            pages[slug] = _headed(title, "=") + _toctree(contents)
        else:
            by_family = [(family, list(found)) for family, found in groupby(entries, key=lambda entry: entry[0])]
            pages[slug] = _page(title, by_family, targets)
    areas = [_slug(title) for title, _, _ in names.list_public_names()]
    pages["results"] = results_pages.page(_results())
    pages["differences"] = results_pages.differences()
    pages["index"] = _headed("Reference", "=") + _toctree([*areas, "results", "differences", "../names"])
    folder.mkdir(exist_ok=True)
    for file in folder.glob("*.rst"):
        if file.stem not in pages:
            file.unlink()
    for name, lines in pages.items():
        file, text = folder / f"{name}.rst", "\n".join(lines) + "\n"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def _entry(module: ModuleType, name: str) -> Entry:
    value = getattr(module, name)
    return names.read_first_line(names.find_family(value, name, module)), f"{module.__name__}.{name}", value


def _targets() -> dict[str, str]:
    """Return the full name that a short one in a docstring means: a layer before an operation of the same name."""
    found: dict[str, str] = {}
    for _, module, listed in names.list_public_names():
        for name in listed:
            full = f"{module.__name__}.{name}"
            found[full] = full
            found.setdefault(name, full)
            found.setdefault(full.removeprefix("luxport."), full)
    return found


def _page(title: str, families: list[tuple[str, list[Entry]]], targets: dict[str, str]) -> list[str]:
    lines = _headed(_text(title, targets), "=")
    for family, entries in families:
        if family:
            lines += _headed(_text(family, targets), "-")
        for _, full, value in entries:
            lines += _description(full, value, targets)
    return lines


def _description(full: str, value: Any, targets: dict[str, str]) -> list[str]:
    """Return the directive of one name."""
    name = full.rpartition(".")[2]
    if inspect.ismodule(value):
        return [f".. py:module:: {full}", "", _text(names.summarize(value, name), targets), ""]
    docstring = names.find_docstring(value, name)
    if (original := getattr(value, "__name__", name)) != name and names.summarize(value, name).startswith("The same"):
        docstring = f"The same as `{original}`."
    kind = "class" if isinstance(value, type) else "function" if callable(value) else "data"
    head = f".. py:{kind}:: {full}{_signature(value) if kind != 'data' else ''}"
    options = _defaults(value) if isinstance(value, type) and issubclass(value, luxport.Layer) else {}
    told = results_pages.deviations(_results(), name) if callable(value) else ""
    return [head, "", *_indented([*_body(docstring, targets, options), "", told]), ""]


@cache
def _results() -> dict[str, dict[str, Any]]:
    return results_pages.current()


def _signature(value: Any) -> str:
    """Return the arguments as users write them, without types: those are in the page's tables and in editors."""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    parameters = [
        parameter.replace(annotation=parameter.empty, default=_short(parameter.default))
        for parameter in signature.parameters.values()
    ]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))


class _Written:
    """A default that prints as users write it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _short(default: Any) -> Any:
    if default is inspect.Parameter.empty:
        return default
    if callable(default) and "object at" in repr(default) or inspect.isfunction(default):
        return _Written(getattr(default, "__name__", "…"))
    return _Written("…") if repr(default).startswith("<") else default


def _defaults(layer: type) -> dict[str, str]:
    """Return how each option of a layer is written where it is not given."""
    if not dataclasses.is_dataclass(layer):
        return {}
    found = inspect.signature(layer).parameters.values()
    return {each.name: "" if each.default is each.empty else repr(_short(each.default)) for each in found}


def _body(docstring: str, targets: dict[str, str], options: dict[str, str]) -> list[str]:
    """Return a docstring as reStructuredText: its sections as a table and a list of fields, its examples as code."""
    lines: list[str] = []
    for block in re.split(r"\n\s*\n", docstring):
        rows = block.splitlines()
        if rows and rows[0].lstrip().startswith(">>>"):
            lines += ["", ".. code-block:: pycon", "", *_indented(rows)]
        elif rows and SECTION.match(rows[0]):
            lines += ["", *_sections(rows, targets, options)]
        else:
            lines += ["", *_paragraph(rows, targets)]
    return lines[1:]


def _paragraph(rows: list[str], targets: dict[str, str]) -> list[str]:
    """Return text as it is; a list gets the empty lines that it needs."""
    lines: list[str] = []
    for row in rows:
        starts_list = row.lstrip().startswith("- ") and lines and not lines[-1].lstrip().startswith("- ")
        if starts_list and not lines[-1].startswith("  "):
            lines.append("")
        lines.append(row)
    return _text("\n".join(lines), targets).splitlines()


def _sections(rows: list[str], targets: dict[str, str], options: dict[str, str]) -> list[str]:
    """Return sections that follow each other without an empty line between."""
    lines: list[str] = []
    found: list[tuple[str, list[str]]] = []
    for row in rows:
        if match := SECTION.match(row):
            found.append((match[1], [match[2]]))
        else:
            found[-1][1].append(row.strip())
    for title, texts in found:
        if title == "Args":
            lines += _table(texts[1:], targets, options)
        else:
            lines.append(f":{TITLES.get(title, title)}: {_text(' '.join(texts), targets)}")
    return lines


def _table(rows: list[str], targets: dict[str, str], options: dict[str, str]) -> list[str]:
    """Return the options: their names, their defaults (of a layer) and what they mean."""
    found: list[list[str]] = []
    for row in rows:
        match = re.match(r"(\*{0,2}\w+(?:, \*{0,2}\w+)*): (.*)", row)
        if match:
            found.append([match[1], match[2]])
        elif found:
            found[-1][1] += " " + row
    lines = [".. list-table::", "   :class: options", "   :header-rows: 1", ""]
    header = ["Option", "Default", "Meaning"] if options else ["Argument", "Meaning"]
    cells = [[f"``{name}``", _text(meaning, targets)] for name, meaning in found]
    if options:
        defaults = [options.get(name, "") for name, _ in found]
        cells = [
            [name, f"``{default}``" if default else "", meaning]
            for (name, meaning), default in zip(cells, defaults, strict=True)
        ]
    for row in [header, *cells]:
        lines += [f"   {'* -' if index == 0 else '  -'} {cell}" for index, cell in enumerate(row)]
    return [*lines, ""]


def _text(text: str, targets: dict[str, str]) -> str:
    """Escape what reStructuredText would take for markup; names in backticks become links."""
    return re.sub(
        r"``(?P<code>[^`]+)``|`(?P<name>[^`\n]+)`|(?P<mark>[*_|\\])",
        lambda match: _marked(match, targets),
        text,
    )


def _marked(match: re.Match[str], targets: dict[str, str]) -> str:
    if match["mark"]:
        return "\\" + match["mark"]
    inside = match["code"] or match["name"]
    joined = "\\ " if match.string[match.end() : match.end() + 1].isalnum() else ""
    if match["name"] and inside in targets:
        return f":py:obj:`{inside} <{targets[inside]}>`{joined}"
    return f"``{inside.strip()}``{joined}"


def _headed(title: str, line: str) -> list[str]:
    return [title, line * len(title), ""]


def _toctree(pages: list[str]) -> list[str]:
    return [".. toctree::", "   :maxdepth: 1", "", *[f"   {page}" for page in pages], ""]


def _indented(lines: list[str]) -> list[str]:
    return ["   " + line if line.strip() else "" for line in lines]


def _slug(title: str) -> str:
    return re.sub(r"\W+", "_", title.lower()).strip("_")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("reference"))
