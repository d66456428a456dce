"""`make oldest` installs the lowest versions that pyproject.toml allows."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The index of CPU wheels has no old PyTorch; the other packages are not array frameworks.
NOT_TAKEN = {"torch", "ml-dtypes", "pytest", "tqdm"}


def test_the_oldest_versions_are_the_lower_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for name in ("jax", "tf", "petab", "safetensors", "conformance") for line in _extra(project, name)]
    begins = dict(re.findall(r"^([\w-]+)>=([\d.]+)", "\n".join(project["dependencies"] + extras), re.MULTILINE))
    oldest = dict(re.findall(r"^([\w-]+)==([\d.]+)", (ROOT / "tests/packaging/oldest.txt").read_text(), re.MULTILINE))
    assert oldest.pop("jaxlib") == oldest["jax"]
    assert oldest == {name: version for name, version in begins.items() if name not in NOT_TAKEN | {"tensorflow"}}


def _extra(project: dict[str, dict[str, list[str]]], name: str) -> list[str]:
    return project["optional-dependencies"][name]
