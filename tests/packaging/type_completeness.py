"""How much of what users of luxport see has a known type: at least 95 %, by ``pyright --verifytypes``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

LEAST = 0.95
ROOT = Path(__file__).parents[2]


def main() -> int:
    """Print the share and what is missing; return 1 if it is too small."""
    command = ["--pythonpath", sys.executable, "--verifytypes", "luxport", "--ignoreexternal", "--outputjson"]
    pyright = Path(sys.executable).with_name("pyright")
    # pyright does not follow the paths of an editable install when it is asked for a package by name.
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
