"""What the pages of the site show is true: their code runs and prints what stands there."""

import doctest
from pathlib import Path

import pytest

import luxport

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
ELSEWHERE = {"onnx.md", "distributed.md"}
"""Pages that the tests of their subject run."""


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in ELSEWHERE], ids=lambda page: page.stem)
def test_what_the_page_shows_is_true(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        failed, _ = doctest.testfile(str(page), module_relative=False)
    finally:
        luxport.set_backend(None)
    assert failed == 0
