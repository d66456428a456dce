"""Write constraints-hashes.txt: the files that CI installs, with their SHA-256, as pip resolves them on this machine.

python tests/packaging/hashes.py

Hashes already in the file are kept if the version is still that of constraints.txt: PyTorch's files on PyPI and on its
own CPU index differ for the same version.
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


def normalize_name(name: str) -> str:
    """Return a package's name in the normalized form that indices compare."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_pins(path: Path) -> dict[str, str]:
    """Return the pinned versions of a requirements file by package."""
    found = re.findall(r"^([\w.-]+)==([^\s\\]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {normalize_name(name): version for name, version in found}


def read_hashes(path: Path) -> dict[tuple[str, str], set[str]]:
    """Return the hashes of a requirements file by package and version."""
    found: dict[tuple[str, str], set[str]] = {}
    for entry in re.findall(r"^([\w.-]+)==([^\s\\]+)((?:\s*\\\n\s+--hash=sha256:[0-9a-f]{64})+)$",
                            path.read_text(encoding="utf-8"), re.MULTILINE):  # fmt: skip
        found[normalize_name(entry[0]), entry[1]] = set(re.findall(r"sha256:([0-9a-f]{64})", entry[2]))
    return found


def resolve() -> dict[tuple[str, str], set[str]]:
    """Return the hashes of all files that pip would install, by package and version."""
    constraints = ROOT / "constraints.txt"
    asked = ["-c", str(constraints), f"{ROOT}[{','.join(EXTRAS)}]", "editables"]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    report = subprocess.run([*command, *asked], stdout=subprocess.PIPE, check=True).stdout
    return {
        (normalize_name(one["metadata"]["name"]), one["metadata"]["version"].partition("+")[0]): {
            one["download_info"]["archive_info"]["hashes"]["sha256"]
        }
        for one in json.loads(report)["install"]
        if "archive_info" in one["download_info"]
    }


def main() -> None:
    before = read_hashes(PAGE) if PAGE.exists() else {}
    lines = [
        " \\\n".join([f"{name}=={version}", *[f"    --hash=sha256:{one}" for one in sorted(found)]])
        for (name, version), found in sorted(
            {key: new | before.get(key, set()) for key, new in resolve().items()}.items()
        )
    ]
    PAGE.write_text("\n".join([HEAD.rstrip(), *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
