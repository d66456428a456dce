"""Read a file of Julia code together with the files beside it that it includes."""

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
    """The lines of a file and of the files it includes, with the file and line number of each."""

    first: Path
    lines: list[str] = field(default_factory=list)
    places: list[tuple[Path, int]] = field(default_factory=list)

    def locate(self, line: int) -> str:
        """Return the file and line number of a joined line, which is counted from 1."""
        file, number = self.places[min(line, len(self.places)) - 1]
        return f"{file}:{number}"

    def locate_all(self, holes: Iterable[Hole]) -> list[str]:
        """Return the file and line number of each hole."""
        return [self.locate(hole.line) for hole in holes]


def read_with_included(path: Path) -> Joined:
    """Read a file, and replace each line that includes a file from its folder by that file's lines, once for each file.

    Raises: OSError, FileFormatError for a device or a pipe, which may have no end, for a file that is not text, or if
        all files together are larger than a source may be
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
    """Return a translation whose first remark names the file of each line, if there are several files."""
    if len({file for file, _ in source.places}) < 2:
        return translation
    head, empty, rest = translation.python.partition("\n\n")
    head = re.sub(r"(?m)^# line (\d+): ", lambda found: f"# {_find_inside(source, int(found[1]))}: ", head)
    return replace(translation, python=f"{head}{empty}{rest}") if translation.holes else translation


def _find_inside(source: Joined, line: int) -> str:
    name = source.locate(line).removeprefix(f"{source.first.parent}{os.sep}")
    return name if name.isprintable() else f"line {line}"


def _find_beside(first: Path, file: Path, name: str) -> Path | None:
    """Return the path of an included file, None if it is outside the first file's folder."""
    inner = file.parent / name
    return inner if inner.resolve().is_relative_to(first.parent.resolve()) else None


def _read_if_there(path: Path) -> str | None:
    try:
        return _read_source(path)
    except (OSError, ValueError):  # the `include` of an unreadable file stays, and is marked as not ported
        return None


def _read_source(path: Path) -> str:
    """Return the text of a file that is not larger than a source may be.

    Raises: OSError, FileFormatError for a device or a pipe, which may have no end, or a file that is not text
    """
    data = read_bytes(path, LARGEST + 1)
    if len(data) > LARGEST:
        raise FileFormatError(f"it is larger than {LARGEST:,} bytes")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"it is no text in UTF-8: byte {error.start} cannot be read") from None
