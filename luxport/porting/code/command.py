"""The command ``luxport port``: Julia code in, Python out."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from luxport.porting.code.translate import translate
from luxport.porting.replacing import replacing

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command: status 0 if all was ported, 1 if pieces are left to the user, 2 for a wrong argument or file."""
    parser = argparse.ArgumentParser(prog="luxport port", description="Turn the Julia code of a model into Python.")
    parser.add_argument("source", type=Path, help="a file of Julia code that defines Flux or Lux models")
    parser.add_argument("-o", "--output", type=Path, help="the Python file to write, instead of printing it")
    parser.add_argument("--flux", type=_version, metavar="VERSION", help="the Flux it was written for, 0.14 say")
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stopped:  # argparse has said why
        return int(stopped.code or 0)
    try:
        translation = translate(options.source.read_text(encoding="utf-8"), flux=options.flux)
        if options.output is None:
            print(translation.python, end="")
        else:
            with replacing(options.output) as file:
                file.write(translation.python.encode())
    except (OSError, UnicodeDecodeError, ImportError, RecursionError) as error:
        what = "nested too deep" if isinstance(error, RecursionError) else " ".join(str(error).split())
        print(f"luxport port: {options.source}: {what}", file=sys.stderr)
        return 2
    for hole in translation.holes:
        print(f"{options.source}:{hole.line}: not ported: {hole.julia} ({hole.reason})", file=sys.stderr)
    if translation.holes:
        count = len(translation.holes)
        print(f"{options.source}: {count} {'piece' if count == 1 else 'pieces'} not ported", file=sys.stderr)
    return 1 if translation.holes else 0


def _version(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"v?(\d+)\.(\d+)(\.\d+)?", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"a version as 0.14 expected, got {text!r}")
    return int(found[1]), int(found[2])
