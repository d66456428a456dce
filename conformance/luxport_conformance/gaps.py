"""Messages, printed before a run, about dtypes, abilities and namespace functions that a backend lacks."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import luxport
from luxport.backend import Backend
from luxport_conformance.backends import Abilities, find_abilities, find_broken_probes
from luxport_conformance.case import Case
from luxport_conformance.examples import EXAMPLES
from luxport_conformance.laws import LAWS

__all__ = ["list_gaps", "list_lacking_names"]


def list_gaps(backend: Backend, cases: Iterable[Case]) -> Iterator[str]:
    """Yield a line for each dtype, ability or function that a backend lacks, about what cannot run without it."""
    cases = tuple(cases)
    for what in find_abilities(backend.name).list_missing():
        subjects = {case.subject for case in cases if _is_needed_by_case(what, case)}
        subjects |= {
            subject
            for subject, examples in EXAMPLES.items()
            for law in LAWS.values()
            if not law.on_host and any([_is_needed_by_law(what, law, example) for example in examples])
        }
        lacks = f"{backend.name} has no {what.removeprefix('a ')}"
        if became := find_broken_probes(backend.name).get(_PROBES.get(what, what)):
            lacks = f"{backend.name} may have {what}: the probe {became}, see below"
        yield f"{lacks}: checks of {len(subjects)} layers and operations are left out"
    for name, users in list_lacking_names(backend.xp).items():
        if name == "fft" and not find_abilities(backend.name).complex:
            continue  # the checks of Fourier transforms are left out with those of complex numbers
        yield f"the namespace of {backend.name} has no {name}, which {', '.join(users)} need: they fail"


_PROBES = {"a compiler": "compiles", "numbers at hand": "looks"}
"""The probes' names of the abilities that `Abilities.list_missing` calls by another name."""


def _is_needed_by_case(what: str, case: Case) -> bool:
    if what == "complex":
        return case.is_complex
    if what == "gradients":
        return case.differentiates
    if what == "numbers at hand":
        return case.looks
    if what in Abilities.integers:
        return what in case.integers
    return case.may_compile and not case.on_host if what == "a compiler" else not case.on_host and what in case.dtypes


def _is_needed_by_law(what: str, law: Any, example: Any) -> bool:
    if what == "gradients":
        return law.gradients
    return law.compiles if what == "a compiler" else what in law.dtypes and what in example.dtypes


def list_lacking_names(xp: Any) -> dict[str, list[str]]:
    """Return the functions that a namespace lacks, each with the functions of luxport that use it.

    Dtypes are left out: luxport tests whether they exist wherever it uses them.
    """
    users: dict[str, set[str]] = {}
    package = Path(str(luxport.__file__)).parent
    for folder in ("ops", "layers", "losses", "optimizers", "transforms"):
        for file in sorted((package / folder).rglob("*.py")):
            for name, user in _list_asked(ast.parse(file.read_text(encoding="utf-8"))):
                users.setdefault(name, set()).add(user)
    return {name: sorted(users[name]) for name in sorted(users) if getattr(xp, name, None) is None}


def _list_asked(module: ast.Module) -> Iterator[tuple[str, str]]:
    for definition in module.body:
        for node in ast.walk(definition):
            if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name) or node.value.id != "xp":
                continue
            if node.attr not in _DTYPES:
                yield node.attr, getattr(definition, "name", "a module")


_DTYPES = {*Abilities.dtypes, "complex64", "complex128", "bool"}
_DTYPES |= {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
