"""Arguments are documented: each public name lists its own under ``Args:``, one line each, and no others."""

import inspect
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from luxport import initializers, layers, losses, ops, optimizers, random, schedules

NAMES = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "names.py"))

SHARED = (
    (
        layers,
        "kernel in_channels padding padding_mode window output_size variable_windows track_stats momentum init_scale "
        "num_layers bidirectional dropout return_sequence return_state time_major masked train_state train_memory "
        "init_state init_memory init_recurrent_weight use_recurrent_bias **named check infinities weight bias",
    ),
    (losses, "agg ignore_index class_weights gamma smooth delta beta"),
    (initializers, "gain"),
    (schedules, "l0 l1 start"),
    (optimizers, "state omega n"),
)
"""Options that mean the same in every class of the module."""
ENTRY = re.compile(r" {4}(\*{0,2}\w+): (\S.*)")


def read_entries(value: Any) -> list[tuple[str, str]]:
    """Return the entries under ``Args:`` as pairs of name and text; lines that are no entry have no name."""
    section = re.search(r"^Args:\n((?: +\S.*\n?)+)", inspect.getdoc(value) or "", re.MULTILINE)
    lines = section[1].splitlines() if section else []
    return [(found[1], found[2]) if (found := ENTRY.fullmatch(line)) else ("", line) for line in lines]


def list_arguments(value: Any) -> list[str]:
    """Return the names of the arguments of a class, a function or an initializer."""
    if isinstance(value, type):
        if getattr(value, "_is_protocol", False):
            return []
        # `inspect` by itself finds the `__new__` of some layers, which accepts anything.
        value = value.__init__ if value.__init__ is not object.__init__ else value.__new__
        if value is object.__new__:
            return []
        parameters = list(inspect.signature(value).parameters.values())[1:]
    else:
        drawn = getattr(value, "draw", None)
        parameters = list(inspect.signature(drawn or value).parameters.values())
        # Every initializer takes a generator and a shape first.
        parameters = parameters[2:] if drawn else parameters
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [stars.get(parameter.kind, "") + parameter.name for parameter in parameters]


def list_public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield everything callable in a module, including constructors such as ``from_*``."""
    for name in module.__all__:
        value = getattr(module, name)
        if callable(value):
            yield name, value
        for other, method in vars(value).items() if isinstance(value, type) else ():
            if isinstance(method, classmethod) and other.startswith("from_"):
                yield f"{name}.{other}", getattr(value, other)


@pytest.mark.parametrize(
    "module", [layers, losses, initializers, schedules, optimizers], ids=lambda module: module.__name__
)
def test_each_argument_is_documented(module: ModuleType) -> None:
    names = {name: [entry for entry, _ in read_entries(value)] for name, value in list_public(module)}
    wanted = {name: list_arguments(value) for name, value in list_public(module)}
    assert {name: found for name, found in names.items() if found != wanted[name]} == {}


def test_each_option_of_an_operation_is_documented() -> None:
    # Arrays are positional, and described under Shapes.
    def options(op: Any) -> list[str]:
        parameters = inspect.signature(op).parameters.items()
        return [name for name, p in parameters if p.kind is p.KEYWORD_ONLY or p.annotation in ("int", "float")]

    operations = {name: op for name in ops.__all__ if inspect.isfunction(op := getattr(ops, name))}
    names = {name: [entry for entry, _ in read_entries(op)] for name, op in operations.items()}
    assert {name: found for name, found in names.items() if found != options(operations[name])} == {}


def test_each_option_of_every_other_function_is_documented() -> None:
    # Functions without options describe their arguments in the first line; entries may continue on indented lines.
    def has_options(value: Any) -> bool:
        parameters = inspect.signature(value).parameters.values()
        return any(p.default is not p.empty or p.kind is p.KEYWORD_ONLY for p in parameters)

    areas = {name: module for _, module, names in NAMES["list_public_names"]() for name in names if module is not ops}
    functions = {
        name: value
        for name, module in areas.items()
        if inspect.isroutine(value := getattr(module, name)) and has_options(value)
    }
    names = {name: [entry for entry, _ in read_entries(value) if entry] for name, value in functions.items()}
    assert len(functions) > 40
    assert {name: found for name, found in names.items() if found != list_arguments(functions[name])} == {}


def test_each_argument_of_functions_of_keys_is_documented() -> None:
    functions = [random.key, random.fold_in, random.split, random.uniform, random.normal]
    assert [[entry for entry, _ in read_entries(function)] for function in functions] == list(
        map(list_arguments, functions)
    )


@pytest.mark.parametrize(("module", "shared"), SHARED, ids=lambda value: getattr(value, "__name__", ""))
def test_shared_options_have_the_same_text(module: ModuleType, shared: str) -> None:
    texts: dict[str, set[str]] = {name: set() for name in shared.split()}
    for _, value in list_public(module):
        for name, text in read_entries(value):
            if name in texts:
                texts[name].add(text)
    assert {name: found for name, found in texts.items() if len(found) != 1} == {}
