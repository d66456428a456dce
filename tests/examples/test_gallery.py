"""The examples of the gallery, at a reduced size: they give the numbers that were recorded, and keep to their form."""

import ast
import runpy
from pathlib import Path
from typing import Any

import pytest

import luxport

FOLDER = Path(__file__).parents[2] / "examples"
OTHERS = {"digits", "distributed", "quick_start", "toy_backend"}
RECORDED: dict[str, tuple[dict[str, Any], float]] = {
    "polynomial_fitting": ({"steps": 60}, 0.11066),
}
"""What `train` of each example is called with, and the number that it returned first on PyTorch (seen on JAX, too)."""


@pytest.mark.parametrize("name", RECORDED)
def test_example_gives_the_recorded_number(name: str) -> None:
    arguments, recorded = RECORDED[name]
    with luxport.using("torch"):
        found = runpy.run_path(str(FOLDER / f"{name}.py"))["train"](**arguments)
    number = found[0] if isinstance(found, tuple) else found
    # Steps of optimizers multiply what frameworks and processors round differently.
    assert number == pytest.approx(recorded, rel=0.02)


def test_every_example_is_recorded_and_has_the_form_of_the_gallery() -> None:
    names = {path.stem for path in FOLDER.glob("*.py")} - OTHERS
    assert names == set(RECORDED)
    for name in names:
        text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 150, name
        assert "Learnt here:" in (ast.get_docstring(ast.parse(text)) or ""), name
        assert "# What changes between backends: nothing." in text, name
