"""The code on the pages of the site runs and prints what the pages show."""

import doctest
import re
from pathlib import Path

import pytest

import luxport

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
ELSEWHERE = {"onnx.md", "distributed.md", "found.md"}
"""Pages whose code other tests run."""


def run_page(page: Path) -> None:
    """Run the examples of a page, with its chosen backend also the code in its tables."""
    text = page.read_text(encoding="utf-8")
    test = doctest.DocTestParser().get_doctest(text, {"__name__": "__main__"}, page.name, str(page), 0)
    last = test.examples.pop() if test.examples and "set_backend(None)" in test.examples[-1].source else None
    runner = doctest.DocTestRunner()
    runner.run(test, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0
    for code in list_last_cells(text):
        try:
            exec(code, test.globs)
        except Exception as error:
            raise AssertionError(f"{page.name} shows {code!r}, which raises {type(error).__name__}: {error}") from error
    if last is not None:
        exec(last.source, test.globs)


def list_last_cells(text: str) -> list[str]:
    """Return the code in the last cells of tables whose last column is "here"; each row has one piece of code."""
    found: list[str] = []
    inside = False
    for line in text.splitlines():
        if line.endswith("| here |"):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and (match := re.search(r"\| `([^`]+)` \|$", line)):
            found.append(match[1])
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in ELSEWHERE], ids=lambda page: page.stem)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        run_page(page)
    finally:
        luxport.set_backend(None)


def test_every_line_of_the_tables_is_run() -> None:
    for page in PAGES:
        if page.name.startswith("coming_from_"):
            text = page.read_text(encoding="utf-8")
            rows = [line for line in text.splitlines() if line.startswith("| ") and not line.endswith("| here |")]
            assert len(list_last_cells(text)) == len(rows) > 15, page.name


def test_files_that_the_guide_names_exist() -> None:
    named = re.findall(r"`([\w/]+/[\w./]*)`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert len(named) > 8
    examples = {"luxport/layers/_FAMILY.py", "docs/NAME.md"}
    assert [path for path in named if path not in examples and not (ROOT / path).exists()] == []
