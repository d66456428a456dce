"""The command ``luxport inspect``: print the content of a BSON.jl or JLD2 file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from luxport.backend import is_inexact
from luxport.command_line import Arguments
from luxport.porting import julia
from luxport.porting.errors import FileFormatError, refuse_file, show
from luxport.porting.files.reading import SavedFile, read
from luxport.porting.flux.fields import GENERATIONS
from luxport.porting.julia.component_arrays import is_component_array
from luxport.porting.julia.entries import list_children
from luxport.porting.julia.flux_versions import describe_flux_generation
from luxport.porting.loading import find_models

__all__ = ["describe", "main"]

_LONGEST = 12
_MOST_LINES = 2000


def main(arguments: list[str] | None = None) -> int:
    """Print the content of a file; return 0, or 2 for a wrong argument or a file that cannot be read."""
    parser = Arguments(prog="luxport inspect", description="Show the content of a BSON.jl or JLD2 file.")
    parser.add_argument("file", help="the file; its format is detected by its content, not by its name")
    parser.add_argument("--all", action="store_true", help="show every entry of long lists")
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stopped:  # argparse has printed the reason
        return int(stopped.code or 0)
    try:
        saved = read(options.file, allow_unavailable=True)
        with refuse_file(options.file):
            lines = describe(saved, longest=None if options.all else _LONGEST)
        print(show(options.file, None) + ": " + "\n".join(lines))
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has stopped
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (FileFormatError, OSError, ValueError) as error:
        message = str(error) if isinstance(error, FileFormatError) else f"{options.file}: {error}"
        print(f"luxport inspect: {show(message, 500)}", file=sys.stderr)
        return 2
    return 0


def describe(saved: SavedFile, *, longest: int | None = _LONGEST) -> list[str]:
    """Return lines that describe a file: its format, its purpose, the version of Flux that wrote it, and its values.

    Unless `longest` is None, lists are cut to `longest` entries, and the values to 2000 lines.
    """
    lines = [
        f"{saved.format}{f', written by {_clean(saved.written_by)}' if saved.written_by else ''}",
        _describe_purpose(saved),
    ]
    generation, reasons = describe_flux_generation(saved.values)
    if generation:
        lines.append(f"probably of {generation}: {'; '.join(reasons)}")
    lines.append("")
    for line in _yield_tree(saved.values, longest):
        if longest is not None and len(lines) > _MOST_LINES:
            return [*lines, "…"]
        lines.append(line)
    return lines


def _describe_purpose(saved: SavedFile) -> str:
    values = saved.values
    if models := find_models(values):
        return f"whole models: {_clean(', '.join(models))}; luxport.porting.load_model builds the layers"
    found = list(julia.yield_values(values))
    if any(isinstance(value, julia.Unavailable) for value in found):
        return "values whose data are not in the file: see below"
    # By `id`, since an array that is in several places counts once.
    arrays = {id(value): value for value in found if isinstance(value, np.ndarray) and is_inexact(value)}
    if arrays:
        count = sum(value.size for value in arrays.values())
        return f"{len(arrays)} arrays of {count} numbers without their layers; see luxport.porting.load_parameters"
    return "no layers and no arrays of floating numbers"


def _yield_tree(root: Any, longest: int | None) -> Iterator[str]:
    """Yield the lines of a tree; a value that was shown before is referred to by its path."""
    seen: dict[int, str] = {}
    entries = list(julia.yield_children(root))
    pending: list[tuple[int, str, str, Any]] = [(0, "", name, value) for name, value in reversed(entries)]
    if not pending:
        yield f"  {_summarize(root)}"
    while pending:
        depth, path, name, value = pending.pop()
        margin = "  " * min(depth + 1, 40)
        if isinstance(value, _Omitted):
            yield f"{margin}… {value.count} more …"
            continue
        # Paths are shown in short form; in a tree of thousands of levels, full paths would take quadratic memory.
        path = (f"{path}.{name}" if path else name)[:200]
        inner = _list_children(value)
        if inner and id(value) in seen:
            yield f"{margin}{_clean(name)}: the same as {_clean(seen[id(value)])}"
            continue
        if isinstance(value, (list, tuple)) and all(_is_simple(child) for _, child in inner):
            yield f"{margin}{_clean(name)}: {_write_numbers(value, longest)}"
            continue
        if inner:
            seen[id(value)] = path
        yield f"{margin}{_clean(name)}: {_summarize(value)}"
        if isinstance(value, julia.Function):
            for method in value.methods:
                yield from (f"{margin}  {_clean(line)}" for line in str(method).splitlines())
        if longest is not None and len(inner) > longest:
            inner = [*inner[: longest - 1], ("", _Omitted(len(inner) - longest)), inner[-1]]
        pending += [(depth + 1, path, n, v) for n, v in reversed(inner)]


@dataclass(frozen=True)
class _Omitted:
    """Stands in place of the middle of a long list."""

    count: int


def _list_children(value: Any) -> list[tuple[str, Any]]:
    """Return the values inside a value by name; the fields of Flux's structs get the names that BSON files omit."""
    if is_component_array(value) and (tree := list_children(value)):
        return list(tree.items())
    inner = list(julia.yield_children(value))
    if isinstance(value, julia.Struct) and value.names is None and isinstance(value.type, julia.TypeName):
        fitting = [names for names in GENERATIONS.get(value.type.name, ()) if len(names) == len(inner)]
        if len(fitting) == 1 and value.type.module[:1] == ("Flux",):
            return [(name, child) for name, (_, child) in zip(fitting[0], inner, strict=True)]
    return inner


def _write_numbers(values: Any, longest: int | None) -> str:
    if longest is not None and len(values) > longest:
        shown = [*map(_write_number, values[: longest - 1]), "…", _write_number(values[-1])]
        return f"{_summarize(values)}: {', '.join(shown)}"
    brackets = "[]" if isinstance(values, list) else "()"
    return f"{brackets[0]}{', '.join(map(_write_number, values))}{brackets[1]}"


def _write_number(value: Any) -> str:
    return "nothing" if value is None else _clean(_write_text(value))


def _is_simple(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, np.generic))


def _summarize(value: Any) -> str:
    match value:
        case np.ndarray() if value.dtype != object:
            return f"{value.dtype.name} array {value.shape}"
        case np.ndarray():
            return f"array {value.shape} of any values"
        case julia.Filled():
            return f"{value.shape} times one value"
        case julia.BitsArray():
            return f"array {value.shape} of {_clean(str(value.type))}"
        case julia.Unavailable():
            return f"{_clean(str(value.type))}, not in the file: {_clean(value.reason, 200)}"
        case julia.Struct():
            return _clean(_name_type(value.type))
        case julia.Function():
            return f"function {_clean(value.path)}" + (", its code in Julia's lowered form:" if value.methods else "")
        case julia.Dict():
            return f"{_clean(_name_type(value.type))} of {len(value.pairs)}"
        case julia.NamedTuple():
            return f"named tuple of {len(value.names)}"
        case dict():
            return f"dictionary of {len(value)}"
        case list() | tuple():
            what = "vector" if isinstance(value, list) else "tuple"
            return f"{what} of {len(value)}"
        case julia.Converted():
            return f"{_clean(_name_type(value.type))}, saved as"
        case str():
            return f"text {_clean(repr(value))}"
        case julia.Symbol():
            return f":{_clean(value.name)}"
        case None | bool() | int() | float() | np.generic():
            return f"{_clean(_write_text(value))} ({type(value).__name__})" if value is not None else "nothing"
        case _:
            return _clean(str(value))


def _write_text(value: Any) -> str:
    return julia.format_integer(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _name_type(type: Any) -> str:
    """Return the name of a type without its parameters, which are long and follow from the values shown below."""
    return type.path if isinstance(type, julia.TypeName) else str(type)


def _clean(text: str, longest: int = 100) -> str:
    """Return text from a file without control characters, cut to `longest` characters."""
    printable = show(text[: longest + 1], None)
    return printable if len(text) <= longest else f"{printable[:longest]}…"
