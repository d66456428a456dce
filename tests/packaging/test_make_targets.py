"""The targets of `make help`: all are listed, their programs exist, and those without other tests run briefly."""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
LISTED = re.findall(r'@echo "make ([\w-]+)', MAKEFILE)
# Targets that are steps of others, and the list itself.
UNLISTED = {"help", "env", "quick-tests", "lint", "types", "types-inside", "types-outside", "tests", "clean"}
SHORT = {"meshes": ["Dense"], "integers": ["numpy"]}


def test_help_lists_every_target() -> None:
    targets = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert targets and sorted(LISTED) == sorted(set(targets[1].split()) - UNLISTED)


@pytest.mark.parametrize("target", LISTED)
def test_programs_of_a_target_exist(target: str) -> None:
    recipe = _recipe(target)
    modules = re.findall(r"-m ([\w.]+)", recipe)
    files = re.findall(r"(?<=\s)[\w./-]+\.(?:py|md|txt)\b", recipe)
    assert modules or files or "luxport conformance" in recipe
    assert [name for name in modules if find_spec(name) is None] == []
    assert [name for name in files if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("target", SHORT)
def test_a_short_run_of_targets_without_other_tests(target: str) -> None:
    command = re.findall(r"-m [\w.]+|[\w/-]+\.py", _recipe(target))[-1].split()
    done = subprocess.run([sys.executable, *command, *SHORT[target]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.rstrip().endswith(("0 failed", "0 failed so far")), done


def _recipe(target: str) -> str:
    """Return the commands of a target, as if the environment were already installed."""
    if shutil.which("make") is None:
        pytest.skip("no make here")
    command = ["make", "--no-print-directory", "-n", "-o", "env", target]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
