"""The command ``luxport port``, which translates Julia code into Python."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from luxport.command_line import Arguments
from luxport.porting.errors import FileFormatError
from luxport.porting.files.atomic_files import open_atomic
from luxport.porting.files.file_names import check_different_files
from luxport.porting.files.reading import read
from luxport.porting.julia.flux_versions import LAST
from luxport.porting.translate.included_files import locate_remarks, read_with_included
from luxport.porting.translate.module import translate
from luxport.porting.translate.trial import report
from luxport.text import make_safe

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Status 0: all was ported, 1: some pieces were not, 2: a wrong argument or file."""
    parser = Arguments(prog="luxport port", description="Turn the Julia code of a model into Python.")
    parser.add_argument("source", type=Path, help="a file of Julia code that defines Flux or Lux models")
    parser.add_argument("-o", "--output", type=Path, help="the Python file to write, instead of printing it")
    parser.add_argument("--run", action="store_true", help="import what was written and say which models it builds")
    parser.add_argument("--check", metavar="FILE", help="compare these models with a trained model's file; runs, too")
    parser.add_argument("--flux", type=_read_version, metavar="VERSION", help="the Flux it was written for, 0.14 say")
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stopped:  # argparse has printed the reason
        return int(stopped.code or 0)
    shown = make_safe(str(options.source))
    try:
        source = read_with_included(options.source)
        translation = locate_remarks(translate("\n".join(source.lines), flux=options.flux), source)
        tried = options.run or options.check is not None
        if options.check is not None:
            read(options.check, allow_unavailable=True)  # an unreadable file is reported before anything is written
        if options.output is not None:
            check_different_files(options.source, options.output)
            with open_atomic(options.output) as file:
                file.write(translation.python.encode())
        elif not tried:
            print(translation.python, end="")
        for line in report(translation, options.check) if tried else ():
            print(make_safe(line))
    except (OSError, ValueError, ImportError) as error:  # FileFormatError and UnicodeError are ValueErrors
        print(f"luxport port: {shown}: {make_safe(_explain(error, options.source))}", file=sys.stderr)
        return 2
    for hole, place in zip(translation.holes, source.locate_all(translation.holes), strict=True):
        print(f"{make_safe(place)}: not ported: {hole.julia} ({hole.reason})", file=sys.stderr)
    if translation.holes:
        count = len(translation.holes)
        print(f"{shown}: {count} {'piece' if count == 1 else 'pieces'} not ported", file=sys.stderr)
    return 1 if translation.holes else 0


def _explain(error: Exception, source: Path) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "it has characters that cannot be printed here: write a file with --output"
    # The caller prints the source's name before the message already.
    if isinstance(error, FileFormatError):
        return error.reason if error.path == str(source) else str(error)
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return error.strerror if str(error.filename) in ("None", str(source)) else f"{error.strerror}: {error.filename}"


def _read_version(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"v?(\d+)\.(\d+)(\.\d+)?", text)
    if found is None or int(found[1]) or not 1 <= int(found[2]) <= LAST:
        raise argparse.ArgumentTypeError(f"a version of Flux from 0.1 to 0.{LAST} expected, as 0.14, got {text!r}")
    return int(found[1]), int(found[2])
