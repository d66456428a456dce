"""Write constraints-hashes.txt: the files that CI installs, each by its SHA-256, as pip resolves them here.

    python tests/packaging/hashes.py

What stands there already is kept where its version is still the one of constraints.txt: PyTorch of PyPI and of its
own index for processors are different files of one version.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "constraints-hashes.txt"
EXTRAS = ("all", "dev", "docs")
HEAD = """\
# What `make env-hashes` installs: the versions of constraints.txt, and no files but these. They are for Linux on x86-64
# and CPython 3.11, PyTorch as it is built for processors (https://download.pytorch.org/whl/cpu).
# Written by tests/packaging/hashes.py.
"""


def plain(name: str) -> str:
    """Return a package's name as indices compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(path: Path) -> dict[str, str]:
    """Return the versions of a file of requirements, by package."""
    found = re.findall(r"^([\w.-]+)==([^\s\\]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {plain(name): version for name, version in found}


def hashes(path: Path) -> dict[tuple[str, str], set[str]]:
    """Return the hashes of a file of requirements, by package and version."""
    found: dict[tuple[str, str], set[str]] = {}
    for entry in re.findall(r"^([\w.-]+)==([^\s\\]+)((?:\s*\\\n\s+--hash=sha256:[0-9a-f]{64})+)$",
                            path.read_text(encoding="utf-8"), re.MULTILINE):  # fmt: skip
        found[plain(entry[0]), entry[1]] = set(re.findall(r"sha256:([0-9a-f]{64})", entry[2]))
    return found


def resolved() -> dict[tuple[str, str], set[str]]:
    """Ask pip what it would install."""
    constraints = ROOT / "constraints.txt"
    asked = ["-c", str(constraints), f"{ROOT}[{','.join(EXTRAS)}]", "editables"]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    report = subprocess.run([*command, *asked], stdout=subprocess.PIPE, check=True).stdout
    return {
        (plain(one["metadata"]["name"]), one["metadata"]["version"].partition("+")[0]): {
            one["download_info"]["archive_info"]["hashes"]["sha256"]
        }
        for one in json.loads(report)["install"]
        if "archive_info" in one["download_info"]
    }


def main() -> None:
    before = hashes(PAGE) if PAGE.exists() else {}
    lines = [
        " \\\n".join([f"{name}=={version}", *[f"    --hash=sha256:{one}" for one in sorted(found)]])
        for (name, version), found in sorted(
            {key: new | before.get(key, set()) for key, new in resolved().items()}.items()
        )
    ]
    PAGE.write_text("\n".join([HEAD.rstrip(), *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
