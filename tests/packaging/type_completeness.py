"""Check that at least 95 % of luxport's public symbols have a known type, by ``pyright --verifytypes``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

LEAST = 0.95
ROOT = Path(__file__).parents[2]


def main() -> int:
    """Print the share, and the untyped symbols if it is too small; return 1 then."""
    command = ["--pythonpath", sys.executable, "--verifytypes", "luxport", "--ignoreexternal", "--outputjson"]
    pyright = Path(sys.executable).with_name("pyright")
    # pyright does not find a package by name through the paths of an editable install.
    done = subprocess.run(
        [pyright, *command], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    found = json.loads(done.stdout)["typeCompleteness"]
    share = found["completenessScore"]
    print(f"types: {share:.1%} of {sum(found['exportedSymbolCounts'].values())} public symbols have a known one")
    if share >= LEAST:
        return 0
    for symbol in found["symbols"]:
        if symbol["isExported"] and (symbol["isTypeAmbiguous"] or not symbol["isTypeKnown"]):
            print(f"  {symbol['name']}: {symbol['diagnostics'][0]['message'].splitlines()[0]}")
    print(f"at least {LEAST:.0%} are wanted")
    return 1


if __name__ == "__main__":
    sys.exit(main())
