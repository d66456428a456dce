"""A file of Julia code with the files that it includes, which stand beside it, in their places."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from luxport.porting.errors import FileFormatError
from luxport.porting.files.opening import read_bytes
from luxport.porting.translate.module import LARGEST, Hole, Translation
from luxport.text import make_safe

__all__ = ["Joined", "locate_remarks", "read_with_included"]

_INCLUDE = re.compile(r'\s*include\("([^"\\$]+\.jl)"\)\s*(#.*)?')
_DEEPEST = 8


@dataclass
class Joined:
    """The lines of a file and of those that it includes, and where each stands."""

    first: Path
    lines: list[str] = field(default_factory=list)
    places: list[tuple[Path, int]] = field(default_factory=list)

    def locate(self, line: int) -> str:
        """Return the file and the line there of a line of all, counted from 1."""
        file, number = self.places[min(line, len(self.places)) - 1]
        return f"{file}:{number}"

    def locate_all(self, holes: Iterable[Hole]) -> list[str]:
        """Return where holes are."""
        return [self.locate(hole.line) for hole in holes]


def read_with_included(path: Path) -> Joined:
    """Read a file, and in the place of each line that includes one from its folder, once, the lines of that.

    Raises: OSError, FileFormatError for a device or a pipe, which may have no end, what is no text, or where all
        together is larger than a source may be
    """
    joined = Joined(path)
    seen, left = {path.resolve()}, LARGEST

    def add(file: Path, text: str, depth: int) -> None:
        nonlocal left
        left -= len(text.encode())
        for number, line in enumerate(text.split("\n"), 1):
            found = _INCLUDE.fullmatch(line)
            inner = _find_beside(path, file, found[1]) if found and depth < _DEEPEST else None
            more = _read_if_there(inner) if inner is not None and inner.resolve() not in seen else None
            if inner is not None and more is not None:
                if len(more.encode()) > left:
                    raise FileFormatError(
                        f"with the files that it includes it is larger than {LARGEST:,} bytes: "
                        f"{make_safe(file.name)}:{number} includes one of {len(more.encode()):,}"
                    )
                seen.add(inner.resolve())
                add(inner, more, depth + 1)
            else:
                joined.lines.append(line)
                joined.places.append((file, number))

    add(path, _read_source(path), 0)
    return joined


def locate_remarks(translation: Translation, source: Joined) -> Translation:
    """Return a translation whose first remarks say of which file a line is, if there are several."""
    if len({file for file, _ in source.places}) < 2:
        return translation
    head, empty, rest = translation.python.partition("\n\n")
    head = re.sub(r"(?m)^# line (\d+): ", lambda found: f"# {_find_inside(source, int(found[1]))}: ", head)
    return replace(translation, python=f"{head}{empty}{rest}") if translation.holes else translation


def _find_inside(source: Joined, line: int) -> str:
    name = source.locate(line).removeprefix(f"{source.first.parent}{os.sep}")
    return name if name.isprintable() else f"line {line}"


def _find_beside(first: Path, file: Path, name: str) -> Path | None:
    """Return a file that another includes, if it is in the folder of the first or further in."""
    inner = file.parent / name
    return inner if inner.resolve().is_relative_to(first.parent.resolve()) else None


def _read_if_there(path: Path) -> str | None:
    try:
        return _read_source(path)
    except (OSError, ValueError):  # what cannot be read stays to be included, and is marked
        return None


def _read_source(path: Path) -> str:
    """Return the text of a file, of which no more is read than a source may have.

    Raises: OSError, FileFormatError for a device or a pipe, which may have no end, or what is no text
    """
    data = read_bytes(path, LARGEST + 1)
    if len(data) > LARGEST:
        raise FileFormatError(f"it is larger than {LARGEST:,} bytes")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"it is no text in UTF-8: byte {error.start} cannot be read") from None
