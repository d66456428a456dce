"""The page about models that leave Python: what it says of ONNX. `make onnx` runs the frameworks' own exports too."""

import doctest
import os
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "onnx.md"


def test_examples_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8").partition("## The frameworks' own exports")[0]
    examples = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    failed, tried = doctest.DocTestRunner().run(examples)
    assert failed == 0
    assert tried > 8
    assert os.listdir(tmp_path) == ["digits.onnx"]
