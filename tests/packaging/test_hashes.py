"""The hashes that CI installs by belong to the versions of constraints.txt."""

import re
import runpy
import tomllib
from pathlib import Path

HASHES = runpy.run_path(str(Path(__file__).with_name("hashes.py")))
KNOWN = HASHES["read_hashes"](HASHES["PAGE"])
PINS = HASHES["read_pins"](HASHES["ROOT"] / "constraints.txt")


def test_every_version_equals_the_constraint() -> None:
    assert dict(KNOWN.keys()) == HASHES["read_pins"](HASHES["PAGE"]), "a line without a hash"
    assert [key for key in KNOWN if PINS.get(key[0]) != key[1]] == [], "run tests/packaging/hashes.py"


def test_every_required_package_has_a_hash() -> None:
    project = tomllib.loads((HASHES["ROOT"] / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *[one for name in HASHES["EXTRAS"] for one in extras[name]]]
    for one in extras["all"]:
        asked += [inner for name in re.findall(r"\w+", one.partition("[")[2]) for inner in extras[name]]
    elsewhere = ("luxport-nn", "== 'darwin'")
    packages = {re.split(r"[\[<>=;]", one)[0] for one in asked if not any(word in one for word in elsewhere)}
    assert {HASHES["normalize_name"](name) for name in packages} <= dict(KNOWN.keys()).keys(), (
        "run tests/packaging/hashes.py"
    )
