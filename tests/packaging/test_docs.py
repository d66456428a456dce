"""The page of names is up to date, and docstrings of public names are complete."""

import inspect
import re
import runpy
from pathlib import Path

import pytest

import luxport
from luxport import layers
from luxport_conformance.account import read_account

ROOT = Path(__file__).parents[2]
NAMES = runpy.run_path(str(ROOT / "docs" / "names.py"))
LAYERS = [
    name
    for name in layers.__all__
    if inspect.isclass(getattr(layers, name))
    and issubclass(getattr(layers, name), luxport.Layer)
    and not inspect.isabstract(getattr(layers, name))
]


def test_the_page_of_names_is_up_to_date() -> None:
    assert NAMES["PAGE"].read_text(encoding="utf-8") == NAMES["write_page"](), "run `make docs`"


def test_every_public_name_has_a_docstring() -> None:
    undocumented = [
        f"{module.__name__}.{name}"
        for _, module, names in NAMES["list_public_names"]()
        for name in names
        if not NAMES["find_docstring"](getattr(module, name), name)
    ]
    assert undocumented == []


def test_the_page_lists_every_public_name() -> None:
    page = NAMES["write_page"]()
    for module in (luxport.ops, luxport.losses, luxport.optimizers, luxport.schedules, luxport.initializers):
        assert [name for name in module.__all__ if f"`{module.__name__}.{name}`" not in page] == []
    elsewhere = {*luxport.ops.__all__, *luxport.losses.__all__, *luxport.initializers.__all__}
    own = [name for name in luxport.__all__ if name not in elsewhere and not name.startswith("_")]
    assert [name for name in own if f"`luxport.{name}`" not in page] == []


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_documents_shapes_parameters_state_and_source(name: str) -> None:
    documentation = inspect.getdoc(getattr(layers, name)) or ""
    lines = re.findall(r"^(Shapes|Params|State|Raises|Source):", documentation, re.MULTILINE)
    assert [line for line in lines if line != "Raises"] == ["Shapes", "Params", "State", "Source"]
    assert lines in (["Shapes", "Params", "State", "Source"], ["Shapes", "Params", "State", "Raises", "Source"])


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_documents_its_formula(name: str) -> None:
    about, *_ = re.split(r"^(?:Args|Shapes):", inspect.getdoc(getattr(layers, name)) or "", flags=re.MULTILINE)
    formulas = re.findall(r"``(.+?)``", about, re.DOTALL)
    assert any(re.search(r"[=@*+(^]", formula) for formula in formulas), about


def test_assertions_of_upstream_are_cited_in_the_conformance_suite_alone() -> None:
    """Its account says which case ports an assertion; files in src/, and ParameterSchedulers, are no part of it."""
    accounted = {(row.file.rpartition("/")[2], row.line) for row in read_account()}
    citation = re.compile(r"(?<![\w/])(?<!ParameterSchedulers )(\w+\.jl)[:#L]+(\d+)")
    cited = [
        f"{file.relative_to(ROOT)}: {name}:{line}"
        for file in sorted((ROOT / "tests").rglob("*.py"))
        for name, line in citation.findall(file.read_text())
        if (name, line) in accounted
    ]
    assert cited == []
