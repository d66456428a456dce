"""The argument parser of all commands, whose errors are one printable line."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from luxport.text import make_safe

__all__ = ["Arguments"]


class Arguments(argparse.ArgumentParser):
    """A parser whose errors are one line that ends with where to find help, with control characters escaped."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong with the arguments and exit with status 2.

        >>> Arguments(prog="luxport port").error("unrecognized arguments: --nope\\x1b[2J")
        Traceback (most recent call last):
        SystemExit: 2
        """
        print(f"{self.prog}: {make_safe(message)}; see {self.prog} --help", file=sys.stderr)
        raise SystemExit(2)
