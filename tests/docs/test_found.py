"""The faults of other libraries in docs/found.md are still present in the installed versions."""

import doctest
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from optional_packages import skip_without

PAGE = Path(__file__).parents[2] / "docs" / "found.md"
FAULTS = {part.partition("\n")[0]: part for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]}
OPTIONS = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL


@pytest.mark.parametrize("title", FAULTS)
def test_the_fault_is_present(title: str) -> None:
    code = FAULTS[title]
    imported = re.findall(r">>> (?:.*; )?import (.+)", code)
    modules = {name.split()[0].partition(".")[0] for line in imported for name in line.split(", ")} - {"os"}
    if missing := sorted(name for name in modules if find_spec(name.partition(";")[0]) is None):
        skip_without(missing)
    if "KERAS_BACKEND" not in code and "subprocess" not in code:
        found = doctest.DocTestParser().get_doctest(code, {}, title, str(PAGE), 0)
        assert doctest.DocTestRunner(optionflags=OPTIONS).run(found).failed == 0
    elif os.environ.get("LUXPORT_TESTS") != "all":
        pytest.skip("processes of its own, as Keras has one backend, or as one ends: make slow-tests")
    else:
        program = (
            "import doctest, sys\n"
            f"found = doctest.DocTestParser().get_doctest(sys.stdin.read(), {{}}, {title!r}, None, 0)\n"
            f"sys.exit(doctest.DocTestRunner(optionflags={OPTIONS}).run(found).failed)"
        )
        done = subprocess.run([sys.executable, "-c", program], input=code, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
